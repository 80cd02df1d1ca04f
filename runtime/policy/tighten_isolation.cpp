#include "policy/changes.hpp"

#include "spec/vocabulary.hpp"

#include <algorithm>
#include <array>

namespace brig::policy {

namespace {

using spec::NamespaceType;

spec::Namespace* find_namespace(spec::Linux& linux, NamespaceType type)
{
    auto found = std::ranges::find(linux.namespaces, type, &spec::Namespace::type);
    return found == linux.namespaces.end() ? nullptr : &*found;
}

void add_namespace(spec::Linux& linux, NamespaceType type, std::string_view why, Changes& changes)
{
    if (find_namespace(linux, type) != nullptr)
        return;
    linux.namespaces.push_back({type, ""});
    changes.add(fmt::format("linux.namespaces {}", spec::namespace_word(type).name), "the host's", "a new one", why);
}

Result<> tighten_network(spec::Linux& linux, const Policy& policy, Changes& changes)
{
    if (policy.network.mode == NetworkMode::host)
        return {};
    std::string_view mode = policy.network.mode == NetworkMode::none ? "none" : "allow";
    std::string why = fmt::format("has network.mode \"{}\"", mode);
    const auto* network = find_namespace(linux, NamespaceType::network);
    if (network != nullptr && !network->path.empty())
        return changes.refuse("linux.namespaces network", network->path, why,
                              "it would have the network of that namespace: let the container have one of its own");
    add_namespace(linux, NamespaceType::network, why, changes);
    for (const auto& [host_name, device] : linux.net_devices)
        changes.add(fmt::format("linux.netDevices {}", host_name), "moved into the container", "left on the host", why);
    linux.net_devices.clear();
    return {};
}

Result<> tighten_namespaces(spec::Linux& linux, const Policy& policy, Changes& changes)
{
    if (!policy.namespaces.may_join)
        for (const auto& entry : linux.namespaces)
            if (!entry.path.empty())
                return changes.refuse(fmt::format("linux.namespaces {}", spec::namespace_word(entry.type).name), entry.path,
                                      "has namespaces.join false", "let the container have a namespace of its own");
    TRY(tighten_network(linux, policy, changes));
    if (policy.namespaces.own)
        for (auto type : {NamespaceType::mount, NamespaceType::pid, NamespaceType::network, NamespaceType::ipc,
                          NamespaceType::uts, NamespaceType::cgroup})
            add_namespace(linux, type, "has namespaces.own true", changes);
    if (policy.namespaces.require_user && find_namespace(linux, NamespaceType::user) == nullptr)
        return changes.refuse("linux.namespaces", "without a user namespace", "has namespaces.requireUser true",
                              "run dockerd with userns-remap, or podman with --userns=auto");
    return {};
}

size_t hook_count(const spec::Hooks& hooks)
{
    return hooks.prestart.size() + hooks.create_runtime.size() + hooks.create_container.size() + hooks.start_container.size()
           + hooks.poststart.size() + hooks.poststop.size();
}

Result<> tighten_hooks(spec::Spec& spec, const Policy& policy, Changes& changes)
{
    size_t count = spec.hooks ? hook_count(*spec.hooks) : 0;
    if (count == 0 || policy.hooks == Hooks::allowed)
        return {};
    if (policy.hooks == Hooks::refused)
        return changes.refuse("hooks", fmt::format("a list of {}", count), "has hooks \"refused\"",
                              "hooks run on the host with all its rights");
    spec.hooks.reset();
    changes.add("hooks", fmt::format("a list of {}", count), "none run", "has hooks \"removed\"");
    return {};
}

void tighten_sysctls(spec::Linux& linux, const std::vector<std::string>& allowed, Changes& changes)
{
    auto forbidden = [&](const auto& entry) { return std::ranges::find(allowed, entry.first) == allowed.end(); };
    for (const auto& entry : linux.sysctl)
        if (forbidden(entry))
            changes.add(fmt::format("linux.sysctl {}", entry.first), entry.second, "the kernel's default",
                        "does not name it in privileges.sysctls");
    std::erase_if(linux.sysctl, forbidden);
}

} // namespace

Result<> tighten_isolation(spec::Spec& spec, const Policy& policy, Changes& changes)
{
    spec::Linux& linux = *spec.linux;
    TRY(tighten_namespaces(linux, policy, changes));
    TRY(tighten_hooks(spec, policy, changes));
    if (policy.privileges.sysctls)
        tighten_sysctls(linux, *policy.privileges.sysctls, changes);
    return {};
}

} // namespace brig::policy
