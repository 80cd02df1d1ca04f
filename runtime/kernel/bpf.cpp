#include "kernel/bpf.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <cstring>
#include <sys/syscall.h>

namespace brig::kernel {

namespace {

// The kernel refuses unknown bytes that are not zero, also padding: callers clear the whole union first.
long bpf(enum bpf_cmd command, union bpf_attr& attributes)
{
    return retry_interrupted([&] { return ::syscall(SYS_bpf, command, &attributes, sizeof attributes); });
}

union bpf_attr cleared()
{
    union bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    return attributes;
}

uint64_t address(const void* pointer)
{
    return reinterpret_cast<uint64_t>(pointer);
}

union bpf_attr load_request(std::span<const struct bpf_insn> instructions)
{
    auto attributes = cleared();
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.expected_attach_type = BPF_CGROUP_DEVICE;
    attributes.insns = address(instructions.data());
    attributes.insn_cnt = static_cast<uint32_t>(instructions.size());
    attributes.license = address("Apache-2.0");
    constexpr std::string_view name = "brig_devices";
    name.copy(attributes.prog_name, name.size());
    return attributes;
}

std::string verifier_says(std::span<const struct bpf_insn> instructions)
{
    std::string log(size_t(1) << 16, '\0');
    auto attributes = load_request(instructions);
    attributes.log_buf = address(log.data());
    attributes.log_size = static_cast<uint32_t>(log.size());
    attributes.log_level = 1;
    Fd unexpected(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
    log.resize(std::strlen(log.c_str()));
    constexpr size_t last_words = 200;
    return log.size() > last_words ? log.substr(log.size() - last_words) : log;
}

} // namespace

Result<Fd> load_device_program(std::span<const struct bpf_insn> instructions)
{
    auto attributes = load_request(instructions);
    long fd = bpf(BPF_PROG_LOAD, attributes);
    if (fd >= 0)
        return Fd(static_cast<int>(fd));
    auto error =
        Error::system_call(errno, fmt::format("bpf BPF_PROG_LOAD of a device filter with {} instructions", instructions.size()));
    if (error.code() == EPERM)
        return failure(std::move(error).with_hint(
            "it needs CAP_BPF or CAP_SYS_ADMIN in the host's user namespace, and before Linux 5.11 room in RLIMIT_MEMLOCK"));
    if (error.code() == ENOSYS)
        return failure(std::move(error).with_hint("the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF"));
    return failure(std::move(error).with_hint("the verifier said: " + one_line(verifier_says(instructions))));
}

Result<> attach_device_program(FdRef cgroup, FdRef program)
{
    auto attributes = cleared();
    attributes.target_fd = static_cast<uint32_t>(cgroup.get());
    attributes.attach_bpf_fd = static_cast<uint32_t>(program.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attributes) == 0)
        return {};
    auto error = Error::system_call(errno, fmt::format("bpf BPF_PROG_ATTACH of a device filter to {}", path_of(cgroup)));
    if (error.code() == EPERM)
        return failure(std::move(error).with_hint(
            "a program attached to this cgroup or to one above it does not allow further ones; see `bpftool cgroup tree`"));
    return failure(std::move(error));
}

} // namespace brig::kernel
