// CRIU as a program: `criu swrk` and the conversation with it.
//
// Runs in: the caller, single-threaded. Errors: kind not_supported without CRIU, else system with the last errors of CRIU's log
// and the log's path.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "container/criu_message.hpp"

#include <functional>
#include <string>
#include <vector>

namespace brig::container {

struct CriuStart {
    std::string program; // absolute
    // Become 0, 1 and 2 of CRIU, or invalid: nothing to read, nowhere to write.
    FdRef input{-1};
    FdRef output{-1};
    FdRef error{-1};
    std::vector<int> descriptors;      // further ones, from first_further_descriptor on
    FdRef cgroup{-1};                  // of cgroup v2, to be born in
    std::function<Result<>()> prepare; // in the child before execve
};

inline constexpr int first_further_descriptor = 4; // 3 is the socket

class CriuWorker {
public:
    static Result<CriuWorker> start(const CriuStart& start);
    CriuWorker(CriuWorker&&) = default;
    CriuWorker& operator=(CriuWorker&&) = delete;
    ~CriuWorker(); // closes the conversation, on which CRIU gives up, and waits for its end

    pid_t pid() const { return m_pid; }

    // Called for each notification; CRIU waits for the return. Its failure ends the conversation.
    using OnNotification = std::function<Result<>(const CriuResponse& response, std::vector<Fd>& fds)>;

    // Sends the request and serves notifications until the answer. An answer without success is an error.
    Result<CriuResponse> converse(const std::string& request, const OnNotification& on_notification);
    // From now on the end of this process, which is being restored, ends the conversation: CRIU was seen to wait forever for
    // one that it had killed.
    void watch(FdRef pidfd) { m_watched = pidfd; }
    // What CRIU wrote before it had a log, and with its refusal.
    std::string last_words() const;

private:
    CriuWorker(pid_t pid, Fd socket, Fd output) : m_pid(pid), m_socket(std::move(socket)), m_output(std::move(output)) {}

    Result<> wait_for_message() const;

    pid_t m_pid;
    Fd m_socket;
    Fd m_output;
    FdRef m_watched{-1};
    std::string m_last_words;
};

Error no_criu();

Result<CriuFeatures> ask_criu_features(const std::string& program);

// The last lines of the log that tell errors, on one line; empty when there are none.
std::string errors_of_criu_log(std::string_view log);

// Adds them and the log's path to what CRIU answered.
Error explain_criu_failure(Error error, FdRef log_directory, const std::string& log_file, const std::string& last_words);

// /etc/criu/brig.conf, or runc's file when there is only that, or what the annotation org.criu.config says (empty: none).
std::string criu_configuration(const std::vector<std::pair<std::string, std::string>>& annotations);

} // namespace brig::container
