#include "plan/unit_properties.hpp"

#include "base/text.hpp"
#include "plan/device_rules.hpp"
#include "spec/index_list.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace brig::plan {

namespace {

constexpr uint64_t infinity = std::numeric_limits<uint64_t>::max();
constexpr uint64_t second = 1000000; // in microseconds

using Properties = std::vector<UnitProperty>;

} // namespace

void set_property(std::vector<UnitProperty>& properties, std::string name, UnitValue value)
{
    auto present = std::find_if(properties.begin(), properties.end(), [&](const auto& one) { return one.name == name; });
    if (present != properties.end())
        present->value = std::move(value);
    else
        properties.push_back({std::move(name), std::move(value)});
}

std::vector<UnitProperty> basic_unit_properties(const UnitPlace& place, const std::string& description, bool unified)
{
    Properties properties;
    set_property(properties, "Description", description);
    if (!place.slice.empty()) {
        set_property(properties, "Slice", place.slice);
        set_property(properties, "Delegate", true);
        // A unit that failed (a process was killed) goes away, too, so that its name is free again.
        set_property(properties, "CollectMode", std::string("inactive-or-failed"));
    }
    set_property(properties, "DefaultDependencies", false);
    set_property(properties, "MemoryAccounting", true);
    set_property(properties, "CPUAccounting", true);
    set_property(properties, unified ? "IOAccounting" : "BlockIOAccounting", true);
    set_property(properties, "TasksAccounting", true);
    return properties;
}

// ---- limits ------------------------------------------------------------------------------------------------------------

namespace {

Error unlike(const CgroupWrite& write, std::string_view value, std::string_view wanted)
{
    return Error(ErrorKind::invalid,
                 fmt::format("{}: {} for {} cannot be given to systemd", write.property, quoted(value), write.file))
        .with_hint(fmt::format("use {}", wanted));
}

// "max", -1, or a number, with the kernel's suffixes for bytes.
Result<uint64_t> amount(const CgroupWrite& write, std::string_view value)
{
    if (value == "max" || value == "-1")
        return infinity;
    constexpr std::string_view suffixes = "KMGTPE";
    uint64_t factor = 1;
    std::string_view digits = value;
    char last = value.empty() ? '0' : value.back();
    if (last >= 'a' && last <= 'z')
        last = static_cast<char>(last - 'a' + 'A');
    if (auto index = suffixes.find(last); index != std::string_view::npos) {
        factor = uint64_t{1} << 10 * (index + 1);
        digits.remove_suffix(1);
    }
    auto number = parse_unsigned(digits);
    if (!number || *number > infinity / factor)
        return failure(unlike(write, value, "a number, or max"));
    return *number * factor;
}

Result<> add_amount(Properties& properties, const CgroupWrite& write, std::string_view name)
{
    set_property(properties, std::string(name), TRY(amount(write, trim(write.value))));
    return {};
}

// "default 100" or "100"; a weight of one device is not systemd's to know.
Result<> add_weight(Properties& properties, const CgroupWrite& write, std::string_view name)
{
    std::string_view value = trim(write.other_file == "io.weight" ? write.other_value : write.value);
    constexpr std::string_view general = "default ";
    if (value.starts_with(general))
        value.remove_prefix(general.size());
    else if (contains(value, ":"))
        return {};
    set_property(properties, std::string(name), TRY(amount(write, value)));
    return {};
}

Result<> add_idle(Properties& properties, const CgroupWrite& write, std::string_view name)
{
    if (trim(write.value) != "0")
        set_property(properties, std::string(name), uint64_t{0}); // "idle", systemd 252
    return {};
}

// systemd keeps whole percents in the unit's file: rounded up, so that it never gives less than was asked for.
uint64_t rounded_quota(uint64_t quota, uint64_t period)
{
    constexpr uint64_t percent = second / 100;
    if (quota > infinity / second)
        return infinity;
    uint64_t each_second = quota * second / period;
    return (each_second + percent - 1) / percent * percent;
}

Result<> add_quota(Properties& properties, const CgroupWrite& write, uint64_t quota, uint64_t period)
{
    if (period == 0)
        return failure(unlike(write, write.value, "a period above 0"));
    set_property(properties, "CPUQuotaPerSecUSec", quota == infinity ? infinity : rounded_quota(quota, period));
    set_property(properties, "CPUQuotaPeriodUSec", period);
    return {};
}

// "max 100000", "50000 100000", or the quota alone.
Result<> add_cpu_max(Properties& properties, const CgroupWrite& write, uint64_t period)
{
    auto parts = split(trim(write.value), ' ');
    if (parts.size() > 2)
        return failure(unlike(write, write.value, "a quota and a period"));
    if (parts.size() == 2)
        period = TRY(amount(write, parts[1]));
    return add_quota(properties, write, TRY(amount(write, parts[0])), period);
}

// Bit n of the bytes, lowest first, is CPU or node n.
Result<> add_index_set(Properties& properties, const CgroupWrite& write, std::string_view name)
{
    std::vector<uint8_t> bytes;
    for (const auto& range : TRY_DURING(write.property, spec::parse_index_list(trim(write.value))))
        for (uint32_t index = range.first; index <= range.last; index++) {
            if (bytes.size() <= index / 8)
                bytes.resize(index / 8 + 1);
            bytes[index / 8] = static_cast<uint8_t>(bytes[index / 8] | 1U << index % 8);
        }
    set_property(properties, std::string(name), std::move(bytes));
    return {};
}

struct FileProperty {
    std::string_view file;
    std::string_view name;
    Result<> (*add)(Properties&, const CgroupWrite&, std::string_view name);
};

constexpr std::array file_properties = {
    FileProperty{"memory.max", "MemoryMax", add_amount},
    FileProperty{"memory.high", "MemoryHigh", add_amount},
    FileProperty{"memory.low", "MemoryLow", add_amount},
    FileProperty{"memory.min", "MemoryMin", add_amount},
    FileProperty{"memory.swap.max", "MemorySwapMax", add_amount},
    FileProperty{"pids.max", "TasksMax", add_amount},
    FileProperty{"cpu.weight", "CPUWeight", add_amount},
    FileProperty{"cpu.idle", "CPUWeight", add_idle},
    FileProperty{"cpuset.cpus", "AllowedCPUs", add_index_set},
    FileProperty{"cpuset.mems", "AllowedMemoryNodes", add_index_set},
    FileProperty{"io.weight", "IOWeight", add_weight},
    FileProperty{"io.bfq.weight", "IOWeight", add_weight},
    // cgroup v1
    FileProperty{"memory.limit_in_bytes", "MemoryLimit", add_amount},
    FileProperty{"cpu.shares", "CPUShares", add_amount},
    FileProperty{"blkio.weight", "BlockIOWeight", add_amount},
};

} // namespace

Result<> add_limit_properties(std::vector<UnitProperty>& properties, const std::vector<CgroupWrite>& writes, uint64_t period)
{
    for (const auto& write : writes)
        if (write.file == "cpu.cfs_period_us")
            period = TRY(amount(write, write.value));
    for (const auto& write : writes) {
        if (write.file == "cpu.max")
            TRY(add_cpu_max(properties, write, period));
        else if (write.file == "cpu.cfs_quota_us")
            TRY(add_quota(properties, write, TRY(amount(write, write.value)), period));
        // cpuset of v1 is not systemd's.
        for (const auto& row : file_properties)
            if (row.file == write.file)
                TRY(row.add(properties, write, row.name));
    }
    return {};
}

// ---- devices -------------------------------------------------------------------------------------------------------------

namespace {

using DeviceList = std::vector<std::pair<std::string, std::string>>;

Result<> add_device(DeviceList& allowed, const spec::DeviceRule& rule, char type, bool exact)
{
    std::string kind = type == 'b' ? "block" : "char";
    std::string access = device_access_text(device_access(rule));
    if (rule.major && rule.minor)
        allowed.emplace_back(fmt::format("/dev/{}/{}:{}", kind, *rule.major, *rule.minor), access);
    else if (rule.major)
        allowed.emplace_back(fmt::format("{}-{}", kind, *rule.major), access);
    else if (!rule.minor || !exact)
        allowed.emplace_back(kind + "-*", access);
    else
        return failure(Error(ErrorKind::not_supported,
                             fmt::format("linux.resources.devices: systemd cannot allow {} *:{} alone", kind, *rule.minor))
                           .with_hint("name the major number, or use --cgroup-manager cgroupfs"));
    return {};
}

} // namespace

Result<> add_device_properties(std::vector<UnitProperty>& properties, const std::vector<spec::DeviceRule>& rules, bool exact)
{
    DeviceList allowed;
    bool all = false;
    for (const auto& rule : rules) {
        if (is_reset_rule(rule)) {
            all = rule.allow;
            allowed.clear();
        } else if (rule.allow) {
            for (char type : {'c', 'b'})
                if (rule.type == 'a' || rule.type == type)
                    TRY(add_device(allowed, rule, type, exact));
        }
    }
    if (all)
        allowed.clear();
    set_property(properties, "DevicePolicy", std::string(all ? "auto" : "strict"));
    set_property(properties, "DeviceAllow", std::move(allowed));
    return {};
}

// ---- text ----------------------------------------------------------------------------------------------------------------

namespace {

struct ValueText {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int32_t value) const { return std::to_string(value); }
    std::string operator()(uint32_t value) const { return std::to_string(value); }
    std::string operator()(uint64_t value) const { return value == infinity ? "infinity" : std::to_string(value); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const std::vector<std::string>& value) const { return join(value, " "); }
    std::string operator()(const std::vector<uint8_t>& value) const
    {
        std::vector<std::string> indices;
        for (size_t index = 0; index < value.size() * 8; index++)
            if ((value[index / 8] >> index % 8 & 1) != 0)
                indices.push_back(std::to_string(index));
        return join(indices, " ");
    }
    std::string operator()(const std::vector<std::pair<std::string, std::string>>& value) const
    {
        std::vector<std::string> texts;
        for (const auto& [device, access] : value)
            texts.push_back(device + " " + access);
        return join(texts, ", ");
    }
};

} // namespace

std::string property_text(const UnitProperty& property)
{
    return fmt::format("{}={}", property.name, std::visit(ValueText(), property.value));
}

} // namespace brig::plan
