#include "container/state_store.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "spec/version.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::container {

namespace {

constexpr const char* record_name = "brig.json";
constexpr size_t largest_state_file = size_t{64} << 20;
constexpr mode_t directory_mode = 0711; // a user namespace's root may pass through to its own files

} // namespace

std::string_view status_name(Status status)
{
    switch (status) {
    case Status::creating: return "creating";
    case Status::created: return "created";
    case Status::running: return "running";
    case Status::paused: return "paused";
    case Status::stopped: return "stopped";
    }
    return "unknown";
}

Result<> check_id(const std::string& id)
{
    constexpr size_t longest = 1024;
    auto refuse = [&](std::string_view why) {
        return failure(Error(ErrorKind::invalid, fmt::format("invalid container ID {}: {}", quoted(id.substr(0, 80)), why))
                           .with_hint("use 1 to 1024 characters of A-Z a-z 0-9 _ + . -"));
    };
    if (id.empty())
        return refuse("it is empty");
    if (id.size() > longest)
        return refuse("it is too long");
    if (id == "." || id == "..")
        return refuse("it names a directory of its own");
    for (char character : id) {
        bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
        bool digit = character >= '0' && character <= '9';
        if (!letter && !digit && std::string_view("_+.-").find(character) == std::string_view::npos)
            return refuse(fmt::format("it contains {}", quoted(std::string(1, character))));
    }
    return {};
}

// ---- the record ------------------------------------------------------------------------------------------------------

namespace {

Json annotations_json(const std::map<std::string, std::string>& annotations)
{
    Json object = Json::object();
    for (const auto& [key, value] : annotations)
        object.set(key, Json::string(value));
    return object;
}

Json record_to_json(const Record& record)
{
    Json json = Json::object();
    json.set("ociVersion", Json::string(record.oci_version));
    json.set("id", Json::string(record.id));
    json.set("bundle", Json::string(record.bundle));
    json.set("rootfs", Json::string(record.rootfs));
    json.set("created", Json::string(record.created));
    json.set("annotations", annotations_json(record.annotations));
    if (!record.policies.empty())
        json.set("policies", Json::strings(record.policies));
    json.set("ownerUid", Json::number(record.owner_uid));
    json.set("pid", Json::number(record.pid));
    json.set("startTime", Json::unsigned_number(record.start_time));
    if (record.guard != 0)
        json.set("guard", Json::number(record.guard)).set("guardStartTime", Json::unsigned_number(record.guard_start_time));
    json.set("complete", Json::boolean(record.complete));
    json.set("hostPidNamespace", Json::boolean(record.host_pid_namespace));
    json.set("hasPoststartHooks", Json::boolean(record.has_poststart_hooks));
    json.set("hasPoststopHooks", Json::boolean(record.has_poststop_hooks));
    json.set("ownKeyring", Json::boolean(record.own_keyring));
    json.set("namespaces", Json::unsigned_number(record.namespaces));
    json.set("cgroups", cgroup::locations_to_json(record.cgroups));
    if (record.unit)
        json.set("unit", cgroup::unit_to_json(*record.unit));
    if (!record.resctrl.empty())
        json.set("resctrl", Json::strings(record.resctrl)).set("ownResctrl", Json::strings(record.own_resctrl));
    return json;
}

std::vector<std::string> texts_from(JsonView array)
{
    std::vector<std::string> texts;
    for (size_t index = 0; !array.is_null() && index < array.size(); index++)
        texts.push_back(array.at(index).string());
    return texts;
}

Result<Record> record_from_json(JsonView json)
{
    Record record;
    record.oci_version = json.member("ociVersion").string();
    record.id = json.member("id").string();
    record.bundle = json.member("bundle").string();
    record.rootfs = json.member("rootfs").string();
    record.created = json.member("created").string();
    json.member("annotations").for_each_member([&](std::string_view key, JsonView value) {
        record.annotations.emplace(key, value.string());
    });
    record.policies = texts_from(json.member("policies"));
    record.owner_uid = static_cast<uint32_t>(TRY(json.member("ownerUid").unsigned_integer()));
    record.pid = static_cast<pid_t>(TRY(json.member("pid").signed_integer()));
    record.start_time = TRY(json.member("startTime").unsigned_integer());
    if (auto guard = json.member("guard"); !guard.is_null()) {
        record.guard = static_cast<pid_t>(TRY(guard.signed_integer()));
        record.guard_start_time = TRY(json.member("guardStartTime").unsigned_integer());
    }
    record.complete = json.member("complete").boolean();
    record.host_pid_namespace = json.member("hostPidNamespace").boolean();
    record.has_poststart_hooks = json.member("hasPoststartHooks").boolean();
    record.has_poststop_hooks = json.member("hasPoststopHooks").boolean();
    record.own_keyring = json.member("ownKeyring").boolean();
    record.namespaces = TRY(json.member("namespaces").unsigned_integer());
    record.cgroups = TRY(cgroup::locations_from_json(json.member("cgroups")));
    if (auto unit = json.member("unit"); !unit.is_null())
        record.unit = TRY(cgroup::unit_from_json(unit));
    record.resctrl = texts_from(json.member("resctrl"));
    record.own_resctrl = texts_from(json.member("ownResctrl"));
    return record;
}

} // namespace

Result<Record> StateDirectory::read_record() const
{
    auto explain = [this](Error error) {
        return failure(std::move(error).with_hint(
            fmt::format("the state of container {} is damaged; `brig delete --force {}` removes it", m_id, m_id)));
    };
    auto text = read_file(record_name);
    if (!text)
        return explain(std::move(text).error());
    auto json = Json::parse(*text);
    if (!json)
        return explain(std::move(json).error().during(record_name));
    auto record = record_from_json(json->view());
    if (!record)
        return explain(std::move(record).error().during(record_name));
    return record;
}

Result<> StateDirectory::write_record(const Record& record) const
{
    return write_file(record_name, record_to_json(record).to_text());
}

Result<std::string> StateDirectory::read_file(const std::string& name) const
{
    return kernel::read_file(m_directory, name, largest_state_file);
}

Result<> StateDirectory::write_file(const std::string& name, std::string_view data) const
{
    return kernel::replace_file(m_directory, name, data, 0600);
}

bool StateDirectory::has_file(const std::string& name) const
{
    return kernel::exists(m_directory, name);
}

Result<> StateDirectory::remove_file(const std::string& name) const
{
    return kernel::remove_file(m_directory, name);
}

// ---- the store -----------------------------------------------------------------------------------------------------------

namespace {

Error explain_state_root(Error error)
{
    if (error.code() != EACCES && error.code() != EROFS && error.code() != EPERM)
        return error;
    return std::move(error)
        .during("make the folder for the container's state")
        .with_hint("give a folder of your own, best on a tmpfs, with --root, or set XDG_RUNTIME_DIR (a login has /run/user/UID)");
}

Result<> make_root(const std::string& root, StateStore::RootMode mode)
{
    auto made = kernel::make_directories(root, directory_mode);
    if (!made)
        return failure(explain_state_root(std::move(made).error()));
    if (mode == StateStore::RootMode::plain)
        return {};
    // XDG Base Directory Specification: what is not sticky may be removed after six hours.
    constexpr mode_t sticky_mode = 01700;
    return kernel::change_mode(TRY(kernel::open_at(kernel::working_directory, root, O_RDONLY | O_DIRECTORY)), sticky_mode);
}

} // namespace

Result<StateDirectory> StateStore::create(const std::string& id, RootMode mode) const
{
    TRY(make_root(m_root, mode));
    Fd root = TRY(kernel::open_at(kernel::working_directory, m_root, O_PATH | O_DIRECTORY));
    auto made = kernel::make_directory(root, id, directory_mode);
    if (!made && made.error().code() == EEXIST)
        return failure(Error(ErrorKind::already_exists, fmt::format("container with given ID already exists: {}", id))
                           .with_hint("choose another ID or delete that container"));
    if (!made)
        return failure(explain_state_root(std::move(made).error()));
    Fd directory = TRY(kernel::open_at(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(kernel::lock_exclusive(directory));
    return StateDirectory(id, std::move(directory));
}

Result<StateDirectory> StateStore::open(const std::string& id, Locking locking) const
{
    TRY(check_id(id));
    auto missing = [&] { return failure(ErrorKind::not_found, "container does not exist"); };
    auto directory =
        kernel::open_at(kernel::working_directory, join_path(m_root, "./" + id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory && (directory.error().code() == ENOENT || directory.error().code() == ENOTDIR))
        return missing();
    StateDirectory opened(id, TRY(std::move(directory)));
    if (locking == Locking::exclusive)
        TRY(kernel::lock_exclusive(opened.m_directory));
    // Another verb may have removed it while we waited; a folder without a record is another runtime's.
    if (!opened.has_file(record_name))
        return missing();
    return opened;
}

Result<std::vector<std::string>> StateStore::list() const
{
    auto root = kernel::open_at(kernel::working_directory, m_root, O_RDONLY | O_DIRECTORY);
    if (!root && root.error().code() == ENOENT)
        return std::vector<std::string>{};
    Fd directory = TRY(std::move(root));
    std::vector<std::string> ids;
    for (auto& name : TRY(kernel::list_directory(directory)))
        if (kernel::exists(directory, name + "/" + record_name))
            ids.push_back(std::move(name));
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<> StateStore::remove_unfinished(const std::string& id) const
{
    auto directory =
        kernel::open_at(kernel::working_directory, join_path(m_root, "./" + id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory)
        return {};
    TRY(kernel::lock_exclusive(*directory));
    // Only what a create makes before its record is complete; anything else is another runtime's container.
    for (const auto& name : TRY(kernel::list_directory(*directory)))
        if (name.rfind(fmt::format(".{}.", record_name), 0) != 0)
            return {};
    return remove(id);
}

Result<> StateStore::remove(const std::string& id) const
{
    Fd root = TRY(kernel::open_at(kernel::working_directory, m_root, O_PATH | O_DIRECTORY));
    return kernel::remove_tree(root, id);
}

// ---- status and documents --------------------------------------------------------------------------------------------------

namespace {

bool is_alive(const Record& record)
{
    if (record.pid == 0)
        return false;
    auto stat = kernel::process_stat(record.pid);
    return stat && stat->start_time == record.start_time && stat->state != 'Z' && stat->state != 'X';
}

// Between create and start the init listens; execve closes the listener. The connection is a question that the init ignores.
bool waits_for_start(const StateDirectory& directory)
{
    return directory.has_file(start_socket_name) && kernel::connect_at(directory.fd(), start_socket_name).has_value();
}

} // namespace

Result<Status> status_of(const StateDirectory& directory, const Record& record)
{
    if (!is_alive(record))
        return record.complete ? Status::stopped : Status::creating;
    if (!record.complete)
        return Status::creating;
    if (waits_for_start(directory))
        return Status::created;
    bool frozen = TRY(cgroup::Cgroup::at(record.cgroups).frozen());
    return frozen ? Status::paused : Status::running;
}

Json hook_state(const Record& record, Status status)
{
    Json json = Json::object();
    json.set("ociVersion", Json::string(spec::spec_version));
    json.set("id", Json::string(record.id));
    json.set("status", Json::string(status_name(status)));
    if (status != Status::stopped)
        json.set("pid", Json::number(record.pid));
    json.set("bundle", Json::string(record.bundle));
    if (!record.annotations.empty())
        json.set("annotations", annotations_json(record.annotations));
    return json;
}

Json state_document(const Record& record, Status status, const std::string& owner_name)
{
    Json json = Json::object();
    json.set("ociVersion", Json::string(spec::spec_version));
    json.set("id", Json::string(record.id));
    json.set("pid", Json::number(status == Status::stopped ? 0 : record.pid));
    json.set("status", Json::string(status_name(status)));
    json.set("bundle", Json::string(record.bundle));
    json.set("rootfs", Json::string(record.rootfs));
    json.set("created", Json::string(record.created));
    if (!record.annotations.empty())
        json.set("annotations", annotations_json(record.annotations));
    json.set("owner", Json::string(owner_name));
    return json;
}

} // namespace brig::container
