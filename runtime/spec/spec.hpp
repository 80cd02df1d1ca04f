// config.json as plain structs: exactly what the runtime specification 1.3 says for Linux, nothing decided yet.
//
// Layer: pure. Units are the specification's own (bytes, microseconds, KiB as named at the field). An absent optional
// property is std::nullopt; an absent list is empty. Unknown properties are ignored, as config.md "Extensibility" demands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace brig::spec {

// ---- process (config.md "Process") -------------------------------------------------------------------------------

struct ConsoleSize {
    uint16_t height = 0; // rows
    uint16_t width = 0;  // columns
};

struct User {
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::optional<uint32_t> umask;
    std::vector<uint32_t> additional_gids;
    std::string username; // for Windows only; read so that a wrong type is refused
};

// Names as written, "CAP_CHOWN"; check_spec refuses unknown ones.
struct Capabilities {
    std::vector<std::string> bounding;
    std::vector<std::string> effective;
    std::vector<std::string> inheritable;
    std::vector<std::string> permitted;
    std::vector<std::string> ambient;
};

struct Rlimit {
    std::string type; // "RLIMIT_NOFILE"
    uint64_t hard = 0;
    uint64_t soft = 0;
};

struct Scheduler {
    std::string policy; // "SCHED_OTHER"
    std::optional<int32_t> nice;
    std::optional<int32_t> priority;
    std::vector<std::string> flags;
    std::optional<uint64_t> runtime; // nanoseconds, SCHED_DEADLINE
    std::optional<uint64_t> deadline;
    std::optional<uint64_t> period;
};

struct IoPriority {
    std::string class_name; // "IOPRIO_CLASS_BE"
    int32_t priority = 0;
};

struct ExecCpuAffinity {
    std::string initial; // cpu list as in cpuset.cpus
    std::string final;
};

struct Process {
    bool terminal = false;
    std::optional<ConsoleSize> console_size;
    User user;
    std::vector<std::string> args;
    std::vector<std::string> env; // "NAME=value"
    std::string cwd;
    std::optional<Capabilities> capabilities;
    std::vector<Rlimit> rlimits;
    bool no_new_privileges = false;
    std::string apparmor_profile;
    std::optional<int> oom_score_adj;
    std::string selinux_label;
    std::optional<Scheduler> scheduler;
    std::optional<IoPriority> io_priority;
    std::optional<ExecCpuAffinity> exec_cpu_affinity;
};

// ---- root, mounts, hooks (config.md) -------------------------------------------------------------------------------

struct Root {
    std::string path;
    bool readonly = false;
};

struct IdMapping {
    uint32_t container_id = 0;
    uint32_t host_id = 0;
    uint32_t size = 0;

    bool has_inside(uint32_t id) const { return id >= container_id && id - container_id < size; }
};

// What an id inside is on the host; nullopt when it is not mapped.
inline std::optional<uint32_t> host_id_of(const std::vector<IdMapping>& mappings, uint32_t inside)
{
    for (const auto& mapping : mappings)
        if (mapping.has_inside(inside))
            return mapping.host_id + (inside - mapping.container_id);
    return std::nullopt;
}

struct Mount {
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;
};

struct Hook {
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::optional<int64_t> timeout; // seconds
};

struct Hooks {
    std::vector<Hook> prestart;
    std::vector<Hook> create_runtime;
    std::vector<Hook> create_container;
    std::vector<Hook> start_container;
    std::vector<Hook> poststart;
    std::vector<Hook> poststop;
};

// ---- linux (config-linux.md) ---------------------------------------------------------------------------------------

enum class NamespaceType { mount, pid, network, uts, ipc, user, cgroup, time };

struct Namespace {
    NamespaceType type = NamespaceType::mount;
    std::string path; // empty: a new one
};

struct TimeOffset {
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
};

struct Device {
    char type = 'c'; // c, b, u or p
    std::string path;
    int64_t major = 0;
    int64_t minor = 0;
    std::optional<uint32_t> file_mode;
    std::optional<uint32_t> uid;
    std::optional<uint32_t> gid;
};

struct NetDevice {
    std::string name; // inside; empty keeps the host's name
};

struct DeviceRule {
    bool allow = false;
    char type = 'a';              // a, c or b
    std::optional<int64_t> major; // absent: all
    std::optional<int64_t> minor;
    std::string access; // of "rwm"; empty means rwm
};

struct Memory {
    std::optional<int64_t> limit; // bytes, -1 unlimited
    std::optional<int64_t> reservation;
    std::optional<int64_t> swap; // memory + swap
    std::optional<int64_t> kernel;
    std::optional<int64_t> kernel_tcp;
    std::optional<uint64_t> swappiness;
    std::optional<bool> disable_oom_killer;
    std::optional<bool> use_hierarchy;
    std::optional<bool> check_before_update;
};

struct Cpu {
    std::optional<uint64_t> shares;
    std::optional<int64_t> quota;   // microseconds per period, -1 unlimited
    std::optional<uint64_t> burst;  // microseconds
    std::optional<uint64_t> period; // microseconds
    std::optional<int64_t> realtime_runtime;
    std::optional<uint64_t> realtime_period;
    std::string cpus; // list format
    std::string mems;
    std::optional<int64_t> idle;
};

struct WeightDevice {
    int64_t major = 0;
    int64_t minor = 0;
    std::optional<uint16_t> weight;
    std::optional<uint16_t> leaf_weight;
};

struct ThrottleDevice {
    int64_t major = 0;
    int64_t minor = 0;
    uint64_t rate = 0; // bytes or operations a second
};

struct BlockIo {
    std::optional<uint16_t> weight;
    std::optional<uint16_t> leaf_weight;
    std::vector<WeightDevice> weight_devices;
    std::vector<ThrottleDevice> throttle_read_bps;
    std::vector<ThrottleDevice> throttle_write_bps;
    std::vector<ThrottleDevice> throttle_read_iops;
    std::vector<ThrottleDevice> throttle_write_iops;
};

struct HugepageLimit {
    std::string page_size; // "2MB"
    uint64_t limit = 0;    // bytes
};

struct InterfacePriority {
    std::string name;
    uint32_t priority = 0;
};

struct Network {
    std::optional<uint32_t> class_id;
    std::vector<InterfacePriority> priorities;
};

struct RdmaLimit {
    std::optional<uint32_t> hca_handles;
    std::optional<uint32_t> hca_objects;
};

struct Resources {
    std::vector<DeviceRule> devices;
    std::optional<Memory> memory;
    std::optional<Cpu> cpu;
    std::optional<int64_t> pids_limit;
    std::optional<BlockIo> block_io;
    std::vector<HugepageLimit> hugepage_limits;
    std::optional<Network> network;
    std::map<std::string, RdmaLimit> rdma;
    std::map<std::string, std::string> unified;
};

struct SeccompArgument {
    uint32_t index = 0;
    uint64_t value = 0;
    uint64_t value_two = 0;
    std::string op; // "SCMP_CMP_EQ"
};

struct SeccompRule {
    std::vector<std::string> names;
    std::string action; // "SCMP_ACT_ALLOW"
    std::optional<uint32_t> errno_return;
    std::vector<SeccompArgument> args;
};

struct Seccomp {
    std::string default_action;
    std::optional<uint32_t> default_errno_return;
    std::vector<std::string> architectures; // "SCMP_ARCH_X86_64"
    std::vector<std::string> flags;         // "SECCOMP_FILTER_FLAG_LOG"
    std::string listener_path;
    std::string listener_metadata;
    std::vector<SeccompRule> syscalls;
};

struct Personality {
    std::string domain; // "LINUX" or "LINUX32"
    std::vector<std::string> flags;
};

struct IntelRdt {
    std::string clos_id;
    std::string l3_cache_schema;
    std::string mem_bw_schema;
    std::vector<std::string> schemata;
    bool enable_monitoring = false;
};

struct MemoryPolicy {
    std::string mode; // "MPOL_BIND"
    std::string nodes;
    std::vector<std::string> flags;
};

struct Linux {
    std::vector<Namespace> namespaces;
    std::map<std::string, TimeOffset> time_offsets; // "monotonic", "boottime"
    std::vector<IdMapping> uid_mappings;
    std::vector<IdMapping> gid_mappings;
    std::vector<Device> devices;
    std::map<std::string, NetDevice> net_devices;
    std::string cgroups_path;
    std::optional<Resources> resources;
    std::map<std::string, std::string> sysctl;
    std::optional<Seccomp> seccomp;
    std::string rootfs_propagation;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    std::string mount_label;
    std::optional<IntelRdt> intel_rdt;
    std::optional<Personality> personality;
    std::optional<MemoryPolicy> memory_policy;
};

struct Spec {
    std::string oci_version;
    std::optional<Process> process;
    std::optional<Root> root;
    std::string hostname;
    std::string domainname;
    std::vector<Mount> mounts;
    std::optional<Hooks> hooks;
    std::optional<Linux> linux; // create refuses a spec without it
    std::map<std::string, std::string> annotations;
};

} // namespace brig::spec
