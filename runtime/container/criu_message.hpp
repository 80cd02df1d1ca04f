// Requests to and answers from `criu swrk` (CRIU's images/rpc.proto), as protocol buffers in their wire format.
//
// Pure. Only the fields that brig uses are known; others are passed over, as the format demands. Errors: kind invalid.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brig::container {

enum class CriuRequestType : uint32_t { dump = 1, restore = 2, pre_dump = 4, notify = 6, feature_check = 9, version = 10 };

enum class CriuCgroupMode : uint32_t { ignore = 0, soft = 3, full = 4, strict = 5, automatic = 6 };

struct CriuNamedFd {
    std::string key; // "pipe:[123]", "extRootNetNS"
    int fd = -1;     // in the worker
};

struct CriuNamedPath {
    std::string key;
    std::string value;
};

struct CriuNamespace {
    std::string type; // "uts"
    std::string host_path;
};

// criu_opts. Descriptors are numbers in the process that sends the request; CRIU opens them through its /proc/<pid>/fd.
struct CriuOptions {
    int images_directory = -1;
    int work_directory = -1;
    pid_t pid = 0; // of the init to dump
    std::string root;
    std::string log_file;
    std::string config_file;
    std::string parent_image;
    std::string freeze_cgroup;
    std::string lsm_profile;
    std::string lsm_mount_context;
    std::string page_server_address;
    uint16_t page_server_port = 0;
    uint32_t empty_namespaces = 0; // CLONE_NEW*
    CriuCgroupMode cgroup_mode = CriuCgroupMode::automatic;

    bool leave_running = false;
    bool external_unix_sockets = false;
    bool tcp_established = false;
    bool tcp_skip_in_flight = false;
    bool shell_job = false;
    bool file_locks = false;
    bool link_remap = false;
    bool auto_dedup = false;
    bool lazy_pages = false;
    bool track_memory = false;
    bool evasive_devices = false;
    bool restore_as_sibling = false;

    std::vector<CriuNamedPath> cgroup_roots;    // controller -> path
    std::vector<CriuNamedPath> external_mounts; // dump: mount point -> name; restore: name -> source
    std::vector<std::string> externals;         // "net[4026531840]:extRootNetNS"
    std::vector<CriuNamedFd> inherited;
    std::vector<CriuNamespace> joined_namespaces;
};

struct CriuFeatures {
    bool memory_tracking = false;
    bool lazy_pages = false;
};

std::string encode_criu_request(CriuRequestType type, const CriuOptions& options);
std::string encode_criu_question(CriuRequestType type); // version, feature_check
std::string encode_criu_notified();                     // "go on" to a notification

struct CriuResponse {
    CriuRequestType type = CriuRequestType::notify;
    bool success = false;
    std::string notification; // "post-restore"
    pid_t pid = 0;            // of the notification, or of the restored init
    int error_number = 0;
    std::string error_message;
    CriuFeatures features;
    unsigned version = 0; // 31700 is 3.17
};

Result<CriuResponse> decode_criu_response(std::string_view bytes);

} // namespace brig::container
