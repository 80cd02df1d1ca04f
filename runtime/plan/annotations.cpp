#include "plan/annotations.hpp"

#include "base/text.hpp"

#include <array>
#include <string_view>

namespace brig::plan {

namespace {

struct ForeignAnnotation {
    std::string_view prefix;
    std::string_view what_happens;
};

constexpr std::array foreign_annotations = {
    ForeignAnnotation{"run.oci.handler", "the program runs as it is, without a virtual machine or another interpreter"},
    ForeignAnnotation{"run.oci.keep_original_groups", "the groups are those of process.user.additionalGids"},
    ForeignAnnotation{"run.oci.seccomp_bpf_data", "the filter is the one of linux.seccomp"},
    ForeignAnnotation{"run.oci.seccomp_fail_unknown_syscall", "unknown names of linux.seccomp are passed over"},
    ForeignAnnotation{"run.oci.seccomp.receiver", "name the receiver in linux.seccomp.listenerPath"},
    ForeignAnnotation{"run.oci.seccomp.plugins", "name a receiver in linux.seccomp.listenerPath"},
    ForeignAnnotation{"run.oci.mount_context_type", "linux.mountLabel is given as context="},
    ForeignAnnotation{"run.oci.pidfd_receiver", "use --pidfd-socket"},
    ForeignAnnotation{"run.oci.timens_offset", "use linux.timeOffsets"},
    ForeignAnnotation{"run.oci.hooks.stdout", "hooks keep the output that brig gives them"},
    ForeignAnnotation{"run.oci.hooks.stderr", "hooks keep the output that brig gives them"},
    ForeignAnnotation{"run.oci.systemd.force_cgroup_v1", "mount cgroups by config.json"},
    ForeignAnnotation{"run.oci.systemd.subgroup", "the container has the cgroup of linux.cgroupsPath"},
    ForeignAnnotation{"run.oci.delegate-cgroup", "the container has the cgroup of linux.cgroupsPath"},
    ForeignAnnotation{"run.oci.", "brig does not know it"}, // after those with words of their own
    ForeignAnnotation{"krun.", "there is no virtual machine"},
    ForeignAnnotation{"module.wasm.image/variant", "the program runs as it is, without another interpreter"},
};

} // namespace

std::vector<std::string> annotation_warnings(const std::map<std::string, std::string>& annotations)
{
    std::vector<std::string> warnings;
    for (const auto& [name, value] : annotations)
        for (const auto& row : foreign_annotations)
            if (name.starts_with(row.prefix)) {
                warnings.push_back(fmt::format("annotation {} is not followed: {}", quoted(name), row.what_happens));
                break;
            }
    return warnings;
}

} // namespace brig::plan
