// Each property of samples/full.json refuses each wrong type and each number outside of its range, by name.
#include "base/text.hpp"
#include "samples.hpp"
#include "spec/read_spec.hpp"

#include <criterion/criterion.h>
#include <filesystem>
#include <functional>
#include <set>

using namespace brig;
using namespace brig::spec;

namespace {

enum class Shape { boolean, text, u16, u32, u64, i32, i64, list, object };

struct Property {
    std::string_view pointer;
    Shape shape;
};

constexpr auto b = Shape::boolean, t = Shape::text, u16 = Shape::u16, u32 = Shape::u32, u64 = Shape::u64, i32 = Shape::i32,
               i64 = Shape::i64, list = Shape::list, object = Shape::object;

const std::vector<Property> properties = {
    {"/ociVersion", t},
    {"/process", object},
    {"/process/terminal", b},
    {"/process/consoleSize", object},
    {"/process/consoleSize/height", u16},
    {"/process/consoleSize/width", u16},
    {"/process/user", object},
    {"/process/user/uid", u32},
    {"/process/user/gid", u32},
    {"/process/user/umask", u32},
    {"/process/user/additionalGids", list},
    {"/process/user/additionalGids/0", u32},
    {"/process/user/additionalGids/1", u32},
    {"/process/user/username", t},
    {"/process/args", list},
    {"/process/args/0", t},
    {"/process/args/1", t},
    {"/process/args/2", t},
    {"/process/env", list},
    {"/process/env/0", t},
    {"/process/env/1", t},
    {"/process/env/2", t},
    {"/process/cwd", t},
    {"/process/capabilities", object},
    {"/process/capabilities/bounding", list},
    {"/process/capabilities/bounding/0", t},
    {"/process/capabilities/bounding/1", t},
    {"/process/capabilities/effective", list},
    {"/process/capabilities/effective/0", t},
    {"/process/capabilities/inheritable", list},
    {"/process/capabilities/inheritable/0", t},
    {"/process/capabilities/permitted", list},
    {"/process/capabilities/permitted/0", t},
    {"/process/capabilities/permitted/1", t},
    {"/process/capabilities/ambient", list},
    {"/process/capabilities/ambient/0", t},
    {"/process/rlimits", list},
    {"/process/rlimits/0", object},
    {"/process/rlimits/0/type", t},
    {"/process/rlimits/0/hard", u64},
    {"/process/rlimits/0/soft", u64},
    {"/process/noNewPrivileges", b},
    {"/process/apparmorProfile", t},
    {"/process/oomScoreAdj", i32},
    {"/process/selinuxLabel", t},
    {"/process/scheduler", object},
    {"/process/scheduler/policy", t},
    {"/process/scheduler/nice", i32},
    {"/process/scheduler/priority", i32},
    {"/process/scheduler/flags", list},
    {"/process/scheduler/flags/0", t},
    {"/process/scheduler/runtime", u64},
    {"/process/scheduler/deadline", u64},
    {"/process/scheduler/period", u64},
    {"/process/ioPriority", object},
    {"/process/ioPriority/class", t},
    {"/process/ioPriority/priority", i32},
    {"/process/execCPUAffinity", object},
    {"/process/execCPUAffinity/initial", t},
    {"/process/execCPUAffinity/final", t},
    {"/root", object},
    {"/root/path", t},
    {"/root/readonly", b},
    {"/hostname", t},
    {"/domainname", t},
    {"/mounts", list},
    {"/mounts/0", object},
    {"/mounts/0/destination", t},
    {"/mounts/0/type", t},
    {"/mounts/0/source", t},
    {"/mounts/1", object},
    {"/mounts/1/destination", t},
    {"/mounts/1/type", t},
    {"/mounts/1/source", t},
    {"/mounts/1/options", list},
    {"/mounts/1/options/0", t},
    {"/mounts/1/options/1", t},
    {"/mounts/1/uidMappings", list},
    {"/mounts/1/uidMappings/0", object},
    {"/mounts/1/uidMappings/0/containerID", u32},
    {"/mounts/1/uidMappings/0/hostID", u32},
    {"/mounts/1/uidMappings/0/size", u32},
    {"/mounts/1/gidMappings", list},
    {"/mounts/1/gidMappings/0", object},
    {"/mounts/1/gidMappings/0/containerID", u32},
    {"/mounts/1/gidMappings/0/hostID", u32},
    {"/mounts/1/gidMappings/0/size", u32},
    {"/hooks", object},
    {"/hooks/prestart", list},
    {"/hooks/prestart/0", object},
    {"/hooks/prestart/0/path", t},
    {"/hooks/prestart/0/args", list},
    {"/hooks/prestart/0/args/0", t},
    {"/hooks/prestart/0/args/1", t},
    {"/hooks/prestart/0/env", list},
    {"/hooks/prestart/0/env/0", t},
    {"/hooks/prestart/0/timeout", i64},
    {"/hooks/createRuntime", list},
    {"/hooks/createRuntime/0", object},
    {"/hooks/createRuntime/0/path", t},
    {"/hooks/createContainer", list},
    {"/hooks/createContainer/0", object},
    {"/hooks/createContainer/0/path", t},
    {"/hooks/startContainer", list},
    {"/hooks/startContainer/0", object},
    {"/hooks/startContainer/0/path", t},
    {"/hooks/poststart", list},
    {"/hooks/poststart/0", object},
    {"/hooks/poststart/0/path", t},
    {"/hooks/poststop", list},
    {"/hooks/poststop/0", object},
    {"/hooks/poststop/0/path", t},
    {"/linux", object},
    {"/linux/namespaces", list},
    {"/linux/namespaces/0", object},
    {"/linux/namespaces/0/type", t},
    {"/linux/namespaces/1", object},
    {"/linux/namespaces/1/type", t},
    {"/linux/namespaces/1/path", t},
    {"/linux/namespaces/2", object},
    {"/linux/namespaces/2/type", t},
    {"/linux/namespaces/3", object},
    {"/linux/namespaces/3/type", t},
    {"/linux/namespaces/4", object},
    {"/linux/namespaces/4/type", t},
    {"/linux/namespaces/5", object},
    {"/linux/namespaces/5/type", t},
    {"/linux/namespaces/6", object},
    {"/linux/namespaces/6/type", t},
    {"/linux/namespaces/7", object},
    {"/linux/namespaces/7/type", t},
    {"/linux/timeOffsets", object},
    {"/linux/timeOffsets/monotonic", object},
    {"/linux/timeOffsets/monotonic/secs", i64},
    {"/linux/timeOffsets/monotonic/nanosecs", u32},
    {"/linux/timeOffsets/boottime", object},
    {"/linux/timeOffsets/boottime/secs", i64},
    {"/linux/uidMappings", list},
    {"/linux/uidMappings/0", object},
    {"/linux/uidMappings/0/containerID", u32},
    {"/linux/uidMappings/0/hostID", u32},
    {"/linux/uidMappings/0/size", u32},
    {"/linux/gidMappings", list},
    {"/linux/gidMappings/0", object},
    {"/linux/gidMappings/0/containerID", u32},
    {"/linux/gidMappings/0/hostID", u32},
    {"/linux/gidMappings/0/size", u32},
    {"/linux/devices", list},
    {"/linux/devices/0", object},
    {"/linux/devices/0/path", t},
    {"/linux/devices/0/type", t},
    {"/linux/devices/0/major", i64},
    {"/linux/devices/0/minor", i64},
    {"/linux/devices/0/fileMode", u32},
    {"/linux/devices/0/uid", u32},
    {"/linux/devices/0/gid", u32},
    {"/linux/netDevices", object},
    {"/linux/netDevices/eth0", object},
    {"/linux/netDevices/eth0/name", t},
    {"/linux/netDevices/ens4", object},
    {"/linux/cgroupsPath", t},
    {"/linux/sysctl", object},
    {"/linux/sysctl/net.ipv4.ip_forward", t},
    {"/linux/rootfsPropagation", t},
    {"/linux/maskedPaths", list},
    {"/linux/maskedPaths/0", t},
    {"/linux/readonlyPaths", list},
    {"/linux/readonlyPaths/0", t},
    {"/linux/mountLabel", t},
    {"/linux/intelRdt", object},
    {"/linux/intelRdt/closID", t},
    {"/linux/intelRdt/l3CacheSchema", t},
    {"/linux/intelRdt/memBwSchema", t},
    {"/linux/intelRdt/schemata", list},
    {"/linux/intelRdt/schemata/0", t},
    {"/linux/intelRdt/enableMonitoring", b},
    {"/linux/personality", object},
    {"/linux/personality/domain", t},
    {"/linux/personality/flags", list},
    {"/linux/memoryPolicy", object},
    {"/linux/memoryPolicy/mode", t},
    {"/linux/memoryPolicy/nodes", t},
    {"/linux/memoryPolicy/flags", list},
    {"/linux/memoryPolicy/flags/0", t},
    {"/linux/resources", object},
    {"/linux/resources/devices", list},
    {"/linux/resources/devices/0", object},
    {"/linux/resources/devices/0/allow", b},
    {"/linux/resources/devices/0/access", t},
    {"/linux/resources/devices/1", object},
    {"/linux/resources/devices/1/allow", b},
    {"/linux/resources/devices/1/type", t},
    {"/linux/resources/devices/1/major", i64},
    {"/linux/resources/devices/1/minor", i64},
    {"/linux/resources/devices/1/access", t},
    {"/linux/resources/devices/2", object},
    {"/linux/resources/devices/2/allow", b},
    {"/linux/resources/devices/2/type", t},
    {"/linux/resources/devices/2/major", i64},
    {"/linux/resources/devices/2/minor", i64},
    {"/linux/resources/devices/2/access", t},
    {"/linux/resources/memory", object},
    {"/linux/resources/memory/limit", i64},
    {"/linux/resources/memory/reservation", i64},
    {"/linux/resources/memory/swap", i64},
    {"/linux/resources/memory/kernel", i64},
    {"/linux/resources/memory/kernelTCP", i64},
    {"/linux/resources/memory/swappiness", u64},
    {"/linux/resources/memory/disableOOMKiller", b},
    {"/linux/resources/memory/useHierarchy", b},
    {"/linux/resources/memory/checkBeforeUpdate", b},
    {"/linux/resources/cpu", object},
    {"/linux/resources/cpu/shares", u64},
    {"/linux/resources/cpu/quota", i64},
    {"/linux/resources/cpu/burst", u64},
    {"/linux/resources/cpu/period", u64},
    {"/linux/resources/cpu/realtimeRuntime", i64},
    {"/linux/resources/cpu/realtimePeriod", u64},
    {"/linux/resources/cpu/cpus", t},
    {"/linux/resources/cpu/mems", t},
    {"/linux/resources/cpu/idle", i64},
    {"/linux/resources/pids", object},
    {"/linux/resources/pids/limit", i64},
    {"/linux/resources/blockIO", object},
    {"/linux/resources/blockIO/weight", u16},
    {"/linux/resources/blockIO/leafWeight", u16},
    {"/linux/resources/blockIO/weightDevice", list},
    {"/linux/resources/blockIO/weightDevice/0", object},
    {"/linux/resources/blockIO/weightDevice/0/major", i64},
    {"/linux/resources/blockIO/weightDevice/0/minor", i64},
    {"/linux/resources/blockIO/weightDevice/0/weight", u16},
    {"/linux/resources/blockIO/weightDevice/0/leafWeight", u16},
    {"/linux/resources/blockIO/throttleReadBpsDevice", list},
    {"/linux/resources/blockIO/throttleReadBpsDevice/0", object},
    {"/linux/resources/blockIO/throttleReadBpsDevice/0/major", i64},
    {"/linux/resources/blockIO/throttleReadBpsDevice/0/minor", i64},
    {"/linux/resources/blockIO/throttleReadBpsDevice/0/rate", u64},
    {"/linux/resources/blockIO/throttleWriteBpsDevice", list},
    {"/linux/resources/blockIO/throttleWriteBpsDevice/0", object},
    {"/linux/resources/blockIO/throttleWriteBpsDevice/0/major", i64},
    {"/linux/resources/blockIO/throttleWriteBpsDevice/0/minor", i64},
    {"/linux/resources/blockIO/throttleWriteBpsDevice/0/rate", u64},
    {"/linux/resources/blockIO/throttleReadIOPSDevice", list},
    {"/linux/resources/blockIO/throttleReadIOPSDevice/0", object},
    {"/linux/resources/blockIO/throttleReadIOPSDevice/0/major", i64},
    {"/linux/resources/blockIO/throttleReadIOPSDevice/0/minor", i64},
    {"/linux/resources/blockIO/throttleReadIOPSDevice/0/rate", u64},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice", list},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice/0", object},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice/0/major", i64},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice/0/minor", i64},
    {"/linux/resources/blockIO/throttleWriteIOPSDevice/0/rate", u64},
    {"/linux/resources/hugepageLimits", list},
    {"/linux/resources/hugepageLimits/0", object},
    {"/linux/resources/hugepageLimits/0/pageSize", t},
    {"/linux/resources/hugepageLimits/0/limit", u64},
    {"/linux/resources/network", object},
    {"/linux/resources/network/classID", u32},
    {"/linux/resources/network/priorities", list},
    {"/linux/resources/network/priorities/0", object},
    {"/linux/resources/network/priorities/0/name", t},
    {"/linux/resources/network/priorities/0/priority", u32},
    {"/linux/resources/rdma", object},
    {"/linux/resources/rdma/mlx5_1", object},
    {"/linux/resources/rdma/mlx5_1/hcaHandles", u32},
    {"/linux/resources/rdma/mlx5_1/hcaObjects", u32},
    {"/linux/resources/unified", object},
    {"/linux/resources/unified/memory.high", t},
    {"/linux/seccomp", object},
    {"/linux/seccomp/defaultAction", t},
    {"/linux/seccomp/defaultErrnoRet", u32},
    {"/linux/seccomp/architectures", list},
    {"/linux/seccomp/architectures/0", t},
    {"/linux/seccomp/architectures/1", t},
    {"/linux/seccomp/flags", list},
    {"/linux/seccomp/flags/0", t},
    {"/linux/seccomp/listenerPath", t},
    {"/linux/seccomp/listenerMetadata", t},
    {"/linux/seccomp/syscalls", list},
    {"/linux/seccomp/syscalls/0", object},
    {"/linux/seccomp/syscalls/0/names", list},
    {"/linux/seccomp/syscalls/0/names/0", t},
    {"/linux/seccomp/syscalls/0/names/1", t},
    {"/linux/seccomp/syscalls/0/action", t},
    {"/linux/seccomp/syscalls/0/errnoRet", u32},
    {"/linux/seccomp/syscalls/0/args", list},
    {"/linux/seccomp/syscalls/0/args/0", object},
    {"/linux/seccomp/syscalls/0/args/0/index", u32},
    {"/linux/seccomp/syscalls/0/args/0/value", u64},
    {"/linux/seccomp/syscalls/0/args/0/valueTwo", u64},
    {"/linux/seccomp/syscalls/0/args/0/op", t},
    {"/annotations", object},
    {"/annotations/com.example.gpu-cores", t},
};

struct Wrong {
    std::string value;    // JSON
    std::string expected; // part of the message after the property
};

std::vector<Wrong> outside(const std::string& below, const std::string& lowest, const std::string& above,
                           const std::string& highest)
{
    std::string range = "must be from " + lowest + " to " + highest;
    std::vector<Wrong> numbers = {{below, range + ", not " + below}};
    if (!above.empty())
        numbers.push_back({above, range + ", not " + above});
    return numbers;
}

std::vector<Wrong> wrong_numbers(Shape shape)
{
    switch (shape) {
    case Shape::u16: return outside("-1", "0", "65536", "65535");
    case Shape::u32: return outside("-1", "0", "4294967296", "4294967295");
    case Shape::u64: return outside("-1", "0", "", "18446744073709551615");
    case Shape::i32: return outside("-2147483649", "-2147483648", "2147483648", "2147483647");
    case Shape::i64: return {{"9223372036854775808", "must be from -9223372036854775808 to 9223372036854775807"}};
    default: return {};
    }
}

std::string_view wanted(Shape shape)
{
    switch (shape) {
    case Shape::boolean: return "a boolean";
    case Shape::text: return "a string";
    case Shape::list: return "an array";
    case Shape::object: return "an object";
    default: return "an integer";
    }
}

std::vector<Wrong> wrong_values(Shape shape)
{
    const std::vector<std::pair<std::string, std::string_view>> values = {
        {"true", "a boolean"}, {"\"1G\"", "a string"}, {"1.5", "a fraction"},
        {"7", "an integer"},   {"[]", "an array"},     {"{}", "an object"},
    };
    auto wrong = wrong_numbers(shape);
    for (const auto& [value, type] : values)
        if (type != wanted(shape))
            wrong.push_back({value, fmt::format("must be {}, not {}", wanted(shape), value)});
    return wrong;
}

// "/linux/netDevices/eth0/name" as the messages write it: linux.netDevices["eth0"].name
std::string place(std::string_view pointer)
{
    const std::set<std::string_view> maps = {"timeOffsets", "netDevices", "sysctl", "rdma", "unified", "annotations"};
    std::string text;
    std::string_view before;
    for (auto part : split(pointer.substr(1), '/')) {
        if (maps.contains(before))
            text += "[" + quoted(part) + "]";
        else if (part.find_first_not_of("0123456789") == std::string_view::npos)
            text += fmt::format("[{}]", part);
        else
            text += (text.empty() ? "" : ".") + std::string(part);
        before = part;
    }
    return text;
}

void expect_refusal(const std::string& text, const std::string& expected)
{
    auto spec = read_spec(text);
    cr_expect(!spec.has_value(), "accepted, expected: %s", expected.c_str());
    if (spec)
        return;
    cr_expect(spec.error().kind() == ErrorKind::invalid);
    std::string message = spec.error().message();
    cr_expect(message.starts_with(expected), "expected: %s\n  found: %s", expected.c_str(), message.c_str());
}

void collect(JsonView value, const std::string& pointer, std::set<std::string>& pointers)
{
    if (!pointer.empty())
        pointers.insert(pointer);
    for (size_t i = 0; i < value.size(); i++)
        collect(value.at(i), pointer + "/" + std::to_string(i), pointers);
    value.for_each_member(
        [&](std::string_view name, JsonView member) { collect(member, pointer + "/" + std::string(name), pointers); });
}

} // namespace

Test(read_refusals, table_names_each_property_of_the_sample)
{
    auto json = Json::parse(tests::sample("samples/full.json"));
    std::set<std::string> pointers;
    collect(json->view(), "", pointers);
    for (const auto& property : properties)
        cr_expect(pointers.erase(std::string(property.pointer)) == 1, "%s is not in the sample", property.pointer.data());
    for (const auto& pointer : pointers)
        cr_expect(false, "%s is not in the table", pointer.c_str());
}

Test(read_refusals, each_property_each_wrong_value)
{
    std::string full = tests::sample("samples/full.json");
    for (const auto& property : properties)
        for (const auto& wrong : wrong_values(property.shape))
            expect_refusal(tests::edited(full, std::string(property.pointer), wrong.value),
                           "config.json: " + place(property.pointer) + " " + wrong.expected);
}

Test(read_refusals, texts_with_nul)
{
    std::string full = tests::sample("samples/full.json");
    for (const auto& property : properties)
        if (property.shape == Shape::text)
            expect_refusal(tests::edited(full, std::string(property.pointer), "\"a\\u0000b\""),
                           "config.json: " + place(property.pointer) + " must ");
}

Test(read_refusals, null_is_absent_except_in_lists)
{
    std::string full = tests::sample("samples/full.json");
    const std::set<std::string_view> required = {"ociVersion", "type"};
    for (const auto& property : properties) {
        auto spec = read_spec(tests::edited(full, std::string(property.pointer), "null"));
        auto name = property.pointer.substr(property.pointer.rfind('/') + 1);
        bool item = name.find_first_not_of("0123456789") == std::string_view::npos;
        bool typed = property.pointer.starts_with("/linux/namespaces/") || property.pointer.starts_with("/linux/devices/");
        bool refused = item || name == "ociVersion" || (typed && name == "type");
        cr_expect(spec.has_value() == !refused, "%s", property.pointer.data());
    }
}

Test(read_refusals, words_of_one_letter_and_namespaces)
{
    std::string full = tests::sample("samples/full.json");
    auto refuse = [&](const char* pointer, const char* value, const char* expected) {
        expect_refusal(tests::edited(full, pointer, value), expected);
    };
    refuse("/linux/namespaces/0/type", "\"net\"",
           "config.json: linux.namespaces[0].type must be cgroup, ipc, mount, network, pid, time, user or uts, not "
           "\"net\"");
    refuse("/linux/devices/0/type", "\"cc\"",
           "config.json: linux.devices[0].type must be \"c\", \"b\", \"u\" or \"p\", not \"cc\"");
    refuse("/linux/devices/0/type", "\"\"", "config.json: linux.devices[0].type must be");
    refuse("/linux/resources/devices/1/type", "\"x\"",
           "config.json: linux.resources.devices[1].type must be \"a\", \"c\" or \"b\", not \"x\"");
}

Test(read_refusals, long_values_are_cut_at_a_character)
{
    std::string text = "\"";
    for (int i = 0; i < 100; i++)
        text += "\u00e9";
    auto spec = read_spec(tests::edited(tests::sample("samples/full.json"), "/linux/resources/memory/limit", text + "\""));
    cr_assert(!spec.has_value());
    auto message = spec.error().message();
    cr_expect(message.size() < 140 && message.ends_with("..."), "%s", message.c_str());
    cr_expect(Json::parse("\"" + message.substr(message.find("not \"") + 5) + "\"").has_value(), "not UTF-8: %s",
              message.c_str());
}

Test(read_refusals, versions)
{
    std::string full = tests::sample("samples/full.json");
    for (const char* good : {"1.0.0", "1.3.0", "1.0.2-dev", "1.0.0-rc5-dev", "1.99.0+build", "1.1.0-rc.1+5"})
        cr_expect(read_spec(tests::edited(full, "/ociVersion", quoted(good))).has_value(), "%s", good);
    for (const char* bad : {"", "1", "1.0", "2.0.0", "0.5.0-dev", "10.0.0", "1.0.x", "1..0", "v1.0.0", "1.0.0-", " 1.0.0"})
        expect_refusal(tests::edited(full, "/ociVersion", quoted(bad)), "config.json: ociVersion ");
    expect_refusal("{}", "config.json: ociVersion is missing");
}

Test(read_refusals, whole_documents)
{
    expect_refusal("", "config.json: JSON ends too early");
    expect_refusal("[]", "config.json: the document must be an object, not []");
    expect_refusal("null", "config.json: the document must be an object, not null");
    expect_refusal("{} x", "config.json: ");
    expect_refusal(R"({"linux": {"resources": {"memory": {"limit": 18446744073709551616}}}})",
                   "config.json: not valid JSON at line 1 column 46: a number that does not fit into 64 bits");
    cr_expect(!read_process("[]").has_value());
    cr_expect(read_process("[]").error().message().starts_with("process: the document must be an object"));
    cr_expect(read_resources("[]").error().message().starts_with("resources: the document must be an object"));
    cr_expect(read_resources(R"({"memory": {"limit": "1G"}})").error().message()
              == "resources: memory.limit must be an integer, not \"1G\"");
}

Test(read_refusals, unknown_properties_and_platforms_are_ignored)
{
    std::string full = tests::sample("samples/full.json");
    for (const char* pointer : {"/zos", "/solaris", "/windows", "/vm", "/freebsd", "/x-unknown", "/linux/unknown",
                                "/process/unknown", "/linux/resources/memory/unknown", "/Hostname"})
        cr_expect(read_spec(tests::edited(full, pointer, "42")).has_value(), "%s", pointer);
    auto spec = read_spec(tests::edited(full, "/HOSTNAME", "\"other\""));
    cr_expect(spec->hostname == "slartibartfast");
}

Test(read_refusals, samples_of_the_specification)
{
    for (const auto& entry : std::filesystem::directory_iterator("tests/unit/spec/samples/good")) {
        std::string text = tests::sample("samples/good/" + entry.path().filename().string());
        auto spec = read_spec(tests::edited(text, "/ociVersion", "\"1.0.0\""));
        cr_expect(spec.has_value(), "%s: %s", entry.path().c_str(), spec ? "" : spec.error().message().c_str());
    }
    expect_refusal(tests::sample("samples/bad/invalid-json.json"), "config.json: not valid JSON at line 1 column 2");
    expect_refusal(tests::sample("samples/bad/linux-netdevice.json"),
                   "config.json: linux.netDevices[\"eth0\"].name must be a string, not 23");
    expect_refusal(tests::sample("samples/bad/linux-rdma.json"),
                   "config.json: linux.resources.rdma[\"mlx5_1\"].hcaHandles must be an integer, not \"not a uint32\"");
}

Test(read_refusals, truncated_documents)
{
    std::string full = tests::sample("samples/full.json");
    auto end = full.find_last_not_of(" \n");
    for (size_t length = 0; length < end; length++)
        cr_expect(!read_spec(std::string_view(full).substr(0, length)).has_value(), "%zu bytes", length);
}

Test(read_refusals, damaged_documents_do_not_crash)
{
    std::string full = tests::sample("samples/full.json");
    constexpr std::string_view replacements = "{}[]\",:0-\\\x00\xff";
    size_t refused = 0;
    for (size_t i = 0; i < full.size(); i++) {
        std::string damaged = full;
        damaged[i] = replacements[i % replacements.size()];
        refused += !read_spec(damaged).has_value();
    }
    cr_expect(refused > full.size() / 4, "only %zu of %zu were refused", refused, full.size());
}

Test(read_refusals, deep_documents_are_refused)
{
    std::string deep(100000, '[');
    expect_refusal("{\"annotations\":" + deep, "config.json: not valid JSON");
}
