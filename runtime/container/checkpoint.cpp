#include "container/checkpoint.hpp"

#include "base/text.hpp"
#include "container/checkpoint_files.hpp"
#include "container/creation.hpp"
#include "container/criu.hpp"
#include "container/external_mounts.hpp"
#include "container/live_mounts.hpp"
#include "container/notify.hpp"
#include "container/state_store.hpp"
#include "kernel/files.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <sched.h>

namespace brig::container {

namespace {

constexpr const char* log_name = "dump.log";

Result<> check_status(Status status)
{
    if (status == Status::running || status == Status::paused)
        return {};
    return failure(ErrorKind::wrong_state, fmt::format("Container cannot be checkpointed in {} state", status_name(status)));
}

// The plan of a container that is there already. Its cgroups are those of the record: the caller may be in others by now.
Result<plan::Plan> plan_of_container(const Context& context, const StateDirectory& directory, const Record& record)
{
    CreateRequest request;
    request.id = record.id;
    request.bundle = record.bundle;
    request.config_text = TRY(directory.read_file("config.json"));
    plan::Plan plan = TRY(plan_from(context, request)).plan;
    plan.cgroup.directories.clear();
    for (const auto& location : record.cgroups) {
        plan::CgroupDirectory known;
        known.mount_point = location.mount_point;
        known.path = location.path;
        known.controllers = location.controllers;
        known.unified = location.unified;
        plan.cgroup.directories.push_back(std::move(known));
    }
    return plan;
}

std::string freezer_of(const std::vector<cgroup::Location>& locations)
{
    std::string unified;
    for (const auto& location : locations) {
        if (std::ranges::find(location.controllers, "freezer") != location.controllers.end())
            return location.directory();
        if (location.unified)
            unified = location.directory();
    }
    return unified;
}

// Namespaces that config.json names by path belong to others: they are to be there at the restore.
Result<std::vector<std::string>> external_namespaces(const plan::Namespaces& namespaces)
{
    std::vector<std::string> externals;
    for (const auto& join : namespaces.joins) {
        if (!stays_external(join.type))
            continue;
        struct stat status = TRY(kernel::status_at(kernel::working_directory, join.host_path, 0));
        externals.push_back(
            fmt::format("{}[{}]:{}", spec::namespace_word(join.type).proc_name, status.st_ino, key_of_namespace(join.type)));
    }
    return externals;
}

class Dump {
public:
    Dump(const Context& context, const CheckpointRequest& request, const StateDirectory& directory, const Record& record)
        : m_context(context), m_request(request), m_directory(directory), m_record(record)
    {
    }

    Result<> run()
    {
        TRY(check_features());
        plan::Plan plan = TRY(plan_of_container(m_context, m_directory, m_record));
        m_folders = TRY(make_checkpoint_folders(m_request.settings));
        TRY(check_parent());
        CriuOptions options = common_options(m_request.settings, m_folders, log_name);
        fill(options, plan);
        options.externals = TRY(external_namespaces(plan.namespaces));
        if (!m_request.pre_dump)
            TRY(save_what_is_outside(options, plan));
        auto type = m_request.pre_dump ? CriuRequestType::pre_dump : CriuRequestType::dump;
        CriuWorker worker = TRY(CriuWorker::start({.program = m_request.settings.program}));
        auto answer = worker.converse(encode_criu_request(type, options), [this](const CriuResponse& response, std::vector<Fd>&) {
            return response.notification == "status-ready" ? tell_status() : Result<>();
        });
        if (!answer)
            return failure(
                explain_criu_failure(std::move(answer).error(), m_folders.log_directory(), log_name, worker.last_words()));
        return write_image_sizes(m_folders.images);
    }

private:
    Result<> check_features()
    {
        if (!m_request.pre_dump && !m_request.settings.lazy_pages)
            return {};
        CriuFeatures features = TRY(ask_criu_features(m_request.settings.program));
        if (m_request.pre_dump && !features.memory_tracking)
            return failure(
                Error(ErrorKind::not_supported, "not supported: --pre-dump needs a kernel that tracks changes of memory")
                    .with_hint("CONFIG_MEM_SOFT_DIRTY; a checkpoint without --pre-dump works"));
        if (m_request.settings.lazy_pages && !features.lazy_pages)
            return failure(Error(ErrorKind::not_supported, "not supported: --lazy-pages needs userfaultfd")
                               .with_hint("CONFIG_USERFAULTFD; a checkpoint without --lazy-pages works"));
        return {};
    }

    Result<> check_parent()
    {
        if (m_request.parent_path.empty())
            return {};
        (void)TRY_DURING("invalid --parent-path", kernel::open_at(m_folders.images, m_request.parent_path, O_PATH | O_DIRECTORY));
        return {};
    }

    void fill(CriuOptions& options, const plan::Plan& plan) const
    {
        options.pid = m_record.pid;
        options.root = m_record.rootfs;
        options.config_file = criu_configuration(plan.annotations);
        options.freeze_cgroup = freezer_of(m_record.cgroups);
        options.parent_image = m_request.parent_path;
        options.track_memory = !m_request.parent_path.empty();
        options.page_server_address = m_request.page_server_address;
        options.page_server_port = m_request.page_server_port;
        options.leave_running = m_request.leave_running;
        options.tcp_skip_in_flight = m_request.tcp_skip_in_flight;
        options.link_remap = m_request.link_remap;
    }

    Result<> save_what_is_outside(CriuOptions& options, const plan::Plan& plan) const
    {
        auto added = TRY(read_live_mounts(m_directory));
        options.external_mounts = TRY(find_external_mounts(plan, added, m_record.pid));
        auto names = TRY(standard_stream_names(m_record.pid));
        for (const auto& name : names)
            if (name.starts_with("file["))
                options.externals.push_back(name);
        TRY(write_stream_names(m_folders.images, names));
        SavedMounts saved;
        for (const auto& mount : options.external_mounts)
            saved.names.push_back(mount.value);
        for (const auto& mount : added)
            if (!mount.host_source.empty())
                saved.added.push_back({mount.destination, mount.host_source});
        saved.flags = TRY(read_mount_flags(m_record.pid));
        return write_saved_mounts(m_folders.images, saved);
    }

    Result<> tell_status() const
    {
        if (!m_request.status_fd.valid())
            return {};
        TRY_DURING("--status-fd", kernel::write_all(m_request.status_fd, std::string_view("\0", 1)));
        return {};
    }

    const Context& m_context;
    const CheckpointRequest& m_request;
    const StateDirectory& m_directory;
    const Record& m_record;
    CheckpointFolders m_folders;
};

Result<> dump(const Context& context, const std::string& id, const CheckpointRequest& request)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::exclusive));
    Record record = TRY(directory.read_record());
    Status status = TRY(status_of(directory, record));
    TRY(check_status(status));
    if (has_notify_directory(directory.fd()))
        return failure(Error(ErrorKind::not_supported, "cannot checkpoint a container that notifies a service manager")
                           .with_hint("create it without NOTIFY_SOCKET in the environment"));
    if (status != Status::paused)
        return Dump(context, request, directory, record).run();
    // A frozen process cannot run what CRIU puts into it to be dumped: CRIU would wait for it forever. It freezes the cgroup itself
    // first thing.
    constexpr int64_t patience = 10000; // milliseconds
    auto group = cgroup::Cgroup::at(record.cgroups);
    TRY(group.thaw());
    auto dumped = Dump(context, request, directory, record).run();
    if (!dumped || request.leave_running || request.pre_dump)
        TRY(group.freeze(patience));
    return dumped;
}

} // namespace

Result<> checkpoint(const Context& context, const std::string& id, const CheckpointRequest& request)
{
    TRY(dump(context, id, request));
    if (request.leave_running || request.pre_dump)
        return {};
    return remove(context, id, true);
}

} // namespace brig::container
