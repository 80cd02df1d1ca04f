#include "cgroup/systemd_manager.hpp"

#include "base/text.hpp"
#include "kernel/file_events.hpp"

#include <utility>

namespace brig::cgroup {

namespace {

constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* job_removed = "JobRemoved";
constexpr const char* other_driver =
    "use --cgroup-manager cgroupfs (dockerd: --exec-opt native.cgroupdriver=cgroupfs; containerd: "
    "SystemdCgroup = false)";
// systemd may be busy, not broken.
constexpr int64_t reply_time = 25000; // milliseconds
constexpr int64_t job_time = 30000;

} // namespace

// ---- where it is ---------------------------------------------------------------------------------------------------------

namespace {

int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

// "unix:path=/run/user/1000/bus,guid=..." -> the path, with its %xx undone; empty for other transports.
std::string path_of_address(std::string_view address)
{
    constexpr std::string_view transport = "unix:";
    constexpr std::string_view key = "path=";
    if (!address.starts_with(transport))
        return {};
    std::string path;
    for (auto part : split(address.substr(transport.size()), ','))
        if (part.starts_with(key))
            path = part.substr(key.size());
    std::string plain;
    for (size_t index = 0; index < path.size(); index++) {
        if (path[index] != '%') {
            plain += path[index];
            continue;
        }
        int high = index + 2 < path.size() ? hexadecimal(path[index + 1]) : -1;
        int low = index + 2 < path.size() ? hexadecimal(path[index + 2]) : -1;
        if (high < 0 || low < 0)
            return {};
        plain += static_cast<char>(high * 16 + low);
        index += 2;
    }
    return plain.starts_with('/') ? plain : std::string();
}

Error unreachable(bool of_user, const std::string& reason)
{
    if (of_user)
        return Error(ErrorKind::not_supported, "the user's own systemd cannot be reached: " + reason)
            .with_hint("log in as the user (loginctl enable-linger USER keeps it running), set XDG_RUNTIME_DIR, or use "
                       "--cgroup-manager cgroupfs");
    return Error(ErrorKind::not_supported, "systemd cannot be reached: " + reason).with_hint(other_driver);
}

} // namespace

std::vector<ManagerSocket> manager_sockets(bool of_user, const UserSession& session)
{
    using Peer = BusConnection::Peer;
    if (!of_user)
        return {{"/run/systemd/private", Peer::manager}, {"/run/dbus/system_bus_socket", Peer::bus}};
    std::vector<ManagerSocket> sockets;
    bool has_directory = session.runtime_directory.starts_with('/');
    if (has_directory)
        sockets.push_back({session.runtime_directory + "/systemd/private", Peer::manager});
    for (auto address : split(session.bus_address, ';'))
        if (auto path = path_of_address(address); !path.empty())
            sockets.push_back({path, Peer::bus});
    if (has_directory)
        sockets.push_back({session.runtime_directory + "/bus", Peer::bus});
    return sockets;
}

Result<SystemdManager> SystemdManager::connect(bool of_user, const UserSession& session)
{
    std::string reason = "neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS names a socket";
    bool first = true;
    for (const auto& socket : manager_sockets(of_user, session)) {
        auto connection = BusConnection::open(socket.path, socket.peer);
        if (connection) {
            connection->keep_signals(job_removed);
            return SystemdManager(*std::move(connection));
        }
        if (std::exchange(first, false))
            reason = connection.error().message();
    }
    return failure(unreachable(of_user, reason));
}

// ---- arguments -----------------------------------------------------------------------------------------------------------

namespace {

struct ValueWriter {
    BusWriter& writer;

    void operator()(bool value) const
    {
        writer.signature("b");
        writer.boolean(value);
    }
    void operator()(int32_t value) const
    {
        writer.signature("i");
        writer.uint32(static_cast<uint32_t>(value));
    }
    void operator()(uint32_t value) const
    {
        writer.signature("u");
        writer.uint32(value);
    }
    void operator()(uint64_t value) const
    {
        writer.signature("t");
        writer.uint64(value);
    }
    void operator()(const std::string& value) const
    {
        writer.signature("s");
        writer.string(value);
    }
    void operator()(const std::vector<std::string>& value) const
    {
        writer.signature("as");
        auto array = writer.begin_array(4);
        for (const auto& text : value)
            writer.string(text);
        writer.end_array(array);
    }
    void operator()(const std::vector<uint8_t>& value) const
    {
        writer.signature("ay");
        auto array = writer.begin_array(1);
        for (auto byte : value)
            writer.byte(byte);
        writer.end_array(array);
    }
    void operator()(const std::vector<std::pair<std::string, std::string>>& value) const
    {
        writer.signature("a(ss)");
        auto array = writer.begin_array(8);
        for (const auto& [first, second] : value) {
            writer.align(8);
            writer.string(first);
            writer.string(second);
        }
        writer.end_array(array);
    }
};

void write_properties(BusWriter& writer, const std::vector<plan::UnitProperty>& properties)
{
    for (const auto& property : properties) {
        writer.align(8);
        writer.string(property.name);
        std::visit(ValueWriter{writer}, property.value);
    }
}

BusCall manager_call(const char* member, std::string signature, std::string body)
{
    return {"", manager_path, manager_interface, member, std::move(signature), std::move(body)};
}

Error refused(const std::string& what, const BusRefusal& refusal)
{
    std::string words = refusal.text.empty() ? refusal.name : refusal.text;
    if (refusal.name == "org.freedesktop.systemd1.UnitExists")
        return Error(ErrorKind::already_exists, fmt::format("{}: {}", what, one_line(words)))
            .with_hint("another container or service has it: stop that, or give another linux.cgroupsPath");
    return Error(ErrorKind::system, fmt::format("{}: {}", what, one_line(words)));
}

} // namespace

std::string transient_unit_arguments(const plan::SystemdUnit& unit, pid_t process)
{
    BusWriter writer;
    writer.string(unit.name);
    writer.string("fail"); // beside a job of somebody else's for this unit there is none
    auto properties = writer.begin_array(8);
    write_properties(writer, unit.properties);
    if (!unit.is_slice()) {
        writer.align(8);
        writer.string("PIDs");
        writer.signature("au");
        auto processes = writer.begin_array(4);
        writer.uint32(static_cast<uint32_t>(process));
        writer.end_array(processes);
    }
    writer.end_array(properties);
    writer.end_array(writer.begin_array(8)); // no further units
    return writer.bytes();
}

std::string unit_property_arguments(const std::string& unit, const std::vector<plan::UnitProperty>& properties)
{
    BusWriter writer;
    writer.string(unit);
    writer.boolean(true); // not beyond the next boot
    auto array = writer.begin_array(8);
    write_properties(writer, properties);
    writer.end_array(array);
    return writer.bytes();
}

std::string unit_object_path(std::string_view unit)
{
    std::string path = std::string(manager_path) + "/unit/";
    for (size_t index = 0; index < unit.size(); index++) {
        char character = unit[index];
        bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
        bool digit = character >= '0' && character <= '9' && index > 0;
        if (letter || digit)
            path += character;
        else
            path += fmt::format("_{:02x}", static_cast<unsigned char>(character));
    }
    return path;
}

// ---- calls ---------------------------------------------------------------------------------------------------------------

Result<std::string> SystemdManager::text_property(const std::string& path, const char* interface, const char* name)
{
    BusWriter arguments;
    arguments.string(interface);
    arguments.string(name);
    BusCall call{"", path, "org.freedesktop.DBus.Properties", "Get", "ss", arguments.bytes()};
    auto answer = TRY(m_connection.call(std::move(call), reply_time));
    if (answer.refused())
        return failure(refused(fmt::format("systemd does not tell {}", name), answer.refusal));
    BusReader reader(answer.reply.body);
    if (answer.reply.signature != "v" || TRY(reader.signature()) != "s")
        return failure(ErrorKind::system, fmt::format("systemd's {} is not a text", name));
    return reader.string();
}

Result<std::string> SystemdManager::control_group()
{
    std::string path = TRY(text_property(manager_path, manager_interface, "ControlGroup"));
    return path == "/" ? std::string() : path;
}

Result<> SystemdManager::wait_for_job(const BusMessage& reply, const std::string& unit)
{
    if (reply.signature != "o")
        return failure(ErrorKind::system, "systemd's answer names no job");
    std::string job = TRY(BusReader(reply.body).string());
    int64_t deadline = kernel::monotonic_milliseconds() + job_time;
    while (true) {
        auto signal = m_connection.next_signal(job_removed, deadline - kernel::monotonic_milliseconds());
        if (!signal)
            return failure(std::move(signal).error().during(fmt::format("wait for systemd's job for {}", unit)));
        if (signal->signature != "uoss")
            continue;
        BusReader reader(signal->body);
        (void)TRY(reader.uint32());
        if (TRY(reader.string()) != job)
            continue;
        (void)TRY(reader.string()); // the unit
        std::string result = TRY(reader.string());
        if (result == "done")
            return {};
        return failure(Error(ErrorKind::system, fmt::format("systemd's job for {} has ended as {}", unit, quoted(result)))
                           .with_hint(fmt::format("systemctl status {} and journalctl -u {} may tell more", unit, unit)));
    }
}

Result<> SystemdManager::start_unit(const plan::SystemdUnit& unit, pid_t process)
{
    auto call = manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))", transient_unit_arguments(unit, process));
    auto answer = TRY(m_connection.call(call, reply_time));
    if (answer.refusal.name == "org.freedesktop.systemd1.UnitExists") {
        // What failed earlier holds the name without being there; a unit that runs is not touched by this.
        BusWriter name;
        name.string(unit.name);
        (void)TRY(m_connection.call(manager_call("ResetFailedUnit", "s", name.bytes()), reply_time));
        answer = TRY(m_connection.call(std::move(call), reply_time));
    }
    if (answer.refused())
        return failure(refused(fmt::format("systemd refuses to start {}", unit.name), answer.refusal));
    return wait_for_job(answer.reply, unit.name);
}

Result<> SystemdManager::set_properties(const std::string& unit, const std::vector<plan::UnitProperty>& properties)
{
    auto call = manager_call("SetUnitProperties", "sba(sv)", unit_property_arguments(unit, properties));
    auto answer = TRY(m_connection.call(std::move(call), reply_time));
    if (answer.refused())
        return failure(refused(fmt::format("systemd refuses to change {}", unit), answer.refusal));
    return {};
}

Result<> SystemdManager::attach(const std::string& unit, pid_t process)
{
    BusWriter arguments;
    arguments.string(unit);
    arguments.string(""); // the unit's own cgroup
    auto processes = arguments.begin_array(4);
    arguments.uint32(static_cast<uint32_t>(process));
    arguments.end_array(processes);
    auto answer = TRY(m_connection.call(manager_call("AttachProcessesToUnit", "ssau", arguments.bytes()), reply_time));
    if (answer.refused())
        return failure(refused(fmt::format("systemd refuses to move a process into {}", unit), answer.refusal));
    return {};
}

Result<SystemdManager::Owner> SystemdManager::owner_of(const UnitIdentity& unit)
{
    const std::string path = unit_object_path(unit.name);
    if (TRY(text_property(path, unit_interface, "Description")) == unit.description)
        return Owner::container;
    // A unit that is not there is described by its name.
    return TRY(text_property(path, unit_interface, "ActiveState")) == "inactive" ? Owner::nobody : Owner::somebody_else;
}

Result<> SystemdManager::stop_unit(const UnitIdentity& unit)
{
    if (TRY(owner_of(unit)) != Owner::container)
        return {};
    BusWriter arguments;
    arguments.string(unit.name);
    arguments.string("replace");
    auto answer = TRY(m_connection.call(manager_call("StopUnit", "ss", arguments.bytes()), reply_time));
    if (answer.refusal.name == "org.freedesktop.systemd1.NoSuchUnit")
        return {};
    if (answer.refused())
        return failure(refused(fmt::format("systemd refuses to stop {}", unit.name), answer.refusal));
    return wait_for_job(answer.reply, unit.name);
}

// ---- the state file --------------------------------------------------------------------------------------------------------

UnitIdentity identity_of(const plan::SystemdUnit& unit)
{
    return {unit.name, unit.description, unit.of_user};
}

Json unit_to_json(const UnitIdentity& unit)
{
    Json json = Json::object();
    json.set("name", Json::string(unit.name))
        .set("description", Json::string(unit.description))
        .set("ofUser", Json::boolean(unit.of_user));
    return json;
}

Result<UnitIdentity> unit_from_json(JsonView view)
{
    UnitIdentity unit{view.member("name").string(), view.member("description").string(), view.member("ofUser").boolean()};
    if (unit.name.empty() || unit.description.empty())
        return failure(ErrorKind::invalid, "the state's systemd unit has no name");
    return unit;
}

} // namespace brig::cgroup
