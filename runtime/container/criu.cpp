#include "container/criu.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"
#include "kernel/trusted_program.hpp"
#include "kernel/worker_program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace brig::container {

namespace {

constexpr const char* ended_silently = "CRIU ended without an answer";
constexpr size_t longest_response = 64 << 10;
// CRIU runs ip, iptables and tar.
constexpr const char* criu_environment = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view type_name(CriuRequestType type)
{
    switch (type) {
    case CriuRequestType::dump: return "DUMP";
    case CriuRequestType::restore: return "RESTORE";
    case CriuRequestType::pre_dump: return "PRE_DUMP";
    case CriuRequestType::notify: return "NOTIFY";
    case CriuRequestType::feature_check: return "FEATURE_CHECK";
    case CriuRequestType::version: return "VERSION";
    }
    return "EMPTY";
}

Result<Fd> open_program(const std::string& path)
{
    auto program = kernel::open_trusted_program(path);
    if (!program && program.error().kind() == ErrorKind::not_found)
        return failure(ErrorKind::not_supported,
                       fmt::format("not supported: checkpoint needs CRIU; there is none at {}", quoted(path)));
    return program;
}

} // namespace

Error no_criu()
{
    return Error(ErrorKind::not_supported, "not supported: checkpoint needs CRIU; install it with apt-get install criu");
}

Result<CriuWorker> CriuWorker::start(const CriuStart& start)
{
    if (start.program.empty())
        return failure(no_criu());
    Fd program = TRY(open_program(start.program));
    auto [own_end, criu_end] = TRY(kernel::sequenced_socket_pair());
    Fd nothing = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR));
    Fd output = TRY(kernel::memory_file("criu", 0));
    kernel::WorkerRequest request;
    request.executable = program;
    request.args = {"criu", "swrk", "3"};
    request.environment = {criu_environment};
    auto or_else = [](FdRef given, const Fd& otherwise) { return given.valid() ? given.get() : otherwise.get(); };
    request.descriptors = {or_else(start.input, nothing), or_else(start.output, output), or_else(start.error, output),
                           criu_end.get()};
    request.descriptors.insert(request.descriptors.end(), start.descriptors.begin(), start.descriptors.end());
    request.cgroup = start.cgroup.get();
    request.prepare = start.prepare;
    auto child = TRY_DURING("start CRIU", kernel::start_worker(request));
    return CriuWorker(child.pid, std::move(own_end), std::move(output));
}

CriuWorker::~CriuWorker()
{
    if (!m_socket.valid())
        return; // moved from
    m_socket.reset();
    (void)kernel::wait_for(m_pid);
}

Result<> CriuWorker::wait_for_message() const
{
    constexpr int64_t patience = 5000; // milliseconds in which CRIU tells why
    kernel::Watch socket{.fd = m_socket.get(), .for_reading = true};
    std::array both = {socket, kernel::Watch{.fd = m_watched.get(), .for_reading = true}};
    TRY(kernel::wait_for_events(both, -1));
    if (both[0].readable || both[0].ended)
        return {};
    std::array answer = {socket};
    if (TRY(kernel::wait_for_events(answer, patience)))
        return {};
    TRY(kernel::send_signal(m_pid, SIGKILL));
    return failure(ErrorKind::system, "criu failed: the restored process has ended, and CRIU went on waiting for it");
}

Result<CriuResponse> CriuWorker::converse(const std::string& request, const OnNotification& on_notification)
{
    TRY(kernel::send_message(m_socket, request));
    while (true) {
        TRY(wait_for_message());
        auto message = TRY(kernel::receive_message(m_socket, longest_response));
        if (message.bytes.empty())
            return failure(ErrorKind::system, ended_silently);
        CriuResponse response = TRY(decode_criu_response(message.bytes));
        if (!response.success) {
            m_last_words = std::move(response.error_message);
            return failure(ErrorKind::system,
                           fmt::format("criu failed: type {} errno {}", type_name(response.type), response.error_number));
        }
        if (response.type != CriuRequestType::notify)
            return response;
        TRY(on_notification(response, message.fds));
        TRY(kernel::send_message(m_socket, encode_criu_notified()));
    }
}

std::string CriuWorker::last_words() const
{
    auto text = kernel::read_file(kernel::working_directory, kernel::descriptor_path(m_output), longest_response);
    return (text ? *text : std::string()) + m_last_words;
}

Result<CriuFeatures> ask_criu_features(const std::string& program)
{
    CriuWorker worker = TRY(CriuWorker::start({.program = program}));
    auto nothing_to_do = [](const CriuResponse&, std::vector<Fd>&) { return Result<>(); };
    auto answer = worker.converse(encode_criu_question(CriuRequestType::feature_check), nothing_to_do);
    if (!answer)
        return failure(
            explain_criu_failure(std::move(answer).error(), FdRef(-1), "", worker.last_words()).during("ask what CRIU can do"));
    return answer->features;
}

// ---- its errors ------------------------------------------------------------------------------------------------------

std::string errors_of_criu_log(std::string_view log)
{
    constexpr size_t most = 3;
    // CRIU raises a limit for itself, says so as an error where it may not, and goes on.
    constexpr std::string_view harmless = "Can't setup RLIMIT_NOFILE for self";
    std::vector<std::string> errors;
    for (auto line : split(log, '\n')) {
        auto start = line.find("Error (");
        if (start == std::string_view::npos || contains(line, harmless))
            continue;
        errors.push_back(one_line(trim(line.substr(start))));
        if (errors.size() > most)
            errors.erase(errors.begin());
    }
    return join(errors, "; ");
}

Error explain_criu_failure(Error error, FdRef log_directory, const std::string& log_file, const std::string& last_words)
{
    // What failed on this side explains itself.
    if (!error.what().starts_with("criu failed") && !error.what().starts_with(ended_silently))
        return error;
    constexpr size_t largest_log = size_t{256} << 20;
    auto log =
        log_directory.valid() ? kernel::read_file(log_directory, log_file, largest_log) : failure(ErrorKind::not_found, "no log");
    std::string errors = log ? errors_of_criu_log(*log) : std::string();
    std::string place = log ? fmt::format(" (log: {})", one_line(join_path(kernel::path_of(log_directory), log_file))) : "";
    if (errors.empty())
        errors = errors_of_criu_log(last_words);
    if (errors.empty())
        errors = one_line(trim(last_words));
    std::string separator = errors.empty() ? "" : ": ";
    std::string what = error.what() + separator + errors + place;
    return std::move(error).with_what(std::move(what));
}

std::string criu_configuration(const std::vector<std::pair<std::string, std::string>>& annotations)
{
    for (const auto& [name, value] : annotations)
        if (name == "org.criu.config")
            return value;
    constexpr std::array files = {"/etc/criu/brig.conf", "/etc/criu/runc.conf"};
    auto found = std::ranges::find_if(files, [](const char* file) { return kernel::exists(kernel::working_directory, file); });
    return found == files.end() ? "" : *found;
}

} // namespace brig::container
