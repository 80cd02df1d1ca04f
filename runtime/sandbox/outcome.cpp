#include "sandbox/outcome.hpp"

#include "base/utf8.hpp"
#include "sandbox/output.hpp"

#include <array>
#include <csignal>
#include <cstring>

namespace brig::sandbox {

namespace {

struct ReasonWord {
    Reason reason;
    std::string_view name;
    std::string_view error;
};

constexpr std::array words = {
    ReasonWord{Reason::exited, "exited", ""},
    ReasonWord{Reason::signaled, "signaled", "SignalError"},
    ReasonWord{Reason::timeout, "timeout", "TimeoutError"},
    ReasonWord{Reason::oom, "oom", "OutOfMemoryError"},
    ReasonWord{Reason::output_limit, "output_limit", "OutputLimitError"},
    ReasonWord{Reason::pids_limit, "pids_limit", "ProcessLimitError"},
    ReasonWord{Reason::disk_limit, "disk_limit", "DiskLimitError"},
    ReasonWord{Reason::killed, "killed", "KilledError"},
    ReasonWord{Reason::refused, "refused", "RefusedError"},
    ReasonWord{Reason::setup_failed, "setup_failed", "SetupError"},
};

const ReasonWord& word_of(Reason reason)
{
    for (const auto& word : words)
        if (word.reason == reason)
            return word;
    return words.back();
}

Json text_or_null(std::string_view text)
{
    return text.empty() ? Json() : Json::string(text);
}

Json signal_name(int signal)
{
    const char* abbreviation = signal > 0 ? ::sigabbrev_np(signal) : nullptr;
    if (signal > 0 && abbreviation == nullptr)
        return Json::string("SIG" + std::to_string(signal)); // real-time signals have no name of their own
    return abbreviation != nullptr ? Json::string(std::string("SIG") + abbreviation) : Json();
}

} // namespace

Json metrics_document(const Metrics& metrics)
{
    Json document = Json::object();
    document.set("cpu_user_ms", Json::unsigned_number(metrics.cpu_user_ms))
        .set("cpu_system_ms", Json::unsigned_number(metrics.cpu_system_ms))
        .set("memory_peak_bytes", Json::unsigned_number(metrics.memory_peak_bytes))
        .set("pids_peak", Json::unsigned_number(metrics.pids_peak))
        .set("io_read_bytes", Json::unsigned_number(metrics.io_read_bytes))
        .set("io_write_bytes", Json::unsigned_number(metrics.io_write_bytes))
        .set("disk_used_bytes", Json::unsigned_number(metrics.disk_used_bytes));
    return document;
}

namespace {

// A file's name is bytes, too.
Json name_of_file(const std::string& path)
{
    return is_utf8(path) ? Json::string(path) : Json::string("base64:" + base64(path));
}

Json artifacts_document(const std::vector<Artifact>& artifacts)
{
    Json list = Json::array();
    for (const auto& artifact : artifacts) {
        Json entry = Json::object();
        entry.set("path", name_of_file(artifact.path))
            .set("size", Json::unsigned_number(artifact.size))
            .set("mime_type", Json::string(artifact.mime_type))
            .set("sha256", Json::string(artifact.sha256));
        list.append(std::move(entry));
    }
    return list;
}

Json refused_document(const std::vector<RefusedArtifact>& artifacts)
{
    Json list = Json::array();
    for (const auto& artifact : artifacts) {
        Json entry = Json::object();
        entry.set("path", name_of_file(artifact.path)).set("reason", Json::string(artifact.reason));
        list.append(std::move(entry));
    }
    return list;
}

} // namespace

std::string_view reason_name(Reason reason)
{
    return word_of(reason).name;
}

std::string_view reason_error(Reason reason)
{
    return word_of(reason).error;
}

int Outcome::as_exit_status() const
{
    constexpr int killed_by_kill = 128 + SIGKILL;
    switch (reason) {
    case Reason::timeout: return 124;
    case Reason::setup_failed: return 125;
    case Reason::refused: return 126;
    case Reason::killed:
    case Reason::output_limit: return killed_by_kill;
    case Reason::exited:
    case Reason::signaled:
    case Reason::oom:
    case Reason::pids_limit:
    case Reason::disk_limit: break;
    }
    return exit_code < 0 ? killed_by_kill : exit_code;
}

void set_stream(Json& document, std::string_view name, const Stream& stream)
{
    std::string_view text = stream.truncated ? without_cut_sequence(stream.bytes) : std::string_view(stream.bytes);
    bool readable = is_utf8(text);
    std::string value = readable ? std::string(text) : base64(stream.bytes);
    if (readable && stream.truncated)
        value += std::string(value.empty() || value.ends_with('\n') ? "" : "\n") + std::string(truncation_mark);
    document.set(name, Json::string(value));
    document.set(std::string(name) + "_encoding", Json::string(readable ? "utf-8" : "base64"));
    document.set(std::string(name) + "_truncated", Json::boolean(stream.truncated));
}

Json outcome_document(const Outcome& outcome)
{
    constexpr double second = 1'000'000;
    Json network = Json::object();
    network.set("allowed", Json::strings(outcome.network.allowed)).set("refused", Json::strings(outcome.network.refused));
    Json document = Json::object();
    document.set("sandbox_id", Json::string(outcome.sandbox_id))
        .set("success", Json::boolean(outcome.success()))
        .set("exit_code", Json::number(outcome.exit_code))
        .set("signal", signal_name(outcome.signal))
        .set("reason", Json::string(reason_name(outcome.reason)))
        .set("error", text_or_null(reason_error(outcome.reason)))
        .set("message", text_or_null(outcome.message));
    set_stream(document, "stdout", outcome.standard_output);
    set_stream(document, "stderr", outcome.standard_error);
    document.set("execution_time", Json::real(static_cast<double>(outcome.execution_microseconds) / second))
        .set("metrics", metrics_document(outcome.metrics))
        .set("artifacts", artifacts_document(outcome.artifacts))
        .set("artifacts_refused", refused_document(outcome.artifacts_refused))
        .set("network", std::move(network))
        .set("traceparent", text_or_null(outcome.traceparent));
    return document;
}

} // namespace brig::sandbox
