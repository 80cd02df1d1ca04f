// A container's processes saved to files and brought back from them, by CRIU as a program (container/criu.hpp).
//
// Runs in: the caller. What is saved beside CRIU's own images: descriptors.json, the names of stdin, stdout and stderr as far as
// they come from outside of the container, as runc writes it.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "container/criu_message.hpp"
#include "container/lifecycle.hpp"

#include <string>

namespace brig::container {

// What checkpoint and restore have in common.
struct CriuSettings {
    std::string program;    // CRIU, absolute; empty: not installed
    std::string image_path; // folder of the images, absolute
    std::string work_path;  // folder of the log and other working files, absolute; empty: image_path
    CriuCgroupMode cgroup_mode = CriuCgroupMode::automatic;
    bool external_unix_sockets = false;
    bool tcp_established = false;
    bool shell_job = false;
    bool file_locks = false;
    bool lazy_pages = false;
    bool auto_dedup = false;
};

struct CheckpointRequest {
    CriuSettings settings;
    std::string parent_path; // images of the checkpoint before, relative to image_path; empty: none
    std::string page_server_address;
    uint16_t page_server_port = 0;
    Fd status_fd; // gets a zero byte when the pages of a lazy checkpoint can be asked for
    bool leave_running = false;
    bool pre_dump = false; // the memory only; the container goes on
    bool tcp_skip_in_flight = false;
    bool link_remap = false;
};

// Afterwards the container is deleted, as runc does, unless it was left running or only its memory was saved.
// Wrong states: "Container cannot be checkpointed in stopped state".
Result<> checkpoint(const Context& context, const std::string& id, const CheckpointRequest& request);

struct RestoreRequest {
    CreateRequest create; // no_pivot has no meaning: CRIU makes the mount namespace
    CriuSettings settings;
    std::string lsm_profile;
    std::string lsm_mount_context;
};

struct Restored {
    Record record;
    pid_t pid = -1; // a child of the caller
    Fd pidfd;
    Fd terminal; // the master, with terminal_to_caller
};

// The container runs again. On failure nothing is left.
Result<Restored> restore(const Context& context, const RestoreRequest& request);

} // namespace brig::container
