#include "doctor/host_view.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/landlock.hpp"
#include "kernel/present_calls.hpp"
#include "kernel/program_output.hpp"
#include "kernel/seccomp_flags.hpp"

#include <algorithm>
#include <array>
#include <linux/seccomp.h>

namespace brig::doctor {

namespace {

using kernel::working_directory;

constexpr size_t largest_settings = 1 << 20;

std::string text_of(const std::string& path)
{
    auto text = kernel::read_file(working_directory, path, largest_settings);
    return text ? std::string(trim(*text)) : std::string();
}

bool has_file_system(std::string_view name)
{
    std::string listing = text_of("/proc/filesystems");
    return std::ranges::any_of(split(listing, '\n'), [&](auto line) { return line.substr(line.rfind('\t') + 1) == name; });
}

// brig under its own name or as a policy calls it: "brig-strict".
bool is_brig(std::string_view path)
{
    std::string_view name = base_name(path);
    return name == "brig" || name.starts_with("brig-");
}

Result<bool> docker_has_brig(const std::string& settings)
{
    Json document = TRY(Json::parse(TRY(kernel::read_file(working_directory, settings, largest_settings))));
    bool found = false;
    document.view().member("runtimes").for_each_member([&](std::string_view, JsonView runtime) {
        found = found || is_brig(runtime.member("path").string());
    });
    return found;
}

// TOML of containerd and Podman, where the path of a runtime stands in quotes.
Result<bool> text_has_brig(const std::string& settings)
{
    std::string text = TRY(kernel::read_file(working_directory, settings, largest_settings));
    for (auto line : split(text, '\n'))
        if (!trim(line).starts_with('#'))
            for (auto word : split(line, '"'))
                if (word.starts_with('/') && is_brig(word))
                    return true;
    return false;
}

Result<bool> has_brig(const std::string& settings)
{
    if (!kernel::exists(working_directory, settings))
        return false;
    return settings.ends_with(".json") ? docker_has_brig(settings) : text_has_brig(settings);
}

EngineView view_engine(const std::string& search_path, const char* name, const char* program, const char* settings)
{
    EngineView engine;
    engine.name = name;
    engine.settings = settings;
    engine.installed = kernel::find_program(program, search_path).has_value();
    if (auto registered = has_brig(settings))
        engine.registered = *registered;
    return engine;
}

bool bounds_swap(const HostFacts& facts)
{
    constexpr std::string_view heading_only = "\n";
    if (text_of("/proc/swaps").find(heading_only) == std::string::npos)
        return true; // there is no swap
    for (const auto& hierarchy : facts.cgroup_v1)
        if (std::ranges::find(hierarchy.controllers, "memory") != hierarchy.controllers.end())
            return kernel::exists(working_directory, hierarchy.mount_point + "/memory.memsw.limit_in_bytes");
    return std::ranges::find(facts.cgroup_v2_controllers, "memory") != facts.cgroup_v2_controllers.end();
}

} // namespace

Result<HostView> read_host_view(const std::string& search_path)
{
    HostView view;
    view.facts = TRY(kernel::read_host_facts());
    for (const auto& call : kernel::newer_calls())
        if (!call.present)
            view.missing_calls.emplace_back(call.name);
    view.landlock_version = std::max(0, kernel::landlock_version());
    std::string actions = text_of("/proc/sys/kernel/seccomp/actions_avail");
    view.seccomp_filters = !actions.empty();
    view.seccomp_notify = contains(actions, "user_notif");
    view.overlay = has_file_system("overlay");
    view.swap_accounting = bounds_swap(view.facts);
    view.pressure = kernel::exists(working_directory, "/proc/pressure/cpu");
    view.criu = kernel::find_program("criu", search_path).has_value();
    if (auto most = parse_unsigned(text_of("/proc/sys/user/max_user_namespaces")))
        view.most_user_namespaces = *most;
    view.restricted_user_namespaces = text_of("/proc/sys/kernel/unprivileged_userns_clone") == "0"
                                      || text_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1";
    view.engines = {view_engine(search_path, "docker", "dockerd", "/etc/docker/daemon.json"),
                    view_engine(search_path, "containerd", "containerd", "/etc/containerd/config.toml"),
                    view_engine(search_path, "podman", "podman", "/etc/containers/containers.conf")};
    return view;
}

} // namespace brig::doctor
