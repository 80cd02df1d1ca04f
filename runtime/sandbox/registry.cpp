#include "sandbox/registry.hpp"

#include "base/text.hpp"
#include "container/state_store.hpp"
#include "kernel/files.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/control_protocol.hpp"

#include <cerrno>
#include <optional>

namespace brig::sandbox {

namespace {

struct SupervisorName {
    pid_t pid = 0;
    uint64_t start_time = 0;
};

std::optional<SupervisorName> supervisor_of(const container::Record& record)
{
    auto found = record.annotations.find(supervisor_annotation);
    if (found == record.annotations.end())
        return std::nullopt;
    auto parts = split(found->second, ':');
    auto pid = parse_integer(parts[0]);
    auto start_time = parse_unsigned(parts.back());
    if (parts.size() != 2 || !pid || !start_time)
        return SupervisorName{};
    return SupervisorName{static_cast<pid_t>(*pid), *start_time};
}

bool lives(const SupervisorName& name)
{
    auto stat = name.pid > 0 ? kernel::process_stat(name.pid) : failure(ErrorKind::not_found, "");
    return stat && stat->start_time == name.start_time && stat->state != 'Z' && stat->state != 'X';
}

std::string annotation(const container::Record& record, const char* name)
{
    auto found = record.annotations.find(name);
    return found == record.annotations.end() ? "" : found->second;
}

// A supervisor that was killed before the first record of its container leaves an empty folder. Only names that are generated
// are looked at: an empty folder of another name may be another runtime's, which shares the root and is just beginning.
Result<> remove_unfinished_folders(const container::Context& context)
{
    container::StateStore store(context.state_root);
    auto root = kernel::open_at(kernel::working_directory, context.state_root, O_RDONLY | O_DIRECTORY);
    if (!root)
        return {};
    for (const auto& name : TRY(kernel::list_directory(*root)))
        if (name.starts_with(generated_name))
            TRY(store.remove_unfinished(name));
    return {};
}

} // namespace

Result<std::vector<Listed>> list_sandboxes(const container::Context& context)
{
    std::vector<Listed> listed;
    for (auto& container : TRY(container::list(context))) {
        auto supervisor = supervisor_of(container.record);
        if (!supervisor)
            continue;
        Listed entry;
        entry.supervisor = supervisor->pid;
        entry.orphan = !lives(*supervisor);
        entry.one_shot = !kernel::exists(kernel::working_directory,
                                         fmt::format("{}/{}/{}", context.state_root, container.record.id, control_folder));
        entry.container = std::move(container);
        listed.push_back(std::move(entry));
    }
    return listed;
}

Json listed_document(const Listed& listed)
{
    const container::Record& record = listed.container.record;
    std::string policy = annotation(record, policy_annotation);
    std::string traceparent = annotation(record, traceparent_annotation);
    Json document = Json::object();
    document.set("sandbox_id", Json::string(record.id))
        .set("status", Json::string(listed.orphan ? "orphan" : container::status_name(listed.container.status)))
        .set("kind", Json::string(listed.one_shot ? "run" : "created"))
        .set("policy", policy.empty() ? Json() : Json::string(policy))
        .set("created", Json::string(record.created))
        .set("pid", Json::number(record.pid))
        .set("supervisor_pid", Json::number(listed.supervisor))
        .set("traceparent", traceparent.empty() ? Json() : Json::string(traceparent));
    return document;
}

Result<std::vector<std::string>> prune_sandboxes(const container::Context& context)
{
    std::vector<std::string> removed;
    for (const auto& listed : TRY(list_sandboxes(context))) {
        if (!listed.orphan)
            continue;
        const std::string& id = listed.container.record.id;
        if (auto gone = container::remove(context, id, true); gone)
            removed.push_back(id);
        else
            context.log.warning(gone.error().message());
    }
    TRY(remove_unfinished_folders(context));
    return removed;
}

Result<Fd> connect_to_sandbox(const container::Context& context, const std::string& id)
{
    auto state = container::StateStore(context.state_root).open(id, container::Locking::none);
    if (!state)
        return failure(state.error().kind() == ErrorKind::not_found
                           ? Error(ErrorKind::not_found, fmt::format("sandbox {} does not exist", quoted(id)))
                                 .with_hint("brig sandbox list shows those that do")
                           : std::move(state).error());
    auto folder = kernel::open_at(state->fd(), control_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return failure(Error(ErrorKind::wrong_state, fmt::format("{} takes no requests", quoted(id)))
                           .with_hint("only sandboxes of `brig sandbox create` do"));
    auto connection = kernel::connect_at(*folder, control_socket);
    if (!connection && connection.error().code() == ECONNREFUSED)
        return failure(Error(ErrorKind::wrong_state, fmt::format("the supervisor of sandbox {} is dead", quoted(id)))
                           .with_hint("brig sandbox prune removes what is left"));
    return connection;
}

} // namespace brig::sandbox
