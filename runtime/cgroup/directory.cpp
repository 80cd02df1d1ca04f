#include "cgroup/directory.hpp"

#include "base/text.hpp"
#include "cgroup/limit_hints.hpp"
#include "kernel/child_process.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::cgroup {

using kernel::working_directory;

namespace {

constexpr size_t process_list_limit = 64 << 20; // "pids may be many" is no reason to fail a kill
constexpr size_t small_file = 1 << 16;

Error explain_mkdir(Error error)
{
    switch (error.code()) {
    case EROFS:
        return std::move(error).with_hint("the cgroup file system is mounted read-only; inside a container it needs "
                                          "--privileged or a writable cgroup namespace");
    case EACCES:
    case EPERM:
        return std::move(error).with_hint("the caller may not create cgroups here: run as root, or give linux.cgroupsPath "
                                          "below a cgroup that is delegated to this user");
    case EAGAIN: return std::move(error).with_hint("a parent's cgroup.max.depth or cgroup.max.descendants is reached");
    default: return error;
    }
}

Result<std::vector<std::string>> make_with_parents(const std::string& mount_point, const std::string& directory)
{
    std::vector<std::string> made;
    // A failing neighbour may remove the parent that it made just before we use it.
    constexpr int attempts = 16;
    for (int attempt = 0;; attempt++) {
        auto result = kernel::make_directory(working_directory, directory, 0755);
        if (result) {
            made.push_back(directory);
            return made;
        }
        if (result.error().code() == EEXIST)
            return made;
        if (result.error().code() != ENOENT || directory.size() <= mount_point.size() || attempt == attempts)
            return failure(explain_mkdir(std::move(result).error()));
        made = TRY(make_with_parents(mount_point, std::string(parent_path(directory))));
    }
}

std::vector<std::string> words(std::string_view text)
{
    std::vector<std::string> found;
    for (auto part : split(trim(text), ' '))
        if (!part.empty())
            found.emplace_back(part);
    return found;
}

bool has(const std::vector<std::string>& list, const std::string& item)
{
    return std::find(list.begin(), list.end(), item) != list.end();
}

// From `mount_point` itself to the parent of mount_point + path.
std::vector<std::string> parents_of(const std::string& mount_point, const std::string& path)
{
    std::vector<std::string> parents;
    std::string current = mount_point;
    for (auto part : split(std::string_view(path).substr(1), '/')) {
        parents.push_back(current);
        current += "/" + std::string(part);
    }
    return parents;
}

} // namespace

Result<std::vector<std::string>> make_cgroup_directories(const std::string& mount_point, const std::string& path)
{
    return make_with_parents(mount_point, mount_point + path);
}

// ---- cpuset of v1 ------------------------------------------------------------------------------------------------------

namespace {

Result<std::string> inherit_cpuset_file(const std::string& mount_point, const std::string& directory, const std::string& name)
{
    auto own = std::string(trim(TRY(kernel::read_file(working_directory, directory + "/" + name, small_file))));
    if (!own.empty() || directory == mount_point)
        return own;
    auto parents = TRY(inherit_cpuset_file(mount_point, std::string(parent_path(directory)), name));
    TRY(kernel::write_control_file(working_directory, directory + "/" + name, parents));
    return parents;
}

} // namespace

Result<> inherit_cpuset(const std::string& mount_point, const std::string& path, const std::vector<std::string>& made)
{
    const std::string leaf = mount_point + path;
    TRY(inherit_cpuset_file(mount_point, leaf, "cpuset.cpus"));
    TRY(inherit_cpuset_file(mount_point, leaf, "cpuset.mems"));
    // The kernel copies for the next ones: 20 us instead of 60 for each. Only in parents that nobody else has set up.
    for (const auto& directory : made)
        if (directory != leaf)
            TRY(kernel::write_control_file(working_directory, directory + "/cgroup.clone_children", "1"));
    return {};
}

// ---- controllers of v2 ---------------------------------------------------------------------------------------------------

namespace {

struct ControllerFailure {
    std::string controller;
    Error error;
};

Error explain_enabling(const std::string& controller, Error error)
{
    auto named = std::move(error).during(fmt::format("enable the cgroup controller {}", controller));
    switch (named.code()) {
    case EBUSY:
        return std::move(named).with_hint("that cgroup holds processes itself, and cgroup v2 allows limits only below "
                                          "cgroups without any: move them into a child cgroup first, or choose another "
                                          "linux.cgroupsPath");
    case ENOENT:
        return std::move(named)
            .with_kind(ErrorKind::not_supported)
            .with_hint("its parent does not offer the controller: enable it in cgroup.subtree_control up to the root");
    case EOPNOTSUPP:
        return std::move(named).with_hint("the cgroup is threaded (see cgroup.type); choose another linux.cgroupsPath");
    default: return std::move(named).with_hint("without this controller the limit cannot be kept");
    }
}

void enable_in(const std::string& directory, const std::vector<std::string>& wanted, std::vector<ControllerFailure>& failures)
{
    auto enabled = kernel::read_file(working_directory, directory + "/cgroup.subtree_control", small_file);
    auto offered = kernel::read_file(working_directory, directory + "/cgroup.controllers", small_file);
    if (!enabled || !offered)
        return;
    auto is_enabled = words(*enabled);
    auto is_offered = words(*offered);
    std::vector<std::string> missing;
    for (const auto& controller : wanted)
        if (!has(is_enabled, controller) && has(is_offered, controller))
            missing.push_back(controller);
    if (missing.empty())
        return;
    const std::string file = directory + "/cgroup.subtree_control";
    if (kernel::write_control_file(working_directory, file, "+" + join(missing, " +")))
        return;
    // All or nothing is the kernel's rule for one write: one at a time finds the ones that work.
    for (const auto& controller : missing)
        if (auto result = kernel::write_control_file(working_directory, file, "+" + controller); !result)
            failures.push_back({controller, std::move(result).error()});
}

} // namespace

Result<> enable_controllers(const std::string& mount_point, const std::string& path, const std::vector<std::string>& wanted,
                            const std::vector<std::string>& needed)
{
    if (wanted.empty())
        return {};
    const std::string list = mount_point + path + "/cgroup.controllers";
    auto all_in = [](const std::vector<std::string>& part, const std::vector<std::string>& whole) {
        return std::all_of(part.begin(), part.end(), [&](const auto& item) { return has(whole, item); });
    };
    // Parents that other containers use have them already: one read then.
    if (all_in(wanted, words(TRY(kernel::read_file(working_directory, list, small_file)))))
        return {};
    std::vector<ControllerFailure> failures;
    for (const auto& parent : parents_of(mount_point, path))
        enable_in(parent, wanted, failures);
    auto present = words(TRY(kernel::read_file(working_directory, list, small_file)));
    for (const auto& controller : needed) {
        if (has(present, controller))
            continue;
        for (auto& failed : failures)
            if (failed.controller == controller)
                return failure(explain_enabling(controller, std::move(failed.error)));
        return failure(explain_enabling(
            controller, Error::system_call(ENOENT, fmt::format("{} does not list {}", one_line(list), controller))));
    }
    return {};
}

// ---- limits ------------------------------------------------------------------------------------------------------------

namespace {

// Device rules are many writes to the same two files: the last file stays open.
class LimitWriter {
public:
    explicit LimitWriter(FdRef directory) : m_directory(directory) {}

    Result<> write(const plan::CgroupWrite& limit)
    {
        auto result = write_to(limit.file, limit.value);
        if (!result && m_missing && !limit.other_file.empty())
            result = write_to(limit.other_file, limit.other_value);
        if (result)
            return {};
        int code = result.error().code();
        if (limit.optional && (m_missing || code == EOPNOTSUPP))
            return {};
        if (m_missing)
            return failure(missing_limit_file(limit, kernel::path_of(m_directory)));
        return failure(explain_limit(limit, std::move(result).error()));
    }

private:
    Result<> write_to(const std::string& name, const std::string& value)
    {
        m_missing = false;
        if (name != m_name) {
            auto file = kernel::open_at(m_directory, name, O_WRONLY | O_NOFOLLOW);
            if (!file) {
                m_missing = file.error().code() == ENOENT;
                m_name.clear();
                return failure(std::move(file).error());
            }
            m_file = std::move(*file);
            m_name = name;
        }
        auto result = kernel::write_all(m_file, value);
        if (!result)
            return failure(
                Error::system_call(result.error().code(), fmt::format("write {} to {}", quoted(value), kernel::path_of(m_file))));
        return {};
    }

    FdRef m_directory;
    Fd m_file;
    std::string m_name;
    bool m_missing = false;
};

} // namespace

Result<> write_limits(FdRef directory, const std::vector<plan::CgroupWrite>& writes)
{
    LimitWriter writer(directory);
    std::vector<const plan::CgroupWrite*> deferred;
    for (const auto& write : writes) {
        auto result = writer.write(write);
        if (!result && result.error().code() == EINVAL)
            deferred.push_back(&write);
        else if (!result)
            return result;
    }
    for (const auto* write : deferred)
        TRY(writer.write(*write));
    return {};
}

// ---- processes -----------------------------------------------------------------------------------------------------------

Result<std::vector<pid_t>> read_processes(const std::string& directory)
{
    std::vector<pid_t> processes;
    auto text = kernel::read_file(working_directory, directory + "/cgroup.procs", process_list_limit);
    // Removed meanwhile, or a threaded cgroup, whose processes the domain above it lists.
    if (!text && (text.error().code() == ENOENT || text.error().code() == ENODEV || text.error().code() == EOPNOTSUPP))
        return processes;
    if (!text)
        return failure(std::move(text).error());
    for (auto line : split(*text, '\n')) {
        auto number = line.empty() ? Result<int64_t>(0) : parse_integer(line);
        if (number && *number > 0)
            processes.push_back(static_cast<pid_t>(*number));
    }
    return processes;
}

Result<std::vector<std::string>> child_directories(const std::string& directory)
{
    std::vector<std::string> children;
    auto opened = kernel::open_at(working_directory, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened && opened.error().code() == ENOENT)
        return children;
    if (!opened)
        return failure(std::move(opened).error());
    for (const auto& name : TRY(kernel::list_directory(*opened))) {
        auto status = kernel::status_at(*opened, name, AT_SYMLINK_NOFOLLOW);
        if (status && S_ISDIR(status->st_mode))
            children.push_back(directory + "/" + name);
    }
    return children;
}

namespace {

Result<> collect_processes(const std::string& directory, std::vector<pid_t>& processes)
{
    auto own = TRY(read_processes(directory));
    processes.insert(processes.end(), own.begin(), own.end());
    for (const auto& child : TRY(child_directories(directory)))
        TRY(collect_processes(child, processes));
    return {};
}

} // namespace

Result<std::vector<pid_t>> read_processes_below(const std::string& directory)
{
    std::vector<pid_t> processes;
    TRY(collect_processes(directory, processes));
    std::sort(processes.begin(), processes.end());
    processes.erase(std::unique(processes.begin(), processes.end()), processes.end());
    return processes;
}

// ---- removal -------------------------------------------------------------------------------------------------------------

std::string value_of_key(std::string_view text, std::string_view key)
{
    for (auto line : split(text, '\n')) {
        auto space = line.find(' ');
        if (space != std::string_view::npos && line.substr(0, space) == key)
            return std::string(trim(line.substr(space + 1)));
    }
    return {};
}

namespace {

// The kernel announces everything but the last steps of a dying task; those take microseconds.
constexpr int64_t short_pause = 200; // microseconds
// Events wake us at once; this only bounds what a missed one could cost.
constexpr int64_t longest_wait = 100; // milliseconds

Result<> wait_until_unpopulated(const std::string& directory, int64_t deadline)
{
    auto events = kernel::open_at(working_directory, directory + "/cgroup.events", O_RDONLY);
    if (!events)
        return {}; // gone: the next rmdir tells
    while (value_of_key(TRY(kernel::read_from_start(*events, small_file)), "populated") == "1") {
        int64_t left = deadline - kernel::monotonic_milliseconds();
        if (left <= 0)
            return {};
        (void)TRY(kernel::wait_for_change(*events, std::min(left, longest_wait)));
    }
    kernel::sleep_microseconds(short_pause);
    return {};
}

Result<> wait_for_processes(const std::string& directory, int64_t deadline)
{
    for (pid_t process : TRY(read_processes(directory))) {
        auto pidfd = kernel::pidfd_open(process);
        int64_t left = deadline - kernel::monotonic_milliseconds();
        if (pidfd && left > 0)
            TRY(kernel::wait_for_end(*pidfd, std::min(left, longest_wait)));
    }
    kernel::sleep_microseconds(short_pause);
    return {};
}

Error still_busy(const std::string& directory, Error error)
{
    auto processes = read_processes_below(directory).value_or(std::vector<pid_t>());
    std::vector<std::string> names;
    for (pid_t process : processes)
        if (names.size() < 8)
            names.push_back(std::to_string(process));
    if (names.empty())
        return error;
    return std::move(error)
        .with_kind(ErrorKind::timed_out)
        .with_hint(fmt::format("{} processes are still inside: {}; a process that does not die waits in the kernel, see "
                               "/proc/PID/stack",
                               processes.size(), join(names, ", ")));
}

} // namespace

Result<> remove_cgroup_directory(const std::string& directory, bool unified, int64_t deadline)
{
    while (true) {
        auto result = kernel::remove_directory(working_directory, directory);
        if (result)
            return {};
        if (result.error().code() != EBUSY && result.error().code() != ENOTEMPTY)
            return result;
        auto children = TRY(child_directories(directory));
        for (const auto& child : children)
            TRY(remove_cgroup_directory(child, unified, deadline));
        if (kernel::monotonic_milliseconds() >= deadline)
            return failure(still_busy(directory, std::move(result).error()));
        if (children.empty())
            TRY(unified ? wait_until_unpopulated(directory, deadline) : wait_for_processes(directory, deadline));
    }
}

} // namespace brig::cgroup
