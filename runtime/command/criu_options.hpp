// The options that checkpoint and restore share.
#pragma once

#include "command/verb.hpp"
#include "container/checkpoint.hpp"

namespace brig::command {

inline constexpr Option image_path_option = {"image-path", 0, OptionType::text, "DIR",
                                             "folder of the images (default: ./checkpoint)"};
inline constexpr Option work_path_option = {"work-path", 0, OptionType::text, "DIR",
                                            "folder of CRIU's log and working files (default: that of the images)"};
inline constexpr Option tcp_established_option = {"tcp-established", 0, OptionType::flag, "", "allow open TCP connections"};
inline constexpr Option ext_unix_sk_option = {"ext-unix-sk", 0, OptionType::flag, "",
                                              "allow UNIX sockets whose other end is outside"};
inline constexpr Option shell_job_option = {"shell-job", 0, OptionType::flag, "", "allow a program on the caller's terminal"};
inline constexpr Option file_locks_option = {"file-locks", 0, OptionType::flag, "", "handle file locks"};
inline constexpr Option lazy_pages_option = {"lazy-pages", 0, OptionType::flag, "",
                                             "fetch memory when it is touched (userfaultfd)"};
inline constexpr Option auto_dedup_option = {"auto-dedup", 0, OptionType::flag, "",
                                             "free images of memory that newer ones replace"};
inline constexpr Option manage_cgroups_mode_option = {"manage-cgroups-mode", 0, OptionType::text, "MODE",
                                                      "soft, full, strict or ignore (default: soft)"};
inline constexpr Option empty_ns_option = {"empty-ns", 0, OptionType::list, "TYPE",
                                           "a namespace whose content is not kept; network is the only one, and always so"};

Result<container::CriuSettings> criu_settings(const Invocation& invocation);

} // namespace brig::command
