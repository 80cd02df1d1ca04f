// What a client (`brig sandbox exec`, `put`, ...) and the supervisor of a sandbox say to each other, over a sequenced-packet socket.
//
// The socket is `sandbox/control.sock` in the state directory of the container; its folder is closed to everybody but its owner.
// A client asks one thing and the connection is over with the answer:
//
//   client                                        supervisor
//   ------------------------------------------------------------------------------------------------------------
//   exec {program, timeout} [stdin] ------------> starts it
//          <------------------------------------- output {stream, bytes}        unless the result is wanted as a whole
//   stop {} ------------------------------------>                               the client was told to end
//          <------------------------------------- ended {exit status, reason, message} [document]
//   attach {program, rows, columns} ------------> starts it on a terminal, or goes on with the one that runs
//          <------------------------------------- output {bytes}                first the last of what it showed
//   input {bytes}, resize {rows, columns} ------>
//          <------------------------------------- ended; or the client closes, and the program goes on
//   read_file {path} --------------------------->
//          <------------------------------------- file {size} [descriptor]
//   write_file {path} -------------------------->
//          <------------------------------------- file {} [descriptor to write to]
//   commit {} ---------------------------------->                               without it nothing has happened
//          <------------------------------------- done
//   list_files {path}, logs, stats, describe --->
//          <------------------------------------- answer [document]
//   pause, resume, remove ---------------------->
//          <------------------------------------- done
//
// `failed {error}` may come instead of any answer. Documents are memory files: they may be larger than a packet.
// Runs in: both ends, which are the same program. The codec is pure; errors are of kind internal.
#pragma once

#include "base/result.hpp"
#include "sandbox/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace brig::sandbox {

enum class ControlKind : uint8_t {
    // from the client
    exec = 1,
    attach,
    input,
    resize,
    stop,
    read_file,
    write_file,
    commit,
    list_files,
    logs,
    stats,
    describe,
    pause,
    resume,
    remove,
    // from the supervisor
    output,
    ended,
    file,
    answer,
    done,
    failed,
};

struct ControlMessage {
    ControlKind kind = ControlKind::failed;
    std::string text;    // a path, bytes, a message, an encoded error
    std::string reason;  // ended
    uint64_t number = 0; // output: the stream; ended: the exit status; file: the size
    int64_t timeout = 0; // exec: milliseconds, negative: the sandbox's own
    bool whole = false;  // exec: no output as it comes, the outcome as a document
    uint16_t rows = 0;   // attach, resize
    uint16_t columns = 0;
    Program program; // exec, attach; its terminal follows from the kind
};

std::string encode_control(const ControlMessage& message);
Result<ControlMessage> decode_control(std::string_view bytes);

inline constexpr const char* control_folder = "sandbox";
inline constexpr const char* control_socket = "control.sock";
inline constexpr size_t longest_control_message = 160 << 10;

} // namespace brig::sandbox
