// The state directory: one folder a container, <root>/<id>, with
//   brig.json      the Record; written before anything else is made, so that a killed create can be cleaned up
//   config.json    the bundle's configuration as it was at create
//   seccomp.bpf    the compiled filter, for exec
//   policy.json, policy.bpf   the policies and their compiled filters, if there are any
//   resolv.conf    of a container that reaches names (container/guarding.hpp)
//   start.sock     start_socket_name
//   notify/        the socket of container/notify.hpp, where the caller has a $NOTIFY_SOCKET
// Other runtimes' folders may share the root (Docker does that): a folder without brig.json is not ours and is left alone.
//
// Concurrency: verbs that change a container hold an exclusive flock on its folder; a killed process loses it at once.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/systemd_manager.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::container {

// The init listens here between create and start.
inline constexpr const char* start_socket_name = "start.sock";

enum class Status { creating, created, running, paused, stopped };

std::string_view status_name(Status status);

struct Record {
    std::string id;
    std::string oci_version;
    std::string bundle;  // absolute
    std::string rootfs;  // absolute
    std::string created; // RFC 3339 with nanoseconds, UTC
    std::map<std::string, std::string> annotations;
    std::vector<std::string> policies; // names; what they say is in policy.json
    uint32_t owner_uid = 0;
    pid_t pid = 0;           // 0 while creating
    uint64_t start_time = 0; // of the pid: together they are unique (kernel::process_stat)
    pid_t guard = 0;         // the process that keeps its policies' limits (container/guarding.hpp); 0: none
    uint64_t guard_start_time = 0;
    bool complete = false;            // create got as far as `created`
    bool host_pid_namespace = false;  // kill and delete must go by the cgroup
    bool has_poststart_hooks = false; // so that start and delete read config.json only when they must
    bool has_poststop_hooks = false;
    bool own_keyring = true; // not --no-new-keyring: exec joins the container's session keyring
    uint64_t namespaces = 0; // CLONE_NEW* of all namespaces that differ from the host's, for exec
    std::vector<cgroup::Location> cgroups;
    std::optional<cgroup::UnitIdentity> unit; // systemd's, with the driver systemd
    std::vector<std::string> resctrl;         // directories that its processes join; the first is the class
    std::vector<std::string> own_resctrl;     // those that are removed with it
};

// Container ids: 1 to 1024 of [A-Za-z0-9_+.-], neither "." nor "..". Kind invalid.
Result<> check_id(const std::string& id);

// One container's folder, opened and usually locked.
class StateDirectory {
public:
    const std::string& id() const { return m_id; }
    FdRef fd() const { return m_directory; }

    Result<Record> read_record() const;
    Result<> write_record(const Record& record) const;
    Result<std::string> read_file(const std::string& name) const; // "config.json"
    Result<> write_file(const std::string& name, std::string_view data) const;
    bool has_file(const std::string& name) const;
    Result<> remove_file(const std::string& name) const;

private:
    friend class StateStore;
    StateDirectory(std::string id, Fd directory) : m_id(std::move(id)), m_directory(std::move(directory)) {}
    std::string m_id;
    Fd m_directory;
};

enum class Locking { none, exclusive };

class StateStore {
public:
    explicit StateStore(std::string root) : m_root(std::move(root)) {}

    // Makes the root (0711, or 01700) and the folder (0711), locked. Kind already_exists: "container with given ID already
    // exists".
    enum class RootMode { plain, sticky };
    Result<StateDirectory> create(const std::string& id, RootMode mode = RootMode::plain) const;
    // Kind not_found: "container does not exist". With Locking::exclusive waits for the verb that holds the lock.
    Result<StateDirectory> open(const std::string& id, Locking locking) const;
    // Ids of brig's containers, sorted; foreign folders and files are passed over. A missing root is an empty list.
    Result<std::vector<std::string>> list() const;
    // Removes the folder of a create that was killed before its first record. Anything else is left alone.
    Result<> remove_unfinished(const std::string& id) const;
    // Removes the folder with all in it. Missing is fine.
    Result<> remove(const std::string& id) const;

    const std::string& root() const { return m_root; }

private:
    std::string m_root;
};

// Derived from the record and the kernel, never stored.
Result<Status> status_of(const StateDirectory& directory, const Record& record);

// The specification's state document (runtime.md "State"), as hooks get it on stdin; runc's `state` adds rootfs, created
// and owner: see state_document.
Json hook_state(const Record& record, Status status);
Json state_document(const Record& record, Status status, const std::string& owner_name);

} // namespace brig::container
