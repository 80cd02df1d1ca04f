// The options that create, run and plan share, and the request that they make.
#pragma once

#include "command/verb.hpp"
#include "container/lifecycle.hpp"

namespace brig::command {

inline constexpr Option bundle_option = {"bundle", 'b', OptionType::text, "DIR",
                                         "folder with config.json (default: the current directory)"};
inline constexpr Option config_option = {"config", 'f', OptionType::text, "FILE",
                                         "another name than config.json, relative to the bundle"};
inline constexpr Option console_socket_option = {"console-socket", 0, OptionType::text, "SOCKET",
                                                 "UNIX socket that gets the terminal's master"};
inline constexpr Option pidfd_socket_option = {"pidfd-socket", 0, OptionType::text, "SOCKET",
                                               "UNIX socket that gets a pidfd of the process"};
inline constexpr Option pid_file_option = {"pid-file", 0, OptionType::text, "FILE", "write the process id to FILE"};
inline constexpr Option preserve_fds_option = {"preserve-fds", 0, OptionType::number, "N",
                                               "pass on N descriptors from 3, besides those of $LISTEN_FDS"};
inline constexpr Option no_pivot_option = {"no-pivot", 0, OptionType::flag, "",
                                           "move the root mount instead of pivot_root; for a bundle on the initramfs"};
inline constexpr Option no_new_keyring_option = {"no-new-keyring", 0, OptionType::flag, "", "keep the caller's session keyring"};

// --bundle, --config, --no-pivot and --no-new-keyring.
Result<> fill_from_bundle(const Arguments& arguments, container::CreateRequest& request);

// What the options say besides the bundle; connects the sockets.
Result<container::CreateRequest> request_from_options(const Arguments& arguments);

// The same with the bundle's configuration and the first operand as id.
Result<container::CreateRequest> create_request(const Invocation& invocation);

// What cannot be told from the options alone; the terminal itself is checked where config.json is read.
Result<> check_console(bool detached, const std::string& console_socket);

} // namespace brig::command
