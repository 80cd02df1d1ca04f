// What a sandbox is to be, and what is to run in it. Plain structs; `brig sandbox` fills them from options and a policy.
//
// Layer: pure. Units: bytes, milliseconds, thousandths of a processor; 0 means unlimited where noted.
#pragma once

#include "egress/rules.hpp"
#include "policy/policy.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace brig::sandbox {

struct Limits {
    int64_t timeout = 30'000;     // of each program; 0: none
    int64_t grace = 2'000;        // from TERM to KILL
    int64_t idle = 0;             // of a sandbox in which no program runs; 0: none
    int64_t lifetime = 0;         // of a sandbox; 0: none
    uint64_t output = 1 << 20;    // of each stream of a program
    uint64_t log = 1 << 20;       // of each stream, the last that the supervisor keeps
    uint64_t memory = 512U << 20; // without swap
    uint64_t milli_cpus = 1000;
    uint64_t pids = 64;             // processes and threads of the sandbox's programs
    uint64_t disk = 256U << 20;     // of a workspace that is a tmpfs
    uint64_t temporary = 64U << 20; // of /tmp and of /dev/shm, each
    uint64_t programs = 256;        // at the same time
    uint64_t artifact_count = 256;
    uint64_t artifact_bytes = 64U << 20; // all together
};

struct User {
    uint32_t uid = 1000;
    uint32_t gid = 1000;
};

// A range of the host's ids that the sandbox has for itself.
struct IdRangeOfSandbox {
    uint32_t first = 0;
    uint32_t count = 65536;
};

struct RequestedNetwork {
    bool open = false;        // false: nothing but the loopback device
    egress::RuleTexts rules;  // what it reaches
    std::string resolver;     // host path of its /etc/resolv.conf
    uint32_t connections = 0; // these three: 0 is the broker's own limit, or none
    uint64_t bytes = 0;
    uint64_t bytes_per_second = 0;
};

struct Request {
    std::string id;
    std::string source;     // image or folder, for people
    std::string image;      // the digest of its manifest; empty: a folder
    std::string root;       // host path of an empty folder on which the root is mounted
    std::string root_mount; // JSON of that mount: an overlay of the image or the folder
    std::string workspace;  // host path; empty: a tmpfs
    bool workspace_writable = true;
    std::string artifacts;                // host path; empty: none
    std::vector<std::string> environment; // NAME=value, of every program
    User user;
    User host_user; // the same as the host sees it
    Limits limits;
    RequestedNetwork network;
    std::string policy;                            // its name, for people; empty: none
    std::optional<policy::Policy> policy_document; // what it says beyond the container
    std::string traceparent;                       // W3C; empty: none
    std::optional<IdRangeOfSandbox> ids;
    bool map_owners = false; // the owner of a host folder is the sandbox's user inside (id-mapped mounts)
    User workspace_owner;    // on the host
    User artifacts_owner;
};

inline constexpr const char* generated_name = "sandbox-"; // begins every name that the caller did not choose

// Inside the sandbox.
inline constexpr const char* workspace_path = "/workspace";
inline constexpr const char* artifacts_path = "/artifacts";
inline constexpr const char* temporary_path = "/tmp";

struct Program {
    std::vector<std::string> programs; // the first that is there
    std::vector<std::string> arguments;
    std::vector<std::string> environment; // besides the sandbox's
    std::optional<std::string> code;      // a file whose path becomes the first argument
    std::string code_suffix;              // ".py"
    bool terminal = false;
    uint16_t rows = 24;
    uint16_t columns = 80;
};

} // namespace brig::sandbox
