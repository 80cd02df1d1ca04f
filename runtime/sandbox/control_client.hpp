// Private to the supervisor: one connection of a client, from its question to the answer.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "sandbox/control_server.hpp"
#include "sandbox/job.hpp"
#include "sandbox/workspace.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace brig::sandbox {

class ControlClient : public JobOwner {
public:
    ControlClient(ControlServer& server, Fd socket) : m_server(server), m_socket(std::move(socket)) {}
    ~ControlClient() override { m_server.sandbox().disown(this); }

    void prepare(EventLoop& loop);
    bool gone() const { return m_gone; }
    bool wants_removal() const { return m_wants_removal; }
    void say_done() { send({.kind = ControlKind::done}); }

    bool has_room() const override { return m_queue.empty(); }
    void started(uint64_t number) override;
    void take(StreamName stream, std::string_view bytes) override;
    void ended(Outcome outcome) override;
    void replaced() override;

private:
    struct Packet {
        std::string bytes;
        Fd fd;
    };

    Result<> receive();
    Result<> obey(ControlMessage& message, std::vector<Fd>& fds);
    Result<> obey_files(const ControlMessage& message);
    Result<> obey_sandbox(const ControlMessage& message);
    void exec(ControlMessage& message, std::vector<Fd>& fds);
    void attach(ControlMessage& message);
    Result<> to_terminal(const ControlMessage& message);
    Result<> answer(const Json& document);
    void send(const ControlMessage& message, Fd fd = Fd());
    void flush();

    ControlServer& m_server;
    Fd m_socket;
    std::deque<Packet> m_queue;
    std::optional<NewFile> m_new_file;
    std::string m_new_path;
    std::string m_early_keys; // typed before the terminal was there
    uint64_t m_job = 0;
    bool m_whole = false;
    bool m_gone = false;
    bool m_wants_removal = false;
};

} // namespace brig::sandbox
