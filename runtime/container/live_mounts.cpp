#include "container/live_mounts.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "container/creation.hpp"
#include "container/inside.hpp"
#include "container/lifecycle.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "setup/root_added.hpp"
#include "spec/read_spec.hpp"

#include <algorithm>

namespace brig::container {

namespace {

constexpr const char* file_name = "mounts.json";

// ---- the request ---------------------------------------------------------------------------------------------------

Result<Json> list_from(const std::string& text)
{
    Json json = TRY(Json::parse(text));
    JsonView list = json.view().is_object() ? json.view().member("mounts") : json.view();
    if (!list.is_array())
        return failure(Error(ErrorKind::invalid, "the mounts are not a list")
                           .with_hint("[{\"destination\": \"/data\", \"source\": \"/srv/data\", \"options\": [\"bind\"]}]"));
    return Json::copy_of(list);
}

Result<> check_destination(JsonView mount, size_t index)
{
    std::string destination = mount.member("destination").string();
    if (destination.starts_with("/"))
        return {};
    return failure(
        Error(ErrorKind::invalid, fmt::format("mounts[{}]: destination {} is not absolute", index, quoted(destination))));
}

struct OpenContainer {
    StateDirectory directory;
    Record record;
    Fd init;
};

Result<OpenContainer> open_running(const Context& context, const std::string& id)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::exclusive));
    Record record = TRY(directory.read_record());
    Status status = TRY(status_of(directory, record));
    if (status == Status::stopped || status == Status::creating)
        return failure(ErrorKind::wrong_state, "container not running");
    Fd init = TRY(open_init(record));
    return OpenContainer{std::move(directory), std::move(record), std::move(init)};
}

// The mounts as a start would plan them, with all its checks: in config.json they stand in place of the container's own.
Result<plan::RootFilesystem> plan_added(const Context& context, const OpenContainer& container, JsonView list)
{
    Json config = TRY(Json::parse(TRY(container.directory.read_file("config.json"))));
    config.set("mounts", Json::copy_of(list));
    CreateRequest request;
    request.id = container.record.id;
    request.bundle = container.record.bundle;
    request.config_text = config.to_text();
    plan::RootFilesystem root = TRY(plan_from(context, request)).plan.root;
    for (const auto& mount : root.mounts)
        TRY_DURING(fmt::format("mounts[{}]", mount.spec_index), setup::check_added_mount(mount));
    return root;
}

// ---- what is remembered ----------------------------------------------------------------------------------------------

Result<> write_live_mounts(const StateDirectory& directory, const std::vector<LiveMount>& mounts)
{
    Json list = Json::array();
    for (const auto& mount : mounts)
        list.append(std::move(Json::object()
                                  .set("destination", Json::string(mount.destination))
                                  .set("source", Json::string(mount.host_source))
                                  .set("id", Json::unsigned_number(mount.id))));
    return directory.write_file(file_name, list.to_text());
}

} // namespace

Result<std::vector<LiveMount>> read_live_mounts(const StateDirectory& directory)
{
    std::vector<LiveMount> mounts;
    if (!directory.has_file(file_name))
        return mounts;
    Json list = TRY_DURING(file_name, Json::parse(TRY(directory.read_file(file_name))));
    for (size_t index = 0; list.view().is_array() && index < list.view().size(); index++) {
        JsonView entry = list.view().at(index);
        mounts.push_back({entry.member("destination").string(), entry.member("source").string(),
                          TRY_DURING(file_name, entry.member("id").unsigned_integer())});
    }
    return mounts;
}

// ---- adding ------------------------------------------------------------------------------------------------------------

namespace {

Result<std::vector<LiveMount>> attach_all(const OpenContainer& container, const plan::RootFilesystem& planned)
{
    std::vector<Fd> sources;
    for (const auto& mount : planned.mounts) {
        bool bind = mount.kind == plan::MountKind::bind;
        sources.push_back(bind ? TRY_DURING(fmt::format("mounts[{}]: open {}", mount.spec_index, quoted(mount.host_source)),
                                            setup::clone_added_source(mount))
                               : Fd());
    }
    std::string ids =
        TRY(run_inside(container.init, container.record.namespaces, [&](FdRef root, FdRef host_proc) -> Result<std::string> {
            setup::AddedMounts request{.root = root, .host_proc = host_proc, .mounts = planned.mounts, .sources = sources};
            request.label = planned.mount_label;
            auto added = TRY(setup::add_mounts(request));
            return fmt::format("{}", fmt::join(added, " "));
        }));
    std::vector<LiveMount> live;
    auto words = split(ids, ' ');
    for (size_t index = 0; index < planned.mounts.size(); index++) {
        const plan::Mount& mount = planned.mounts[index];
        bool bind = mount.kind == plan::MountKind::bind;
        live.push_back({mount.destination, bind ? mount.host_source : "", TRY(parse_unsigned(words[index]))});
    }
    return live;
}

} // namespace

Result<> add_mounts(const Context& context, const std::string& id, const std::string& text)
{
    Json list = TRY(list_from(text));
    for (size_t index = 0; index < list.view().size(); index++)
        TRY(check_destination(list.view().at(index), index));
    auto container = TRY(open_running(context, id));
    auto live = TRY(read_live_mounts(container.directory));
    auto planned = TRY(plan_added(context, container, list.view()));
    if (planned.mounts.empty())
        return {};
    auto added = TRY(attach_all(container, planned));
    live.insert(live.end(), added.begin(), added.end());
    return write_live_mounts(container.directory, live);
}

// ---- removal ---------------------------------------------------------------------------------------------------------

namespace {

// One that was added is known by its id, wherever links led it to; the last one added lies on top.
setup::RemovedMount place_of(const std::string& destination, const std::vector<LiveMount>& live,
                             const std::vector<kernel::MountEntry>& table)
{
    for (auto mount = live.rbegin(); mount != live.rend(); ++mount) {
        auto entry = std::ranges::find(table, mount->id, &kernel::MountEntry::id);
        if (mount->destination == destination && entry != table.end())
            return {entry->mount_point, mount->id};
    }
    return {destination, 0};
}

} // namespace

Result<> remove_mounts(const Context& context, const std::string& id, const std::string& text)
{
    Json list = TRY(list_from(text));
    auto container = TRY(open_running(context, id));
    auto live = TRY(read_live_mounts(container.directory));
    auto table = TRY(kernel::read_mount_table(std::to_string(container.record.pid)));
    std::vector<setup::RemovedMount> places;
    for (size_t index = 0; index < list.view().size(); index++) {
        TRY(check_destination(list.view().at(index), index));
        std::string destination = clean_path(list.view().at(index).member("destination").string());
        if (destination == "/")
            return failure(ErrorKind::invalid, "the root of a running container cannot be removed");
        places.push_back(place_of(destination, live, table));
        std::erase_if(live, [&](const LiveMount& mount) { return places.back().id != 0 && mount.id == places.back().id; });
    }
    TRY(run_inside(container.init, container.record.namespaces, [&](FdRef root, FdRef host_proc) -> Result<std::string> {
        TRY(setup::remove_mounts(root, host_proc, places));
        return std::string("done");
    }));
    return write_live_mounts(container.directory, live);
}

} // namespace brig::container
