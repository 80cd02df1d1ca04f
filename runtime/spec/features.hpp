// What `brig features` prints: features.md of the runtime specification.
//
// Layer: pure. The vocabulary tables give the lists of words, FeaturesInput what depends on the build and the host.
#pragma once

#include "base/json.hpp"

#include <map>
#include <optional>

namespace brig::spec {

struct FeaturesInput {
    std::string version; // of brig
    std::string commit;
    std::string libseccomp_version; // "2.5.4"; empty when the build has no seccomp

    bool cgroup_v1 = false;
    bool cgroup_v2 = false;
    bool cgroup_systemd = false;
    bool cgroup_systemd_user = false;
    bool cgroup_rdma = false;

    // SECCOMP_FILTER_FLAG_* names that the running kernel and this libseccomp take.
    std::vector<std::string> seccomp_supported_flags;
    // Names of seccomp_architectures() that this libseccomp lacks (older than 2.6: LOONGARCH64, M68K, SH, SHEB).
    std::vector<std::string> seccomp_missing_architectures;

    bool apparmor = false;
    bool selinux = false;
    bool intel_rdt = false;
    bool intel_rdt_schemata = false;
    bool intel_rdt_monitoring = false;
    bool idmap = false; // mountExtensions.idmap
    bool net_devices = false;
    bool memory_policy = false;
    bool checkpoint = false;

    std::map<std::string, std::string> annotations; // added to brig's own
    std::vector<std::string> potentially_unsafe_config_annotations;
};

Json features_document(const FeaturesInput& input);

} // namespace brig::spec
