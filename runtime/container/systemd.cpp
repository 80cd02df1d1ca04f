#include "container/systemd.hpp"

#include "base/text.hpp"
#include "container/creation.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

namespace brig::container {

std::string unit_description(const Context& context, const std::string& id)
{
    return fmt::format("brig container {}", join_path(context.state_root, id));
}

Result<std::unique_ptr<cgroup::SystemdManager>> connect_to_systemd(const Context& context, HostFacts& facts)
{
    bool of_user = !facts.is_privileged();
    auto manager = std::make_unique<cgroup::SystemdManager>(TRY(cgroup::SystemdManager::connect(of_user, context.session)));
    // The system's manager has all cgroups there are.
    if (!of_user)
        return manager;
    facts.systemd_cgroup = TRY_DURING("ask the user's systemd for its cgroup", manager->control_group());
    constexpr size_t small_file = 1 << 16;
    std::string file = facts.cgroup_v2_mount_point + facts.systemd_cgroup + "/cgroup.controllers";
    facts.cgroup_v2_delegated_controllers.clear();
    std::string text = kernel::read_file(kernel::working_directory, file, small_file).value_or(std::string());
    for (auto controller : split(trim(text), ' '))
        if (!controller.empty())
            facts.cgroup_v2_delegated_controllers.emplace_back(controller);
    return manager;
}

Result<> forget_foreign_unit(const Context& context, Record& record)
{
    if (!record.unit || (record.complete && open_init(record)))
        return {};
    auto manager = cgroup::SystemdManager::connect(record.unit->of_user, context.session);
    auto owner = manager ? manager->owner_of(*record.unit) : failure(manager.error());
    // What was once there may be deleted without systemd.
    if (!owner && record.complete)
        return {};
    if (TRY(std::move(owner)) != cgroup::SystemdManager::Owner::somebody_else)
        return {};
    context.log.warning(fmt::format("the unit {} of container {} is somebody else's and stays", record.unit->name, record.id));
    record.cgroups.clear();
    record.unit.reset();
    return {};
}

Result<ScopeKeeper> ScopeKeeper::start()
{
    auto [stays, stays_open] = TRY(kernel::make_pipe());
    auto child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        (void)kernel::set_parent_death_signal(SIGKILL);
        stays_open.reset();
        (void)kernel::wait_readable(stays, -1);
        kernel::exit_now(0);
    }
    return ScopeKeeper(child.pid, std::move(stays_open));
}

ScopeKeeper& ScopeKeeper::operator=(ScopeKeeper&& other) noexcept
{
    end();
    m_pid = other.m_pid;
    m_stays_open = std::move(other.m_stays_open);
    return *this;
}

void ScopeKeeper::end()
{
    if (!m_stays_open.valid())
        return; // moved from
    m_stays_open.reset();
    (void)kernel::wait_for(m_pid);
}

Result<> remove_cgroup_of(const Context& context, const Record& record, int64_t milliseconds)
{
    if (!record.unit)
        return cgroup::Cgroup::at(record.cgroups).remove(milliseconds);
    auto stop = [&]() -> Result<> {
        auto manager = TRY(cgroup::SystemdManager::connect(record.unit->of_user, context.session));
        return manager.stop_unit(*record.unit);
    };
    auto rest = record.cgroups;
    if (auto stopped = stop(); !stopped) {
        context.log.warning(fmt::format("the unit {} of container {} was not stopped: {}", record.unit->name, record.id,
                                        stopped.error().message()));
        // systemd would miss the end of the last process, and keep the unit, if its directory were gone already.
        std::erase_if(rest, [](const cgroup::Location& location) { return location.unified; });
    }
    return cgroup::Cgroup::at(std::move(rest)).remove(milliseconds);
}

} // namespace brig::container
