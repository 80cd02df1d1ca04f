#include "setup/limits.hpp"

#include "base/text.hpp"
#include "kernel/process.hpp"
#include "spec/index_list.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <sched.h>

namespace brig::setup {

namespace {

std::string limit_text(uint64_t value)
{
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

Error explain_refused_limit(Error error, pid_t pid, const plan::Rlimit& limit)
{
    auto current = kernel::resource_limit(pid, limit.resource);
    if (error.code() != EPERM || !current)
        return error;
    return std::move(error).with_hint(
        fmt::format("the hard limit is {} here, and raising it needs CAP_SYS_RESOURCE: ask for at most that in "
                    "process.rlimits, or raise the limit of the engine that starts the container",
                    limit_text(current->rlim_max)));
}

} // namespace

Result<> apply_rlimits(pid_t pid, const plan::Process& process)
{
    for (const auto& limit : process.rlimits) {
        auto set = kernel::set_resource_limit(pid, limit.resource, limit.soft, limit.hard);
        if (!set)
            return failure(explain_refused_limit(std::move(set).error(), pid, limit)
                               .during(fmt::format("error setting {} to soft {}, hard {}", limit.name, limit_text(limit.soft),
                                                   limit_text(limit.hard))));
    }
    return {};
}

Result<> apply_oom_score(const kernel::Procfs& procfs, pid_t pid, const plan::Process& process)
{
    if (!process.oom_score_adj)
        return {};
    std::string file = (pid == 0 ? "self" : std::to_string(pid)) + "/oom_score_adj";
    std::string wanted = std::to_string(*process.oom_score_adj);
    std::string current = std::string(trim(TRY(procfs.read(file))));
    // Writing the present value would need the privilege too when it is below what the process may go down to.
    if (current == wanted)
        return {};
    auto written = procfs.write(file, wanted);
    if (written || (written.error().code() != EACCES && written.error().code() != EPERM))
        return written;
    if (process.oom_score_may_fail)
        return {};
    return failure(std::move(written).error().with_hint(fmt::format(
        "it is {} now, and lowering it needs CAP_SYS_RESOURCE: ask for at least that in process.oomScoreAdj", current)));
}

namespace {

uint64_t word_value(spec::Words words, const std::string& name)
{
    return spec::find_word(words, name).value_or(0); // check_spec has refused unknown words
}

Result<kernel::BitMask> mask_of(std::string_view list)
{
    constexpr size_t bits = CHAR_BIT * sizeof(unsigned long);
    kernel::BitMask mask;
    for (auto [first, last] : TRY(spec::parse_index_list(list))) {
        mask.resize(std::max(mask.size(), last / bits + 1));
        for (size_t index = first; index <= last; index++)
            mask[index / bits] |= 1UL << index % bits;
    }
    return mask;
}

Result<> apply_scheduler(const spec::Scheduler& scheduler)
{
    kernel::SchedulerAttributes attributes;
    attributes.policy = static_cast<uint32_t>(word_value(spec::scheduler_policies(), scheduler.policy));
    for (const auto& flag : scheduler.flags)
        attributes.flags |= word_value(spec::scheduler_flags(), flag);
    attributes.nice = scheduler.nice.value_or(0);
    attributes.priority = static_cast<uint32_t>(scheduler.priority.value_or(0));
    attributes.runtime = scheduler.runtime.value_or(0);
    attributes.deadline = scheduler.deadline.value_or(0);
    attributes.period = scheduler.period.value_or(0);
    auto set = kernel::set_scheduler(attributes);
    bool real_time = attributes.policy == SCHED_FIFO || attributes.policy == SCHED_RR;
    if (!set && set.error().code() == EPERM && real_time)
        return failure(std::move(set).error().with_hint(
            "real-time policies need CAP_SYS_NICE, and on cgroup v1 time in linux.resources.cpu.realtimeRuntime"));
    return set;
}

} // namespace

Result<> apply_scheduling(const plan::Process& process)
{
    if (process.scheduler)
        TRY_DURING("error setting scheduler", apply_scheduler(*process.scheduler));
    if (!process.io_priority)
        return {};
    auto priority_class = word_value(spec::io_priority_classes(), process.io_priority->class_name);
    TRY_DURING("error setting ioPriority",
               kernel::set_io_priority(static_cast<int>(priority_class), process.io_priority->priority));
    return {};
}

Result<> apply_memory_policy(const plan::Process& process)
{
    if (!process.memory_policy)
        return {};
    if (!kernel::has_memory_policies())
        return failure(Error(ErrorKind::not_supported, "linux.memoryPolicy: this kernel has no memory policies")
                           .with_hint("it needs CONFIG_NUMA"));
    uint64_t mode = word_value(spec::memory_policy_modes(), process.memory_policy->mode);
    for (const auto& flag : process.memory_policy->flags)
        mode |= word_value(spec::memory_policy_flags(), flag);
    auto nodes = TRY_DURING("linux.memoryPolicy.nodes", mask_of(process.memory_policy->nodes));
    return kernel::set_memory_policy(static_cast<int>(mode), nodes);
}

Result<> apply_personality(const plan::Process& process)
{
    if (!process.personality)
        return {};
    return kernel::set_personality(word_value(spec::personality_domains(), process.personality->domain));
}

Result<> apply_cpu_affinity(std::string_view cpus)
{
    auto mask = TRY_DURING("process.execCPUAffinity", mask_of(cpus));
    if (mask.empty())
        return {};
    return kernel::set_cpu_affinity(mask);
}

namespace {

std::string sysctl_hint(int code)
{
    switch (code) {
    case ENOENT: return "the kernel has no such sysctl, or its module is not loaded";
    case EINVAL: return "the kernel does not accept this value";
    case EACCES:
    case EPERM:
    case EROFS: return "only sysctls of the container's own namespaces can be written";
    default: return {};
    }
}

} // namespace

Result<> apply_sysctls(const std::vector<plan::Sysctl>& sysctls)
{
    if (sysctls.empty())
        return {};
    auto procfs = TRY(kernel::Procfs::open(kernel::Procfs::View::everything));
    for (const auto& sysctl : sysctls) {
        auto written = procfs.write("sys/" + sysctl.path, sysctl.value);
        if (!written) {
            std::string hint = sysctl_hint(written.error().code());
            return failure(std::move(written).error().with_hint(std::move(hint)).during("linux.sysctl"));
        }
    }
    return {};
}

} // namespace brig::setup
