#include "command/verb.hpp"

#include "command/version.hpp"
#include "kernel/process.hpp"
#include "kernel/seccomp_flags.hpp"
#include "spec/features.hpp"
#include "spec/vocabulary.hpp"

#include <seccomp.h>

namespace brig::command {

namespace {

std::vector<std::string> seccomp_flags_of_this_kernel()
{
    std::vector<std::string> names;
    for (const auto& word : spec::seccomp_flags())
        if (kernel::has_seccomp_flag(word.value))
            names.emplace_back(word.name);
    return names;
}

// "SCMP_ARCH_X86_64" is "x86_64" for libseccomp.
bool libseccomp_knows(std::string_view architecture)
{
    std::string name(architecture.substr(std::string_view("SCMP_ARCH_").size()));
    for (char& character : name)
        if (character >= 'A' && character <= 'Z')
            character = static_cast<char>(character - 'A' + 'a');
    return ::seccomp_arch_resolve_name(name.c_str()) != 0;
}

std::vector<std::string> architectures_without_libseccomp()
{
    std::vector<std::string> names;
    for (const auto& word : spec::seccomp_architectures())
        if (!libseccomp_knows(word.name))
            names.emplace_back(word.name);
    return names;
}

Result<int> run(const Invocation&)
{
    spec::FeaturesInput input;
    input.version = version();
    input.commit = commit();
    input.libseccomp_version = libseccomp_version();
    input.cgroup_v1 = true;
    input.cgroup_v2 = true;
    input.cgroup_rdma = true;
    input.cgroup_systemd = input.cgroup_systemd_user = true;
    input.seccomp_supported_flags = seccomp_flags_of_this_kernel();
    input.seccomp_missing_architectures = architectures_without_libseccomp();
    input.apparmor = true;
    input.selinux = true;
    input.intel_rdt = input.intel_rdt_schemata = input.intel_rdt_monitoring = true;
    input.idmap = true;
    input.net_devices = true;
    input.memory_policy = kernel::has_memory_policies();
    input.checkpoint = true;
    input.potentially_unsafe_config_annotations = {"org.criu.config", "org.systemd.property."};
    TRY(print(spec::features_document(input).to_text(true) + "\n"));
    return 0;
}

} // namespace

constinit const Verb features_verb = {
    .name = "features",
    .summary = "show what this build can do",
    .usage = "",
    .description = "Prints the features document of the runtime specification (features.md) as JSON: namespaces,\n"
                   "mount options, capabilities, cgroup versions, seccomp actions, flags and architectures.",
    .example = "  brig features | jq .linux.seccomp.knownFlags",
    .run = run,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
