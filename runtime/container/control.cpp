#include "container/control.hpp"

#include "base/text.hpp"
#include "cgroup/cgroup.hpp"
#include "container/creation.hpp"
#include "container/policies.hpp"
#include "container/state_store.hpp"
#include "setup/intel_rdt.hpp"

namespace brig::container {

namespace {

struct LockedContainer {
    StateDirectory directory;
    Record record;
    Status status;

    cgroup::Cgroup cgroup() const { return cgroup::Cgroup::at(record.cgroups); }
};

Result<LockedContainer> open_locked(const Context& context, const std::string& id)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::exclusive));
    Record record = TRY(directory.read_record());
    Status status = TRY(status_of(directory, record));
    return LockedContainer{std::move(directory), std::move(record), status};
}

} // namespace

Result<> pause(const Context& context, const std::string& id)
{
    auto container = TRY(open_locked(context, id));
    if (container.status != Status::running && container.status != Status::created)
        return failure(ErrorKind::wrong_state,
                       fmt::format("container not running or created: {}", status_name(container.status)));
    TRY(check_has_cgroup(container.record, "it cannot be paused"));
    constexpr int64_t patience = 10000; // milliseconds
    return container.cgroup().freeze(patience);
}

Result<> resume(const Context& context, const std::string& id)
{
    auto container = TRY(open_locked(context, id));
    if (container.status != Status::paused)
        return failure(ErrorKind::wrong_state, fmt::format("container not paused: {}", status_name(container.status)));
    return container.cgroup().thaw();
}

Result<> update(const Context& context, const std::string& id, const Update& update)
{
    auto container = TRY(open_locked(context, id));
    if (container.status == Status::stopped || container.status == Status::creating)
        return failure(ErrorKind::wrong_state, "container not running");
    if (!update.schemata.empty() && container.record.resctrl.empty())
        return failure(Error(ErrorKind::invalid, "the container has no class of Intel RDT whose schemata could change")
                           .with_hint("create it with linux.intelRdt"));
    if (update.schemata.empty())
        TRY(check_has_cgroup(container.record, "it has no limits to change"));
    spec::Resources resources = update.resources;
    for (const auto& policy : TRY(kept_policies(container.directory, container.record)))
        for (const auto& change : TRY(policy::tighten_update(resources, policy)))
            context.log.warning(
                fmt::format("{}: {} instead of {}: {}", change.property, change.after, change.before, change.reason));
    cgroup::Cgroup::TellSystemd tell_systemd;
    if (const auto& unit = container.record.unit)
        tell_systemd = [&](const std::vector<plan::UnitProperty>& properties) -> Result<> {
            auto systemd = TRY(cgroup::SystemdManager::connect(unit->of_user, context.session));
            return systemd.set_properties(unit->name, properties);
        };
    TRY(container.cgroup().update(resources, tell_systemd));
    return update.schemata.empty() ? Result<>() : setup::write_schemata(container.record.resctrl.front(), update.schemata);
}

} // namespace brig::container
