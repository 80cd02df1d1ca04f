// create, start, kill, delete and the questions about containers, for every front end (verbs, sandbox supervisor, shim).
//
// Runs in: the caller's process. Implements runtime.md "Lifecycle" and "Operations". Errors carry the texts that engines
// match ("container does not exist", "container not running", "cannot exec in a stopped container").
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "container/notify.hpp"
#include "container/state_store.hpp"
#include "kernel/child_process.hpp"
#include "launch/launcher.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::container {

// How the container's init will be told to start.
enum class StartBy {
    socket, // start.sock in the state directory: any process may start it later (`create`)
    handle, // Created::launched.start(): whoever holds it (`run`, a shim)
};

struct CreateRequest {
    std::string id;
    std::string bundle;      // absolute
    std::string config_text; // the content of config.json; read_bundle_config reads it
    std::string pid_file;    // empty: none. Written by rename when the container is created
    Fd console_socket;       // connected; invalid: none
    Fd pidfd_socket;         // connected; the init's pidfd is sent there
    bool no_pivot = false;
    bool no_new_keyring = false;
    unsigned preserved_fds = 0;                  // LISTEN_FDS already added by the caller
    std::vector<std::string> listen_environment; // LISTEN_FDS=..., LISTEN_FDNAMES=...
    std::string notify_socket;                   // the service manager's ($NOTIFY_SOCKET); empty: none
    StartBy start_by = StartBy::socket;
    bool terminal_to_caller = false; // a terminal's master comes back in Created
    // The init stays brig's own and runs programs for the caller (launch/resident_init.hpp); with StartBy::handle.
    std::optional<launch::ResidentRequest> resident;
    bool keep_network = false; // Created::launched has the namespaces of its network
};

struct Created {
    Record record;
    launch::Launched launched; // pid, pidfd, start channel, terminal master
    std::vector<spec::Hook> poststart_hooks;
    std::optional<Notifier> notifier; // StartBy::handle with a notify_socket: whoever starts it relays or waits
};

// Reads <bundle>/<file> with a limit of 16 MiB.
Result<std::string> read_bundle_config(const std::string& bundle, const std::string& file = "config.json");

// Everything up to `created`. On failure nothing is left.
Result<Created> create(const Context& context, CreateRequest request);

// What create would do: config -> check -> plan, nothing made (for `brig plan`).
Result<plan::Plan> plan_container(const Context& context, const CreateRequest& request);

// By start.sock; then poststart hooks. Wrong states: "cannot start an already running container",
// "cannot start a container that has stopped".
// With a `notify_socket` of the service manager it returns when the container says that it is ready, or has ended.
Result<> start(const Context& context, const std::string& id, const std::string& notify_socket = {});
// For the holder of the handle.
Result<> start(const Context& context, Created& created);

// `all`: every process of the cgroup, and no error when the container has stopped.
// Stopped: kind wrong_state "container not running".
Result<> kill(const Context& context, const std::string& id, int signal, bool all);

// Not forced: stopped, or created (which is killed); else "cannot delete container X that is not stopped: running".
// Forced: kills; a missing id is fine. Runs poststop hooks; cleans up whatever a killed create left.
Result<> remove(const Context& context, const std::string& id, bool force);

struct ContainerState {
    Record record;
    Status status = Status::stopped;
};

Result<ContainerState> state(const Context& context, const std::string& id);
// Containers whose record cannot be read come as a warning in the log.
Result<std::vector<ContainerState>> list(const Context& context);
// Pids of all processes in the container, in the caller's pid namespace, sorted.
Result<std::vector<pid_t>> processes(const Context& context, const std::string& id);

} // namespace brig::container
