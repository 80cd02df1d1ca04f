#include "cgroup/cgroup.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "cgroup/device_filter.hpp"
#include "cgroup/directory.hpp"
#include "cgroup/freezer.hpp"
#include "kernel/child_process.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "plan/cgroup_plan.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

namespace brig::cgroup {

using kernel::working_directory;

namespace {

constexpr size_t small_file = 1 << 16;
// Enough for a busy machine; a process that is not stopped by then waits in the kernel and cannot fork either.
constexpr int64_t freeze_for_signal = 500;

bool has(const std::vector<std::string>& list, const std::string& item)
{
    return std::find(list.begin(), list.end(), item) != list.end();
}

bool is_gone(const Error& error)
{
    return error.code() == ENOENT || error.code() == ENODEV;
}

Result<Fd> open_directory(const std::string& directory)
{
    return kernel::open_at(working_directory, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// ---- create ----------------------------------------------------------------------------------------------------------

Result<> check_unused(const Location& location)
{
    auto processes = TRY(read_processes(location.directory()));
    if (!processes.empty())
        return failure(Error(ErrorKind::wrong_state, fmt::format("container's cgroup is not empty: {} process(es) found in {}",
                                                                 processes.size(), one_line(location.directory())))
                           .with_hint("another container or program uses it: end that first, or give another linux.cgroupsPath"));
    bool frozen = location.unified                       ? TRY(is_frozen_v2(location.directory()))
                  : has(location.controllers, "freezer") ? TRY(is_frozen_v1(location.directory()))
                                                         : false;
    if (frozen)
        return failure(Error(ErrorKind::wrong_state,
                             fmt::format("container's cgroup {} unexpectedly frozen", one_line(location.directory())))
                           .with_hint("thaw it: write 0 to cgroup.freeze, or THAWED to freezer.state"));
    return {};
}

// "memory.max" needs the controller memory.
std::vector<std::string> needed_controllers(const std::vector<plan::CgroupWrite>& writes)
{
    std::set<std::string> needed;
    for (const auto& write : writes)
        if (!write.optional && !write.file.starts_with("cgroup."))
            needed.insert(write.file.substr(0, write.file.find('.')));
    return {needed.begin(), needed.end()};
}

Result<> set_up_directory(const plan::CgroupDirectory& wanted, const plan::Cgroup& plan, const std::vector<std::string>& made)
{
    if (wanted.unified)
        TRY(enable_controllers(wanted.mount_point, wanted.path, wanted.controllers, needed_controllers(wanted.writes)));
    else if (has(wanted.controllers, "cpuset"))
        TRY(inherit_cpuset(wanted.mount_point, wanted.path, made));
    bool filter = wanted.unified && plan.filter_devices;
    if (wanted.writes.empty() && !filter)
        return {};
    Fd directory = TRY(open_directory(wanted.mount_point + wanted.path));
    TRY(write_limits(directory, wanted.writes));
    if (filter)
        TRY_DURING("set linux.resources.devices", attach_device_filter(directory, plan.device_rules));
    return {};
}

Error unit_elsewhere(const plan::SystemdUnit& unit, const Location& location)
{
    return Error(ErrorKind::wrong_state,
                 fmt::format("systemd has started {}, but there is no cgroup {}", unit.name, one_line(location.directory())))
        .with_hint("its processes have ended already, or systemd manages another cgroup hierarchy than brig sees here");
}

Location location_of(const plan::CgroupDirectory& directory)
{
    return {directory.mount_point, directory.path, directory.controllers, directory.unified};
}

} // namespace

Result<Cgroup> Cgroup::create(const plan::Cgroup& plan)
{
    Rollback rollback;
    std::vector<Location> locations;
    for (const auto& wanted : plan.directories) {
        auto location = location_of(wanted);
        auto made = TRY_DURING("create the container's cgroup", make_cgroup_directories(wanted.mount_point, wanted.path));
        for (const auto& directory : made)
            rollback.add([directory] { (void)kernel::remove_directory(working_directory, directory); });
        bool present = made.empty() || made.back() != location.directory();
        if (plan.unit && wanted.unified && !present)
            return failure(unit_elsewhere(*plan.unit, location));
        if (present && !plan.unit)
            TRY(check_unused(location));
        TRY(set_up_directory(wanted, plan, made));
        locations.push_back(std::move(location));
    }
    rollback.keep();
    return Cgroup(std::move(locations));
}

// ---- update ------------------------------------------------------------------------------------------------------------

namespace {

// On v2 the kernel kills instead of refusing a limit below the present use.
Result<> check_memory_use(const Location& location, const spec::Resources& resources)
{
    if (!resources.memory || !resources.memory->check_before_update.value_or(false) || !location.unified)
        return {};
    auto text = kernel::read_file(working_directory, location.directory() + "/memory.current", small_file);
    auto used = text ? parse_integer(trim(*text)) : failure(text.error());
    if (!used)
        return {}; // the memory controller is v1's here, which checks by itself
    for (const auto& [name, limit] : {std::pair("limit", resources.memory->limit), std::pair("swap", resources.memory->swap)})
        if (limit.value_or(0) > 0 && *limit <= *used)
            return failure(
                Error(ErrorKind::invalid, fmt::format("rejecting linux.resources.memory.{} {} <= usage {}", name, *limit, *used))
                    .with_hint("checkBeforeUpdate is set: free memory first or give a higher limit"));
    return {};
}

// The state file keeps only the v2 controllers that the container began with.
std::vector<std::string> offered_controllers(const Location& location)
{
    auto text = kernel::read_file(working_directory, location.mount_point + "/cgroup.controllers", small_file);
    std::vector<std::string> controllers;
    if (text)
        for (auto part : split(trim(*text), ' '))
            if (!part.empty())
                controllers.emplace_back(part);
    return controllers;
}

} // namespace

namespace {

// What an update is about to change, so that it can be taken back.
class SavedLimits {
public:
    void save(const plan::CgroupDirectory& directory)
    {
        Saved saved{directory.mount_point + directory.path, {}};
        for (const auto& write : directory.writes)
            for (const auto& [file, value] : {std::pair(write.file, write.value), std::pair(write.other_file, write.other_value)})
                if (auto former = file.empty() ? std::nullopt : former_value(saved.directory, file, value)) {
                    plan::CgroupWrite back;
                    back.file = file;
                    back.value = std::move(*former);
                    saved.writes.push_back(std::move(back));
                }
        m_saved.push_back(std::move(saved));
    }

    // In reverse: limits that bound each other were widened first, or narrowed first.
    void restore() const
    {
        for (const auto& saved : m_saved) {
            auto writes = saved.writes;
            std::reverse(writes.begin(), writes.end());
            auto directory = open_directory(saved.directory);
            for (const auto& write : writes)
                if (directory)
                    (void)write_limits(*directory, {write});
        }
    }

private:
    struct Saved {
        std::string directory;
        std::vector<plan::CgroupWrite> writes;
    };

    static std::optional<std::string> former_value(const std::string& directory, const std::string& file,
                                                   const std::string& value)
    {
        auto text = kernel::read_file(working_directory, directory + "/" + file, small_file);
        if (!text)
            return std::nullopt;
        auto device = value.substr(0, value.find(' '));
        if (device == value || (device.find(':') == std::string::npos && device != "default"))
            return text->empty() ? std::string("\n") : std::string(trim(*text));
        // Files with a line for each device.
        for (auto line : split(*text, '\n'))
            if (line.starts_with(device + " "))
                return std::string(line);
        if (file == "io.max")
            return device + " rbps=max wbps=max riops=max wiops=max";
        return device + (file.starts_with("blkio.throttle") ? " 0" : " default");
    }

    std::vector<Saved> m_saved;
};

Result<> write_updates(const plan::Cgroup& plan)
{
    for (const auto& directory : plan.directories) {
        if (directory.writes.empty())
            continue;
        auto needed = needed_controllers(directory.writes);
        if (directory.unified)
            TRY(enable_controllers(directory.mount_point, directory.path, needed, needed));
        Fd opened = TRY(open_directory(directory.mount_point + directory.path));
        TRY(write_limits(opened, directory.writes));
    }
    return {};
}

// Of the CPU quota, for an update that leaves it as it is.
uint64_t present_period(const std::vector<Location>& locations)
{
    constexpr uint64_t usual = 100000;
    for (const auto& location : locations)
        for (const char* file : {"/cpu.max", "/cpu.cfs_period_us"}) {
            auto text = kernel::read_file(working_directory, location.directory() + file, small_file);
            if (auto period = text ? parse_unsigned(split(trim(*text), ' ').back()) : failure(text.error()))
                return *period;
        }
    return usual;
}

} // namespace

Result<> Cgroup::update(const spec::Resources& resources, const TellSystemd& tell_systemd) const
{
    std::vector<plan::CgroupDirectory> directories;
    for (const auto& location : m_locations) {
        TRY(check_memory_use(location, resources));
        plan::CgroupDirectory directory;
        directory.mount_point = location.mount_point;
        directory.path = location.path;
        directory.controllers = location.unified ? offered_controllers(location) : location.controllers;
        directory.unified = location.unified;
        directories.push_back(std::move(directory));
    }
    auto plan = TRY(plan::make_cgroup_update(std::move(directories), resources));
    std::vector<plan::UnitProperty> properties;
    if (tell_systemd)
        properties = TRY(plan::make_unit_update(plan.directories, present_period(m_locations)));
    SavedLimits saved;
    for (const auto& directory : plan.directories)
        saved.save(directory);
    auto outcome = write_updates(plan);
    if (outcome && !properties.empty()) {
        outcome = tell_systemd(properties);
        // systemd's values are rounded.
        if (outcome)
            outcome = write_updates(plan);
    }
    if (!outcome)
        saved.restore();
    return outcome;
}

// ---- joining -----------------------------------------------------------------------------------------------------------

const Location* Cgroup::unified() const
{
    for (const auto& location : m_locations)
        if (location.unified)
            return &location;
    return nullptr;
}

const Location* Cgroup::with_v1(const std::string& controller) const
{
    for (const auto& location : m_locations)
        if (!location.unified && has(location.controllers, controller))
            return &location;
    return nullptr;
}

Result<Fd> Cgroup::open_unified_directory() const
{
    if (const auto* location = unified())
        return open_directory(location->directory());
    return Fd();
}

Result<Fd> Cgroup::open_unified_directory_of(pid_t process) const
{
    const auto* location = unified();
    if (location == nullptr)
        return Fd();
    auto text = TRY(kernel::read_file(working_directory, fmt::format("/proc/{}/cgroup", process), small_file));
    for (auto line : split(text, '\n')) {
        constexpr std::string_view prefix = "0::";
        if (!line.starts_with(prefix))
            continue;
        std::string path(line.substr(prefix.size()));
        if (path == location->path || path.starts_with(location->path + "/"))
            return open_directory(location->mount_point + path);
        return failure(Error(ErrorKind::wrong_state, fmt::format("process {} has left the container's cgroup {} for {}", process,
                                                                 one_line(location->path), one_line(path)))
                           .with_hint("something outside of the container moved it; brig does not follow"));
    }
    return failure(ErrorKind::internal, fmt::format("/proc/{}/cgroup has no line for cgroup v2", process));
}

Result<> Cgroup::check_member(pid_t process) const
{
    if (unified() != nullptr)
        return open_unified_directory_of(process).map([](const Fd&) {});
    return {};
}

Error Cgroup::explain_join_failure(Error error) const
{
    const auto* location = unified();
    bool explained = error.code() == EPERM && !error.hint().empty(); // by the namespaces that clone3 made as well
    if (location == nullptr || explained)
        return error;
    auto read = [&](const char* name) {
        auto text = kernel::read_file(working_directory, location->directory() + "/" + name, small_file);
        return std::string(trim(text.value_or(std::string("unknown"))));
    };
    auto place = one_line(location->directory());
    switch (error.code()) {
    case EBUSY:
        return std::move(error).with_hint(fmt::format("{} has controllers for child cgroups ({}), so cgroup v2 takes no "
                                                      "process into it: the container moved its own processes down",
                                                      place, read("cgroup.subtree_control")));
    case EOPNOTSUPP:
        return std::move(error).with_hint(fmt::format("{} is of type {}, which takes threads only: the parent is a threaded "
                                                      "cgroup; choose another linux.cgroupsPath",
                                                      place, read("cgroup.type")));
    case EAGAIN: return std::move(error).with_hint(fmt::format("pids.max of {} or of a parent is reached", place));
    case ENODEV:
    case ENOENT: return std::move(error).with_hint(fmt::format("{} is gone", place));
    case EACCES:
    case EPERM:
        return std::move(error).with_hint(
            fmt::format("the caller needs write access to cgroup.procs of {} and of the parent it shares with it", place));
    default: return error;
    }
}

Result<std::vector<Fd>> Cgroup::open_join_files(bool cloned_into_unified) const
{
    std::vector<Fd> files;
    for (const auto& location : m_locations) {
        if (location.unified && cloned_into_unified)
            continue;
        const char* name = location.unified ? "/cgroup.procs" : "/tasks";
        files.push_back(TRY(kernel::open_at(working_directory, location.directory() + name, O_WRONLY | O_NOFOLLOW)));
    }
    return files;
}

Result<> join_by_tasks(const std::vector<Fd>& files)
{
    for (const auto& file : files)
        TRY_DURING("join the container's cgroup", kernel::write_all(file, "0"));
    return {};
}

Result<Cgroup> Cgroup::below(const std::string& path) const
{
    for (auto part : split(path, '/'))
        if (part == "..")
            return failure(ErrorKind::invalid, fmt::format("bad sub cgroup path: {}", quoted(path)));
    auto locations = m_locations;
    for (auto& location : locations)
        location.path = clean_path(location.path + "/" + path);
    return Cgroup(std::move(locations));
}

Result<> Cgroup::delegate(uid_t owner) const
{
    const auto* location = unified();
    if (location == nullptr)
        return {};
    Fd directory = TRY(open_directory(location->directory()));
    TRY(kernel::change_owner(directory, owner, static_cast<gid_t>(-1)));
    auto list = kernel::read_file(working_directory, "/sys/kernel/cgroup/delegate", small_file);
    std::string names = list.value_or("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
    for (auto name : split(names, '\n')) {
        auto file = name.empty() ? Result<Fd>(Fd()) : kernel::open_at(directory, std::string(name), O_PATH | O_NOFOLLOW);
        if (file && file->valid())
            TRY(kernel::change_owner(*file, owner, static_cast<gid_t>(-1)));
    }
    return {};
}

// ---- processes, signals, freezing ----------------------------------------------------------------------------------------

Result<std::vector<pid_t>> Cgroup::processes() const
{
    // One hierarchy tells: a container's processes are in the same place in all of them.
    for (const auto& location : m_locations)
        if (location.unified || unified() == nullptr)
            return read_processes_below(location.directory());
    return std::vector<pid_t>();
}

Result<> Cgroup::signal_each(int signal) const
{
    // Unfrozen processes may fork while we read: until a reading shows nobody new.
    std::set<pid_t> signalled;
    constexpr int rounds = 100;
    for (int round = 0; round < rounds; round++) {
        bool found_new = false;
        for (pid_t process : TRY(processes())) {
            if (!signalled.insert(process).second)
                continue;
            found_new = true;
            auto result = kernel::send_signal(process, signal);
            if (!result && result.error().code() != ESRCH)
                return result;
        }
        if (!found_new)
            return {};
    }
    return failure(Error(ErrorKind::timed_out, "processes of the container fork faster than they can be signalled")
                       .with_hint("set linux.resources.pids.limit"));
}

Result<> Cgroup::kill_all(int signal) const
{
    const auto* v1_freezer = with_v1("freezer");
    if (const auto* location = unified(); location != nullptr && signal == SIGKILL) {
        auto killed = kernel::write_control_file(working_directory, location->directory() + "/cgroup.kill", "1");
        // A process that v1 has frozen dies only once it is thawed.
        if (killed && v1_freezer != nullptr)
            (void)thaw_v1(v1_freezer->directory());
        // Before Linux 5.14 the file does not exist; then one by one.
        if (killed || !is_gone(killed.error()))
            return killed;
    }
    bool was_frozen = TRY(frozen());
    bool froze = !was_frozen && freeze(freeze_for_signal).has_value();
    auto result = signal_each(signal);
    if (froze || (was_frozen && signal == SIGKILL))
        if (auto thawed = thaw(); !thawed && !is_gone(thawed.error()))
            return thawed;
    return result;
}

Result<> Cgroup::freeze(int64_t milliseconds) const
{
    if (empty())
        return {};
    if (const auto* location = unified())
        return freeze_v2(location->directory(), milliseconds);
    if (const auto* location = with_v1("freezer"))
        return freeze_v1(location->directory(), milliseconds);
    return failure(Error(ErrorKind::not_supported, "the container has no cgroup that can be frozen")
                       .with_hint("mount cgroup v2 or the freezer hierarchy of v1"));
}

Result<> Cgroup::thaw() const
{
    if (const auto* location = unified())
        TRY(thaw_v2(location->directory()));
    if (const auto* location = with_v1("freezer"))
        TRY(thaw_v1(location->directory()));
    return {};
}

Result<bool> Cgroup::frozen() const
{
    if (const auto* location = unified())
        return is_frozen_v2(location->directory());
    if (const auto* location = with_v1("freezer"))
        return is_frozen_v1(location->directory());
    return false;
}

Result<> Cgroup::remove(int64_t milliseconds) const
{
    int64_t deadline = kernel::monotonic_milliseconds() + milliseconds;
    Result<> first;
    for (const auto& location : m_locations) {
        auto result = remove_cgroup_directory(location.directory(), location.unified, deadline);
        if (!result && first)
            first = failure(std::move(result).error().during("remove the container's cgroup"));
    }
    return first;
}

// ---- the state file --------------------------------------------------------------------------------------------------------

std::vector<Location> locations_of(const plan::Cgroup& plan)
{
    std::vector<Location> locations;
    for (const auto& directory : plan.directories)
        locations.push_back(location_of(directory));
    return locations;
}

Json locations_to_json(const std::vector<Location>& locations)
{
    auto list = Json::array();
    for (const auto& location : locations) {
        auto item = Json::object();
        item.set("mountPoint", Json::string(location.mount_point))
            .set("path", Json::string(location.path))
            .set("controllers", Json::strings(location.controllers))
            .set("unified", Json::boolean(location.unified));
        list.append(std::move(item));
    }
    return list;
}

namespace {

bool is_safe_path(const std::string& path)
{
    return path.size() > 1 && path.front() == '/' && clean_path(path) == path;
}

} // namespace

Result<std::vector<Location>> locations_from_json(JsonView view)
{
    std::vector<Location> locations;
    if (!view.is_array())
        return failure(ErrorKind::invalid, "the state's cgroups are not a list");
    for (size_t i = 0; i < view.size(); i++) {
        auto item = view.at(i);
        Location location;
        location.mount_point = item.member("mountPoint").string();
        location.path = item.member("path").string();
        location.unified = item.member("unified").boolean();
        auto controllers = item.member("controllers");
        for (size_t j = 0; controllers.is_array() && j < controllers.size(); j++)
            location.controllers.push_back(controllers.at(j).string());
        if (!is_safe_path(location.mount_point) || !is_safe_path(location.path))
            return failure(ErrorKind::invalid, fmt::format("the state's cgroup {} below {} is not a container's",
                                                           quoted(location.path), quoted(location.mount_point)));
        locations.push_back(std::move(location));
    }
    return locations;
}

} // namespace brig::cgroup
