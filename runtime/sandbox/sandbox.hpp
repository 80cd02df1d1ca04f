// A living sandbox: its container with a resident init, the programs in it, and the limits that are kept from outside.
//
// Runs in: the supervisor, which is `brig sandbox run` itself or the process that `create` leaves. When that process dies, the
// init's channel closes and everything in the sandbox dies; `prune` then removes cgroup and record.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/lifecycle.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/end_reason.hpp"
#include "sandbox/event_loop.hpp"
#include "sandbox/job.hpp"
#include "sandbox/network.hpp"
#include "sandbox/request.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <vector>

namespace brig::sandbox {

// How long a sandbox lives.
enum class Life {
    one_program, // its end ends everything
    until_removed,
};

struct JobRequest {
    Program program;
    Fd input; // the program's stdin; invalid: empty
    JobOwner* owner = nullptr;
    int64_t timeout = 0;
    bool keep_output = false; // in the outcome
};

class Sandbox {
public:
    // The container is there and its init serves when this returns; on failure nothing is left. `lease` lives as long as the init.
    static Result<Sandbox> create(const container::Context& context, Request request, Audit audit, Life life, FdRef lease);
    Sandbox(Sandbox&&) = default;
    Sandbox& operator=(Sandbox&&) = delete;

    const Request& request() const { return m_request; }
    const Audit& audit() const { return m_audit; }
    bool alive() const { return m_alive; }
    bool idle() const { return m_jobs.empty(); }
    FdRef workspace() const { return m_directories.at(0); }

    // What comes of it the owner is told, failures to begin included.
    uint64_t start_job(JobRequest request);
    // TERM now, KILL after the grace; `reason` is what the outcome says.
    void stop_job(uint64_t number, Reason reason);
    void stop_all_jobs(Reason reason);
    // It has gone away: its programs are ended, but for those on terminals.
    void disown(const JobOwner* owner);
    // A terminal's job gets another owner, who is shown the last of what it wrote.
    static void adopt(Job& job, JobOwner* owner);
    Job* find_job(uint64_t number);
    size_t job_count() const { return m_jobs.size(); }
    // Whether nothing but terminals runs, on which nobody may be working.
    bool only_terminals() const;
    // The last of both streams of all programs: {"stdout": ..., "stderr": ...}.
    Json logs() const;
    Result<> audit_file(std::string_view direction, const std::string& path, uint64_t size) const;

    void prepare(EventLoop& loop);
    // What time limits demand by now.
    void keep_time();

    Result<Metrics> metrics() const;
    // Ends all processes. Programs that still run end as killed.
    void kill();
    // And removes everything.
    Result<> remove();

private:
    Sandbox(const container::Context& context, Request request, Audit audit, Life life)
        : m_context(&context), m_request(std::move(request)), m_audit(std::move(audit)),
          m_life(life), m_logs{RingBuffer(m_request.limits.log), RingBuffer(m_request.limits.log)}
    {
    }

    Result<> begin();
    Result<> send_order(JobRequest& request, Job& job);
    Result<> take_init_message();
    void init_has_ended();
    void job_runs(launch::Received& message);
    void job_failed(const launch::Received& message);
    void job_ended(const launch::Received& message);
    void read_output(uint64_t number, StreamName stream);
    void end_job(Job& job);
    void kill_everything();
    void note_counts_before(Job& job) const;
    EndFacts facts_of(const Job& job) const;
    void fill_metrics(const Job& job, Metrics& target) const;
    Outcome outcome_of(Job& job);
    Result<> collect(Outcome& outcome) const;
    bool disk_is_full() const;
    uint64_t disk_used() const;
    void read_network(bool last);
    void note(std::string_view event, Json details = Json::object()) const;

    const container::Context* m_context;
    Request m_request;
    Audit m_audit;
    Life m_life;
    std::optional<container::Created> m_container;
    std::optional<SandboxNetwork> m_network;
    std::vector<Fd> m_directories; // workspace, then /tmp
    std::list<Job> m_jobs;
    std::array<RingBuffer, 2> m_logs; // of a sandbox that lives on
    uint64_t m_next_number = 1;
    bool m_alive = true;
    bool m_ended = false; // the init is reaped
};

} // namespace brig::sandbox
