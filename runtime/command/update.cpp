#include "base/size.hpp"
#include "base/text.hpp"
#include "command/verb.hpp"
#include "container/control.hpp"
#include "kernel/files.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"

#include <array>
#include <limits>

namespace brig::command {

namespace {

constexpr size_t resources_limit = 1 << 20;

constexpr std::array options = {
    Option{"resources", 'r', OptionType::text, "FILE",
           "read a resources object as in config.json; - is stdin. Other options do not count then"},
    Option{"memory", 0, OptionType::text, "SIZE", "memory limit, such as 512m; -1 is unlimited"},
    Option{"memory-reservation", 0, OptionType::text, "SIZE", "memory that is reclaimed last"},
    Option{"memory-swap", 0, OptionType::text, "SIZE", "limit of memory and swap together"},
    Option{"cpu-quota", 0, OptionType::text, "MICROSECONDS", "CPU time in a period; -1 is unlimited"},
    Option{"cpu-period", 0, OptionType::text, "MICROSECONDS", "length of the period"},
    Option{"cpu-burst", 0, OptionType::text, "MICROSECONDS", "CPU time that may be saved up"},
    Option{"cpu-share", 0, OptionType::text, "SHARES", "weight against other containers"},
    Option{"cpu-rt-period", 0, OptionType::text, "MICROSECONDS", "period of real-time tasks"},
    Option{"cpu-rt-runtime", 0, OptionType::text, "MICROSECONDS", "CPU time of real-time tasks in a period"},
    Option{"cpu-idle", 0, OptionType::text, "0|1", "run only when nothing else wants to"},
    Option{"cpuset-cpus", 0, OptionType::text, "LIST", "CPUs to run on, 0-3,5"},
    Option{"cpuset-mems", 0, OptionType::text, "LIST", "memory nodes to allocate from"},
    Option{"pids-limit", 0, OptionType::text, "N", "number of processes; -1 is unlimited"},
    Option{"blkio-weight", 0, OptionType::text, "WEIGHT", "weight of block I/O, 10 to 1000"},
    Option{"l3-cache-schema", 0, OptionType::text, "SCHEMA", "share of the L3 cache, such as L3:0=ff (Intel RDT)"},
    Option{"mem-bw-schema", 0, OptionType::text, "SCHEMA", "memory bandwidth, such as MB:0=50 (Intel RDT)"},
    Option{"kernel-memory", 0, OptionType::text, "SIZE", ""}, // the kernel has no such limit any more
    Option{"kernel-memory-tcp", 0, OptionType::text, "SIZE", ""},
};

// The options as optional numbers, so that a limit is one line below.
class Values {
public:
    explicit Values(const Arguments& arguments) : m_arguments(arguments) {}

    template<typename Number> Result<std::optional<Number>> number(std::string_view name) const
    {
        auto text = m_arguments.text_if_given(name);
        if (!text || text->empty())
            return std::optional<Number>();
        auto value = parse<Number>(*text);
        if (!value)
            return failure(std::move(value).error().during(fmt::format("--{}", name)));
        return std::optional<Number>(*value);
    }

    Result<std::optional<int64_t>> size(std::string_view name) const
    {
        auto text = m_arguments.text_if_given(name);
        if (!text || text->empty())
            return std::optional<int64_t>();
        return std::optional<int64_t>(TRY_DURING(fmt::format("--{}", name), parse_size(*text)));
    }

private:
    template<typename Number> static Result<Number> parse(const std::string& text)
    {
        if constexpr (std::numeric_limits<Number>::is_signed)
            return parse_integer(text);
        auto value = TRY(parse_unsigned(text));
        if (value > std::numeric_limits<Number>::max())
            return failure(ErrorKind::invalid, fmt::format("{} is out of range", quoted(text)));
        return static_cast<Number>(value);
    }

    const Arguments& m_arguments;
};

Result<spec::Cpu> cpu_from(const Arguments& arguments)
{
    Values values(arguments);
    spec::Cpu cpu;
    cpu.shares = TRY(values.number<uint64_t>("cpu-share"));
    cpu.quota = TRY(values.number<int64_t>("cpu-quota"));
    cpu.period = TRY(values.number<uint64_t>("cpu-period"));
    cpu.burst = TRY(values.number<uint64_t>("cpu-burst"));
    cpu.realtime_period = TRY(values.number<uint64_t>("cpu-rt-period"));
    cpu.realtime_runtime = TRY(values.number<int64_t>("cpu-rt-runtime"));
    cpu.idle = TRY(values.number<int64_t>("cpu-idle"));
    cpu.cpus = arguments.text("cpuset-cpus");
    cpu.mems = arguments.text("cpuset-mems");
    return cpu;
}

Result<spec::Memory> memory_from(const Arguments& arguments)
{
    Values values(arguments);
    spec::Memory memory;
    memory.limit = TRY(values.size("memory"));
    memory.reservation = TRY(values.size("memory-reservation"));
    memory.swap = TRY(values.size("memory-swap"));
    return memory;
}

Result<spec::Resources> resources_from(const Arguments& arguments)
{
    Values values(arguments);
    spec::Resources resources;
    resources.memory = TRY(memory_from(arguments));
    resources.cpu = TRY(cpu_from(arguments));
    resources.pids_limit = TRY(values.number<int64_t>("pids-limit"));
    if (auto weight = TRY(values.number<uint16_t>("blkio-weight"))) {
        resources.block_io.emplace();
        resources.block_io->weight = *weight;
    }
    return resources;
}

Result<spec::Resources> requested_resources(const Arguments& arguments)
{
    std::string file = arguments.text("resources");
    if (file.empty())
        return resources_from(arguments);
    std::string text = file == "-" ? TRY(kernel::read_all(FdRef(0), resources_limit))
                                   : TRY(kernel::read_file(kernel::working_directory, file, resources_limit));
    return spec::read_resources(text);
}

// Besides --resources too: the file has no place for them.
Result<std::vector<std::string>> requested_schemata(const Arguments& arguments)
{
    std::vector<std::string> lines;
    for (std::string_view name : {"l3-cache-schema", "mem-bw-schema"}) {
        std::string line = arguments.text(name);
        if (line.empty())
            continue;
        if (!contains(line, ":") || contains(line, "\n"))
            return failure(Error(ErrorKind::invalid, fmt::format("--{} {} is not one line of schemata", name, quoted(line)))
                               .with_hint("write it like L3:0=ff;1=f or MB:0=50"));
        lines.push_back(std::move(line));
    }
    return lines;
}

Result<int> run(const Invocation& invocation)
{
    container::Update update;
    update.resources = TRY(requested_resources(invocation.arguments));
    update.schemata = TRY(requested_schemata(invocation.arguments));
    TRY(spec::check_resources(update.resources));
    auto context = TRY(invocation.context());
    for (std::string_view name : {"kernel-memory", "kernel-memory-tcp"})
        if (!invocation.arguments.text(name).empty())
            context.log.warning(fmt::format("--{} has no effect: the kernel has no such limit any more", name));
    TRY(container::update(context, invocation.operand(0), update));
    return 0;
}

} // namespace

constinit const Verb update_verb = {
    .name = "update",
    .summary = "change the limits of a container",
    .usage = "[options] CONTAINER",
    .description = "Writes new limits into the cgroup of a created, running or paused container. Limits that are not\n"
                   "named stay as they are; the rules for devices are never touched.",
    .example = "  brig update --memory 512m --pids-limit 100 web\n"
               "  echo '{\"cpu\": {\"quota\": 50000}}' | brig update -r - web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
