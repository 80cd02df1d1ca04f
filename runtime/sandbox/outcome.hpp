// How a program in a sandbox ended, and the JSON object that says so (docs/sandbox-result.schema.json).
//
// Layer: pure.
#pragma once

#include "base/json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::sandbox {

enum class Reason {
    exited,
    signaled,
    timeout,
    oom,
    output_limit,
    pids_limit,
    disk_limit,
    killed,
    refused,
    setup_failed,
};

std::string_view reason_name(Reason reason);
// "TimeoutError"; empty for a program that ended by itself.
std::string_view reason_error(Reason reason);

struct Stream {
    std::string bytes;
    bool truncated = false;
};

struct Metrics {
    uint64_t cpu_user_ms = 0;
    uint64_t cpu_system_ms = 0;
    uint64_t memory_peak_bytes = 0;
    uint64_t pids_peak = 0;
    uint64_t io_read_bytes = 0;
    uint64_t io_write_bytes = 0;
    uint64_t disk_used_bytes = 0;
};

struct Artifact {
    std::string path; // below the artifacts folder
    uint64_t size = 0;
    std::string mime_type;
    std::string sha256;
};

struct RefusedArtifact {
    std::string path;
    std::string reason;
};

struct Network {
    std::vector<std::string> allowed; // "pypi.org:443"
    std::vector<std::string> refused;
};

struct Outcome {
    std::string sandbox_id;
    Reason reason = Reason::exited;
    int exit_code = 0;   // 128 + signal; -1 when the program did not end by itself or did not begin
    int signal = 0;      // 0: none
    std::string message; // a sentence for people; empty for a plain exit
    Stream standard_output;
    Stream standard_error;
    int64_t execution_microseconds = 0;
    Metrics metrics;
    std::vector<Artifact> artifacts;
    std::vector<RefusedArtifact> artifacts_refused;
    Network network;
    std::string traceparent;

    bool success() const { return reason == Reason::exited && exit_code == 0; }
    // For a caller that sees nothing else: the program's own, 124 past its time, 125 not begun, 126 refused, 137 killed.
    int as_exit_status() const;
};

Json metrics_document(const Metrics& metrics);
Json outcome_document(const Outcome& outcome);
// Text as it is, with the mark when it was cut; other bytes in base64 and named so: {"stdout": ..., "stdout_encoding": ...}.
void set_stream(Json& document, std::string_view name, const Stream& stream);

} // namespace brig::sandbox
