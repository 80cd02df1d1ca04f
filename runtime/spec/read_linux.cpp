#include "spec/reader.hpp"
#include "spec/vocabulary.hpp"

#include <array>

namespace brig::spec {

static Result<> read_value(JsonView value, const Place& place, NamespaceType& out)
{
    TRY(expect_type(value, place, JsonType::string));
    const auto* word = find_namespace_word(value.string());
    if (word == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : namespace_words())
            names.emplace_back(known.name);
        return wrong_value(place, alternatives(names), value);
    }
    out = word->type;
    return {};
}

static Result<> read_value(JsonView value, const Place& place, Namespace& out)
{
    static constexpr std::array rows = {
        row<&Namespace::type>("type"),
        row<&Namespace::path>("path"),
    };
    TRY(expect_type(value, place, JsonType::object));
    // Without this, a namespace that lacks its type would silently be a mount namespace.
    if (value.member("type").is_null())
        return wrong_value(place.member("type"), "a string", value.member("type"));
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, TimeOffset& out)
{
    static constexpr std::array rows = {
        row<&TimeOffset::seconds>("secs"),
        row<&TimeOffset::nanoseconds>("nanosecs"),
    };
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, IdMapping& out)
{
    static constexpr std::array rows = {
        row<&IdMapping::container_id>("containerID"),
        row<&IdMapping::host_id>("hostID"),
        row<&IdMapping::size>("size"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_device_type(JsonView value, const Place& place, Device& out)
{
    TRY(expect_type(value, place, JsonType::string));
    std::string type = value.string();
    if (type != "c" && type != "b" && type != "u" && type != "p")
        return wrong_value(place, "\"c\", \"b\", \"u\" or \"p\"", value);
    out.type = type.front();
    return {};
}

static Result<> read_value(JsonView value, const Place& place, Device& out)
{
    static constexpr std::array rows = {
        Row<Device>{"type", read_device_type},
        row<&Device::path>("path"),
        row<&Device::major>("major"),
        row<&Device::minor>("minor"),
        row<&Device::file_mode>("fileMode"),
        row<&Device::uid>("uid"),
        row<&Device::gid>("gid"),
    };
    TRY(expect_type(value, place, JsonType::object));
    if (value.member("type").is_null())
        return wrong_value(place.member("type"), "a string", value.member("type"));
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, NetDevice& out)
{
    static constexpr std::array rows = {row<&NetDevice::name>("name")};
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Personality& out)
{
    static constexpr std::array rows = {
        row<&Personality::domain>("domain"),
        row<&Personality::flags>("flags"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, IntelRdt& out)
{
    static constexpr std::array rows = {
        row<&IntelRdt::clos_id>("closID"),
        row<&IntelRdt::l3_cache_schema>("l3CacheSchema"),
        row<&IntelRdt::mem_bw_schema>("memBwSchema"),
        row<&IntelRdt::schemata>("schemata"),
        row<&IntelRdt::enable_monitoring>("enableMonitoring"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, MemoryPolicy& out)
{
    static constexpr std::array rows = {
        row<&MemoryPolicy::mode>("mode"),
        row<&MemoryPolicy::nodes>("nodes"),
        row<&MemoryPolicy::flags>("flags"),
    };
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Linux& out)
{
    static constexpr std::array rows = {
        row<&Linux::namespaces>("namespaces"),
        row<&Linux::time_offsets>("timeOffsets"),
        row<&Linux::uid_mappings>("uidMappings"),
        row<&Linux::gid_mappings>("gidMappings"),
        row<&Linux::devices>("devices"),
        row<&Linux::net_devices>("netDevices"),
        row<&Linux::cgroups_path>("cgroupsPath"),
        row<&Linux::resources>("resources"),
        row<&Linux::sysctl>("sysctl"),
        row<&Linux::seccomp>("seccomp"),
        row<&Linux::rootfs_propagation>("rootfsPropagation"),
        row<&Linux::masked_paths>("maskedPaths"),
        row<&Linux::readonly_paths>("readonlyPaths"),
        row<&Linux::mount_label>("mountLabel"),
        row<&Linux::intel_rdt>("intelRdt"),
        row<&Linux::personality>("personality"),
        row<&Linux::memory_policy>("memoryPolicy"),
    };
    return read_rows(value, place, rows, out);
}

} // namespace brig::spec
