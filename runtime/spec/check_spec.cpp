#include "spec/check_spec.hpp"

#include "spec/checks.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

tl::unexpected<Error> refused(std::string problem, std::string remedy)
{
    return failure(Error(ErrorKind::invalid, std::move(problem)).with_hint(std::move(remedy)));
}

Result<> check_word(std::string_view property, std::string_view value, Words words)
{
    if (find_word(words, value))
        return {};
    return refused(fmt::format("{} {} is unknown", property, quoted(value)), "known: " + join(names_of(words), ", "));
}

Result<> check_words(std::string_view property, const std::vector<std::string>& values, Words words)
{
    for (size_t i = 0; i < values.size(); i++)
        TRY(check_word(fmt::format("{}[{}]", property, i), values[i], words));
    return {};
}

Result<> check_absolute(std::string_view property, std::string_view path)
{
    if (path.starts_with('/'))
        return {};
    return refused(fmt::format("{} must be an absolute path, not {}", property, quoted(path)));
}

bool has_namespace(const Spec& spec, NamespaceType type)
{
    return spec.linux && find_namespace(*spec.linux, type) != nullptr;
}

namespace {

Result<> check_sections(const Spec& spec)
{
    if (!spec.process)
        return refused("process is missing", "say in config.json what to run: process.args, process.cwd");
    if (!spec.root)
        return refused("root is missing", "say in config.json where the root file system is: root.path");
    if (spec.root->path.empty())
        return refused("root.path is empty", "give the root file system's directory, relative to the bundle or absolute");
    if (!spec.linux)
        return refused("linux is missing", "this is a runtime for Linux containers: add \"linux\": {\"namespaces\": ...}");
    return {};
}

Result<> check_name(std::string_view property, const std::string& name, const Spec& spec)
{
    constexpr size_t longest = 64; // __NEW_UTS_LEN
    if (name.empty())
        return {};
    if (name.size() > longest)
        return refused(fmt::format("{} has {} characters, the kernel takes {}", property, name.size(), longest));
    if (!has_namespace(spec, NamespaceType::uts))
        return refused(fmt::format("{} {} would rename the host", property, quoted(name)),
                       "add {\"type\": \"uts\"} to linux.namespaces");
    return {};
}

Result<> check_names(const Spec& spec)
{
    TRY(check_name("hostname", spec.hostname, spec));
    return check_name("domainname", spec.domainname, spec);
}

Result<> check_hook_list(std::string_view name, const std::vector<Hook>& hooks)
{
    for (size_t i = 0; i < hooks.size(); i++) {
        TRY(check_absolute(fmt::format("hooks.{}[{}].path", name, i), hooks[i].path));
        if (hooks[i].timeout && *hooks[i].timeout <= 0)
            return refused(fmt::format("hooks.{}[{}].timeout must be more than 0 seconds, not {}", name, i, *hooks[i].timeout),
                           "leave it out for no time limit");
    }
    return {};
}

Result<> check_hooks(const Spec& spec)
{
    if (!spec.hooks)
        return {};
    TRY(check_hook_list("prestart", spec.hooks->prestart));
    TRY(check_hook_list("createRuntime", spec.hooks->create_runtime));
    TRY(check_hook_list("createContainer", spec.hooks->create_container));
    TRY(check_hook_list("startContainer", spec.hooks->start_container));
    TRY(check_hook_list("poststart", spec.hooks->poststart));
    return check_hook_list("poststop", spec.hooks->poststop);
}

Result<> check_annotations(const Spec& spec)
{
    if (spec.annotations.contains(""))
        return refused("annotations has an entry with an empty name");
    return {};
}

Result<> check_process_of(const Spec& spec)
{
    return check_process(*spec.process);
}

Result<> check_linux_of(const Spec& spec)
{
    return run_checks<Linux>(linux_checks(), *spec.linux);
}

// The sections come first: every later check may rely on them.
constexpr std::array<Check<Spec>, 8> spec_checks = {{
    {"the sections that create needs are there", check_sections},
    {"process", check_process_of},
    {"hostname and domainname are the container's own", check_names},
    {"namespaces fit together", check_namespaces},
    {"mounts", check_mounts},
    {"hooks", check_hooks},
    {"annotations have names", check_annotations},
    {"linux", check_linux_of},
}};

} // namespace

Result<> check_spec(const Spec& spec)
{
    TRY_DURING("config.json", run_checks<Spec>(spec_checks, spec));
    return {};
}

} // namespace brig::spec
