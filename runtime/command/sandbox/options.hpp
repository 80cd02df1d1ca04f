// The options that `brig sandbox run`, `create` and `exec` share, and what they say.
#pragma once

#include "command/image_options.hpp"
#include "command/verb.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/id_pool.hpp"
#include "sandbox/request.hpp"

#include <optional>

namespace brig::command {

extern const Verb sandbox_attach_verb;
extern const Verb sandbox_run_verb;
extern const Verb sandbox_create_verb;
extern const Verb sandbox_exec_verb;
extern const Verb sandbox_put_verb;
extern const Verb sandbox_get_verb;
extern const Verb sandbox_ls_verb;
extern const Verb sandbox_rm_verb;
extern const Verb sandbox_list_verb;
extern const Verb sandbox_prune_verb;
extern const Verb sandbox_logs_verb;
extern const Verb sandbox_stats_verb;
extern const Verb sandbox_pause_verb;
extern const Verb sandbox_resume_verb;

// What the sandbox is.
inline constexpr Option id_option = {"id", 0, OptionType::text, "ID", "its name (default: a new one)"};
inline constexpr Option image_option = {"image", 0, OptionType::text, "NAME", "an image of the store is the root file system"};
inline constexpr Option rootfs_option = {"rootfs", 0, OptionType::text, "DIR",
                                         "a folder is the root file system, used read-only"};
inline constexpr Option workspace_option = {"workspace", 0, OptionType::text, "DIR[:ro|:rw]",
                                            "folder of the host at /workspace (default: an empty tmpfs; a DIR is rw)"};
inline constexpr Option artifacts_option = {"artifacts", 0, OptionType::text, "DIR",
                                            "folder of the host at /artifacts; its files come in the result"};
inline constexpr Option env_option = {"env", 'e', OptionType::list, "NAME[=VALUE]",
                                      "add to the environment; without a value the caller's; may be repeated"};
inline constexpr Option user_option = {"user", 'u', OptionType::text, "UID[:GID]", "user inside (default: 1000:1000)"};
inline constexpr Option memory_option = {"memory", 'm', OptionType::text, "SIZE", "memory, without swap (default: 512m)"};
inline constexpr Option cpus_option = {"cpus", 0, OptionType::text, "NUMBER", "processors, such as 0.5 (default: 1)"};
inline constexpr Option pids_option = {"pids", 0, OptionType::number, "N", "processes and threads (default: 64)"};
inline constexpr Option disk_option = {"disk", 0, OptionType::text, "SIZE", "of a workspace that is a tmpfs (default: 256m)"};
inline constexpr Option output_limit_option = {"output-limit", 0, OptionType::text, "SIZE",
                                               "of stdout and of stderr, each (default: 1m)"};
inline constexpr Option grace_option = {"grace", 0, OptionType::text, "TIME", "between TERM and KILL (default: 2s)"};
inline constexpr Option audit_option = {"audit", 0, OptionType::text, "FILE", "append a JSON line for each event"};
inline constexpr Option idle_option = {"idle", 0, OptionType::text, "TIME",
                                       "end the sandbox after TIME without a program, a key or a request (default: never)"};
inline constexpr Option lifetime_option = {"lifetime", 0, OptionType::text, "TIME",
                                           "end the sandbox after TIME (default: never)"};
inline constexpr Option log_limit_option = {"log-limit", 0, OptionType::text, "SIZE",
                                            "of the last output that is kept, each stream (default: 1m)"};

inline constexpr Option policy_option = {"policy", 0, OptionType::text, "NAME",
                                         "confine it as the policy says (default: sandbox, or the host's own)"};
inline constexpr Option user_namespace_option = {"user-namespace", 0, OptionType::text, "own|host",
                                                 "ids of its own for the sandbox, or the host's (default: own, with root)"};
inline constexpr Option network_option = {"network", 0, OptionType::text, "none|allow",
                                          "nothing but the loopback device (default), or the domains that are allowed"};
inline constexpr Option allow_domain_option = {"allow-domain", 0, OptionType::list, "NAME[:PORT]",
                                               "reach this name, *.NAME is every name below; may be repeated; implies allow"};
inline constexpr Option allow_address_option = {"allow-address", 0, OptionType::list, "CIDR",
                                                "names may lead to these private addresses; may be repeated"};
inline constexpr Option best_effort_option = {"best-effort", 0, OptionType::list, "NAME",
                                              "go on without memory, cpus or pids limit where it cannot be kept"};

// What runs in it.
inline constexpr Option timeout_option = {"timeout", 't', OptionType::text, "TIME",
                                          "end the program after TIME, 0 is never (default: 30s)"};
inline constexpr Option language_option = {"language", 'l', OptionType::text, "LANGUAGE",
                                           "python, javascript or shell: run --code instead of a command"};
inline constexpr Option code_option = {"code", 0, OptionType::text, "FILE", "the program's text; - is stdin"};
inline constexpr Option stdin_option = {"stdin", 'i', OptionType::flag, "", "give the program brig's standard input"};
inline constexpr Option json_option = {"json", 0, OptionType::flag, "", "print one JSON object about what happened"};

// "5", "5s", "1m30s", "250ms": milliseconds.
Result<int64_t> parse_time(std::string_view option, const std::string& text);
// Of --env: without a value the caller's own; a name that the caller does not have is none.
Result<> read_environment(std::vector<std::string>& environment, const Arguments& arguments);
// A sandbox that is to be made: what was asked for, tightened by its policy.
struct SandboxWish {
    sandbox::Request request;
    sandbox::AuditTarget audit;
    sandbox::Leases leases;
};

// Chooses the policy in `context`. An error of kind refused is the policy's word; what was read before it is in `wish`.
Result<> sandbox_wish(const Arguments& arguments, container::Context& context, SandboxWish& wish);
// The policy of a sandbox that is there; nullopt: it has none.
Result<std::optional<policy::Policy>> policy_of_sandbox(const container::Context& context, const std::string& id);
// `first`: the operand that the command begins with.
Result<sandbox::Program> sandbox_program(const Arguments& arguments, size_t first);
// $TRACEPARENT when it is one.
std::string caller_traceparent();

} // namespace brig::command
