// A policy as plain structs: what a container or a sandbox may be at most. One JSON file each, policies/NAME.json.
//
// Layer: pure. An absent optional value, or an absent list where noted, leaves that property as the bundle asks for it; a policy
// can only tighten (policy/tighten.hpp). The container's start reads everything above "Limits"; what follows is for who
// watches over a running sandbox: its supervisor, the egress broker, the caller's front end. docs/policies.md describes each
// property.
//
// Units: bytes, milliseconds and thousandths of a processor throughout, whatever the file writes ("128MiB", "15s", 0.5).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace brig::policy {

// ---- system calls and privileges -----------------------------------------------------------------------------------

struct Seccomp {
    std::string profile;           // NAME of policies/seccomp/NAME.json; empty: no profile besides the bundle's
    std::vector<std::string> deny; // further system calls, which fail with EPERM whatever the profile says
};

// Where ids come from when brig itself makes the bundle (`brig sandbox`). Engines decide it by their own settings.
enum class UserNamespace {
    none,   // the host's ids: nothing is asked for
    caller, // the caller's own id is mapped to root
    own,    // a range of 65536 subordinate ids that no other sandbox has
};

struct Namespaces {
    bool own = false;          // pid, network, ipc, uts, mount and cgroup: a missing one is added
    bool may_join = true;      // a namespace that the bundle gives by path is joined; false: refused
    bool require_user = false; // a bundle without a user namespace is refused
    UserNamespace user = UserNamespace::none;
};

// By number, since a path can be given any: "c 10:229" is /dev/fuse.
struct DeviceNumber {
    char type = 'c'; // c or b
    int64_t major = 0;
    int64_t minor = 0;
};

struct Privileges {
    std::optional<std::vector<std::string>> capabilities; // kept at most, "CAP_CHOWN"; absent: as the bundle asks
    bool no_new_privileges = false;
    std::optional<int> lowest_oom_score_adj;          // a bundle's lower value is raised to it
    bool real_time = true;                            // false: real-time scheduling and I/O classes are refused
    std::optional<std::vector<std::string>> sysctls;  // names that a bundle may set, others are removed; absent: all
    std::optional<std::vector<DeviceNumber>> devices; // beyond the standard ones; absent: as the bundle asks
};

// ---- file system ---------------------------------------------------------------------------------------------------

struct Tmpfs {
    std::string path;              // absolute, inside
    std::optional<uint64_t> bytes; // at most; absent: unlimited, but charged to the memory limit
    bool executable = false;
};

enum class BindMode { read_write, read_only, refused };

struct Bind {
    std::string path; // where it is mounted, absolute, inside; it and what is below it
    BindMode mode = BindMode::read_only;
};

// Lists of absolute paths inside; a path covers what is below it. Everything that no list covers is denied.
struct Landlock {
    std::vector<std::string> read;       // read files, list directories
    std::vector<std::string> read_write; // and write, create, remove, rename
    std::vector<std::string> execute;    // and read
};

struct Filesystem {
    bool read_only_root = false;
    bool safe_mounts = false;            // nosuid on every mount, nodev but where devices belong, sysfs and cgroups read-only
    std::vector<Tmpfs> tmpfs;            // in place of what the root has there
    std::optional<uint64_t> tmpfs_bytes; // of every other tmpfs, at most
    std::vector<Bind> binds;             // the longest path that covers a bind decides
    BindMode other_binds = BindMode::read_write;
    std::vector<std::string> hidden;    // masked: an empty directory or /dev/null over it
    std::vector<std::string> read_only; // made read-only
    std::optional<Landlock> landlock;
};

// ---- environment, resources, hooks ---------------------------------------------------------------------------------

struct Environment {
    // Names; "LC_*" covers all that begin so. Others are removed: of the bundle's, and of what a caller hands over. Absent: all.
    std::optional<std::vector<std::string>> allow;
    std::map<std::string, std::string> set; // wins over the bundle's and the caller's value
};

// Of each block device of the host.
struct Io {
    std::optional<uint64_t> read_bytes_per_second;
    std::optional<uint64_t> write_bytes_per_second;
    std::optional<uint64_t> read_operations_per_second;
    std::optional<uint64_t> write_operations_per_second;

    bool empty() const
    {
        return !read_bytes_per_second && !write_bytes_per_second && !read_operations_per_second && !write_operations_per_second;
    }
};

struct Resources {
    std::optional<uint64_t> memory_bytes;
    std::optional<uint64_t> swap_bytes; // besides the memory; 0: none. Counts only together with memory_bytes
    std::optional<uint64_t> milli_cpus; // 500 is half a processor
    std::optional<uint64_t> pids;       // processes and threads
    std::optional<uint64_t> disk_bytes; // what a sandbox may write in its root and workspace together
    Io io;
    std::optional<uint64_t> open_files; // RLIMIT_NOFILE
    std::optional<uint64_t> file_bytes; // RLIMIT_FSIZE
    std::optional<uint64_t> core_bytes; // RLIMIT_CORE
};

enum class Hooks {
    allowed,
    removed, // the bundle's hooks do not run
    refused, // a bundle with hooks is refused
};

// ---- Limits: for who watches a running sandbox -----------------------------------------------------------------------

struct Limits {
    std::optional<uint64_t> timeout_ms;   // wall time of one program (`run`, `exec`)
    std::optional<uint64_t> grace_ms;     // between TERM and KILL
    std::optional<uint64_t> idle_ms;      // of a sandbox without program, input or output
    std::optional<uint64_t> lifetime_ms;  // of a sandbox
    std::optional<uint64_t> output_bytes; // of each of stdout and stderr of one program
    std::optional<uint64_t> log_bytes;    // the last of each stream that the supervisor keeps
    std::optional<uint64_t> programs;     // at the same time in one sandbox, by the caller: the first and each exec
    std::optional<uint64_t> sandboxes;    // at the same time with this policy, of one caller
};

struct Artifacts {
    std::optional<uint64_t> count;
    std::optional<uint64_t> bytes;                      // all together
    std::optional<std::vector<std::string>> extensions; // ".png", in lower case; others are refused; absent: the safe ones
    std::optional<std::vector<std::string>> mime_types; // "image/png", "text/*"; absent: all
};

// ---- Network ---------------------------------------------------------------------------------------------------------

enum class NetworkMode {
    none,  // a namespace with nothing but its loopback device
    host,  // as the bundle asks, the host's network included
    allow, // a namespace of its own; the egress broker connects to what the lists say
};

// "pypi.org", "*.pythonhosted.org" (which does not cover pythonhosted.org), "pypi.org:443".
struct Destination {
    std::string host;             // lower case, ASCII form, no final dot; without "*."
    bool subdomains = false;      // "*.": names below host only
    std::optional<uint16_t> port; // absent: 443 and 80 of an allowed, every port of a denied destination

    std::string text() const;
};

struct Network {
    NetworkMode mode = NetworkMode::host;
    std::vector<Destination> allow;           // mode allow only
    std::vector<Destination> deny;            // wins over allow
    std::optional<uint64_t> connections;      // at the same time
    std::optional<uint64_t> bytes;            // both directions together, in the sandbox's life
    std::optional<uint64_t> bytes_per_second; // both directions together
};

// ---- Approval and audit ----------------------------------------------------------------------------------------------

struct Approval {
    std::vector<std::string> command; // argv, absolute; gets the request as JSON on stdin; 0 approves, all else refuses
    uint64_t timeout_ms = 30'000;     // no answer in time is a refusal
};

enum class AuditSink { none, file, journald };

struct Audit {
    AuditSink sink = AuditSink::none;
    std::string file; // absolute; of AuditSink::file
};

struct Policy {
    std::string name; // of the file, without .json
    std::string description;
    Seccomp seccomp;
    Namespaces namespaces;
    Privileges privileges;
    Filesystem filesystem;
    Environment environment;
    Resources resources;
    Hooks hooks = Hooks::allowed;
    Limits limits;
    Artifacts artifacts;
    Network network;
    std::optional<Approval> approval;
    Audit audit;
};

} // namespace brig::policy
