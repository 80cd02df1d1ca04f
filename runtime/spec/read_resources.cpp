#include "spec/reader.hpp"

#include <array>

namespace brig::spec {

static Result<> read_rule_type(JsonView value, const Place& place, DeviceRule& out)
{
    TRY(expect_type(value, place, JsonType::string));
    std::string type = value.string();
    if (type.empty())
        return {};
    if (type != "a" && type != "c" && type != "b")
        return wrong_value(place, "\"a\", \"c\" or \"b\"", value);
    out.type = type.front();
    return {};
}

// -1 is how runc and the engines write "all", which the specification says by absence.
template<std::optional<int64_t> DeviceRule::*member>
static Result<> read_rule_number(JsonView value, const Place& place, DeviceRule& out)
{
    TRY(read_value(value, place, out.*member));
    if (out.*member == -1)
        (out.*member).reset();
    return {};
}

static Result<> read_value(JsonView value, const Place& place, DeviceRule& out)
{
    static constexpr std::array rows = {
        row<&DeviceRule::allow>("allow"),
        Row<DeviceRule>{"type", read_rule_type},
        Row<DeviceRule>{"major", read_rule_number<&DeviceRule::major>},
        Row<DeviceRule>{"minor", read_rule_number<&DeviceRule::minor>},
        row<&DeviceRule::access>("access"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Memory& out)
{
    static constexpr std::array rows = {
        row<&Memory::limit>("limit"),
        row<&Memory::reservation>("reservation"),
        row<&Memory::swap>("swap"),
        row<&Memory::kernel>("kernel"),
        row<&Memory::kernel_tcp>("kernelTCP"),
        row<&Memory::swappiness>("swappiness"),
        row<&Memory::disable_oom_killer>("disableOOMKiller"),
        row<&Memory::use_hierarchy>("useHierarchy"),
        row<&Memory::check_before_update>("checkBeforeUpdate"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Cpu& out)
{
    static constexpr std::array rows = {
        row<&Cpu::shares>("shares"),
        row<&Cpu::quota>("quota"),
        row<&Cpu::burst>("burst"),
        row<&Cpu::period>("period"),
        row<&Cpu::realtime_runtime>("realtimeRuntime"),
        row<&Cpu::realtime_period>("realtimePeriod"),
        row<&Cpu::cpus>("cpus"),
        row<&Cpu::mems>("mems"),
        row<&Cpu::idle>("idle"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, WeightDevice& out)
{
    static constexpr std::array rows = {
        row<&WeightDevice::major>("major"),
        row<&WeightDevice::minor>("minor"),
        row<&WeightDevice::weight>("weight"),
        row<&WeightDevice::leaf_weight>("leafWeight"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, ThrottleDevice& out)
{
    static constexpr std::array rows = {
        row<&ThrottleDevice::major>("major"),
        row<&ThrottleDevice::minor>("minor"),
        row<&ThrottleDevice::rate>("rate"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, BlockIo& out)
{
    static constexpr std::array rows = {
        row<&BlockIo::weight>("weight"),
        row<&BlockIo::leaf_weight>("leafWeight"),
        row<&BlockIo::weight_devices>("weightDevice"),
        row<&BlockIo::throttle_read_bps>("throttleReadBpsDevice"),
        row<&BlockIo::throttle_write_bps>("throttleWriteBpsDevice"),
        row<&BlockIo::throttle_read_iops>("throttleReadIOPSDevice"),
        row<&BlockIo::throttle_write_iops>("throttleWriteIOPSDevice"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, HugepageLimit& out)
{
    static constexpr std::array rows = {
        row<&HugepageLimit::page_size>("pageSize"),
        row<&HugepageLimit::limit>("limit"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, InterfacePriority& out)
{
    static constexpr std::array rows = {
        row<&InterfacePriority::name>("name"),
        row<&InterfacePriority::priority>("priority"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Network& out)
{
    static constexpr std::array rows = {
        row<&Network::class_id>("classID"),
        row<&Network::priorities>("priorities"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, RdmaLimit& out)
{
    static constexpr std::array rows = {
        row<&RdmaLimit::hca_handles>("hcaHandles"),
        row<&RdmaLimit::hca_objects>("hcaObjects"),
    };
    return read_rows(value, place, rows, out);
}

// The struct has no object of its own for "pids": {"limit": N}.
static Result<> read_pids(JsonView value, const Place& place, Resources& out)
{
    static constexpr std::array rows = {row<&Resources::pids_limit>("limit")};
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Resources& out)
{
    static constexpr std::array rows = {
        row<&Resources::devices>("devices"),  row<&Resources::memory>("memory"),
        row<&Resources::cpu>("cpu"),          Row<Resources>{"pids", read_pids},
        row<&Resources::block_io>("blockIO"), row<&Resources::hugepage_limits>("hugepageLimits"),
        row<&Resources::network>("network"),  row<&Resources::rdma>("rdma"),
        row<&Resources::unified>("unified"),
    };
    return read_rows(value, place, rows, out);
}

} // namespace brig::spec
