#include "setup/identity.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace brig::setup {

namespace {

std::string name_of(cap_value_t capability)
{
    char* name = cap_to_name(capability);
    if (name == nullptr)
        return fmt::format("capability {}", capability);
    std::string text = name;
    cap_free(name);
    return text;
}

bool contains_bit(uint64_t set, cap_value_t capability)
{
    return (set >> capability & 1) != 0;
}

std::vector<cap_value_t> capabilities_in(uint64_t set)
{
    std::vector<cap_value_t> list;
    for (cap_value_t capability = 0; capability < 64; capability++)
        if (contains_bit(set, capability))
            list.push_back(capability);
    return list;
}

Result<> drop_bounding(uint64_t kept)
{
    // cap_get_bound fails for the first number that the kernel does not know.
    for (cap_value_t capability = 0; capability < 64; capability++) {
        int present = cap_get_bound(capability);
        if (present < 0)
            break;
        if (present > 0 && !contains_bit(kept, capability) && cap_drop_bound(capability) < 0)
            return failure(Error::system_call(errno, fmt::format("drop {} from the bounding set", name_of(capability)))
                               .with_hint("dropping needs CAP_SETPCAP"));
    }
    return {};
}

struct FreeCapabilities {
    void operator()(cap_t state) const { cap_free(state); }
};
using CapabilityState = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

Result<> set_capabilities(const plan::Capabilities& sets)
{
    CapabilityState state(cap_init());
    auto raise = [&](cap_flag_t flag, uint64_t set) {
        auto list = capabilities_in(set);
        return list.empty() || cap_set_flag(state.get(), flag, static_cast<int>(list.size()), list.data(), CAP_SET) == 0;
    };
    bool known = state && raise(CAP_EFFECTIVE, sets.effective) && raise(CAP_PERMITTED, sets.permitted)
                 && raise(CAP_INHERITABLE, sets.inheritable);
    if (!known || cap_set_proc(state.get()) < 0)
        return failure(Error::system_call(errno, fmt::format("capset effective {:#x}, permitted {:#x}, inheritable {:#x}",
                                                             sets.effective, sets.permitted, sets.inheritable)));
    return {};
}

Result<> set_ambient(uint64_t set)
{
    // A caller's ambient capabilities must not reach the container; without any, the call can be absent (Linux 4.2).
    if (cap_reset_ambient() < 0 && (set != 0 || errno != EINVAL))
        return failure(Error::system_call(errno, "clear the ambient capabilities"));
    for (cap_value_t capability : capabilities_in(set))
        if (cap_set_ambient(capability, CAP_SET) < 0)
            return failure(Error::system_call(errno, fmt::format("raise {} in the ambient set", name_of(capability)))
                               .with_hint("an ambient capability must be permitted and inheritable too"));
    return {};
}

} // namespace

Result<> set_supplementary_groups(const plan::Process& process, const std::vector<gid_t>& groups)
{
    if (!process.set_groups)
        return {};
    auto set = kernel::set_groups(groups);
    if (set || set.error().code() != EPERM || !process.groups_may_be_fixed)
        return set;
    if (process.additional_gids.empty())
        return {};
    return failure(std::move(set).error().with_hint(
        "the user namespace forbids setgroups: remove process.user.additionalGids, or map subordinate groups (/etc/subgid)"));
}

Result<> become_namespace_root(const plan::Process& process)
{
    TRY(set_supplementary_groups(process, {}));
    auto root = kernel::set_ids(0, 0);
    if (root || root.error().code() != EINVAL)
        return root;
    return kernel::set_ids(process.uid, process.gid);
}

Result<> become_user(const plan::Process& process)
{
    TRY(drop_bounding(process.capabilities.bounding));
    // Leaving uid 0 clears the permitted set, from which the container's own sets are then taken.
    TRY(kernel::set_keep_capabilities(true));
    TRY(set_supplementary_groups(process, process.additional_gids));
    auto changed = kernel::set_ids(process.uid, process.gid);
    if (!changed && changed.error().code() == EINVAL)
        return failure(std::move(changed).error().with_hint(
            "this ID is not mapped in the user namespace: see linux.uidMappings, linux.gidMappings and /proc/PID/uid_map"));
    TRY(std::move(changed));
    TRY(kernel::set_keep_capabilities(false));
    TRY(set_capabilities(process.capabilities));
    return set_ambient(process.capabilities.ambient);
}

Result<> apply_no_new_privileges(const plan::Process& process)
{
    if (!process.no_new_privileges)
        return {};
    return kernel::set_no_new_privileges();
}

namespace {

constexpr const char* apparmor_file = "self/attr/apparmor/exec";
constexpr const char* shared_label_file = "self/attr/exec"; // belongs to the first security module in the kernel's order

Result<> apply_apparmor(const kernel::Procfs& procfs, const std::string& profile)
{
    std::string order = "exec " + profile;
    auto written = procfs.write(apparmor_file, order);
    // Kernels before 5.8 have the shared file only.
    if (!written && written.error().code() == ENOENT)
        written = procfs.write(shared_label_file, order);
    if (!written && written.error().code() == ENOENT)
        return failure(std::move(written).error().with_hint(
            fmt::format("is the AppArmor profile {} loaded? aa-status lists them", quoted(profile))));
    return written;
}

} // namespace

Result<> apply_labels(const kernel::Procfs& procfs, const plan::Process& process)
{
    if (!process.apparmor_profile.empty())
        TRY_DURING("unable to apply apparmor profile", apply_apparmor(procfs, process.apparmor_profile));
    if (!process.selinux_label.empty())
        TRY_DURING("unable to set the SELinux label of the process", procfs.write(shared_label_file, process.selinux_label));
    return {};
}

Result<> join_new_keyring(const std::string& container_id)
{
    constexpr uint32_t user_may_search = 0x00080000; // KEY_USR_SEARCH
    auto keyring = kernel::join_session_keyring("_ses." + container_id);
    if (!keyring && keyring.error().code() == ENOSYS)
        return {};
    if (!keyring)
        return failure(std::move(keyring).error().with_hint(
            "use --no-new-keyring where the host forbids keyctl, or raise kernel.keys.maxkeys when the quota is used up"));
    uint32_t permissions = TRY(kernel::key_permissions(*keyring));
    return kernel::set_key_permissions(*keyring, permissions | user_may_search);
}

Result<> join_new_keyring(const kernel::Procfs& procfs, const std::string& container_id, const plan::Process& process)
{
    constexpr const char* label_file = "self/attr/keycreate";
    if (!process.new_session_keyring)
        return {};
    if (process.selinux_label.empty())
        return join_new_keyring(container_id);
    TRY(procfs.write(label_file, process.selinux_label));
    TRY(join_new_keyring(container_id));
    return procfs.write(label_file, "");
}

namespace {

bool is_null_device(const struct stat& status)
{
    constexpr unsigned memory_major = 1;
    constexpr unsigned null_minor = 3;
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(memory_major, null_minor);
}

// Pipes of another user namespace, read-only file systems and device files of others stay as they are: the process still
// has the open descriptor.
bool may_stay(int code)
{
    return code == EINVAL || code == EPERM || code == EROFS;
}

// The image's /dev/null where it is one: a device, a fifo or a link in its place is looked at, not opened.
Fd open_own_null_device()
{
    auto seen = kernel::open_at(kernel::working_directory, "/dev/null", O_PATH | O_NOFOLLOW);
    if (!seen)
        return Fd();
    auto status = kernel::status_of(*seen);
    if (!status || !is_null_device(*status))
        return Fd();
    auto opened = kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY);
    return opened ? std::move(*opened) : Fd();
}

// The caller's /dev/null is a file on a mount of the host: CRIU cannot save one, and the process has no business there.
Result<> take_own_null_device(int number)
{
    Fd own = open_own_null_device();
    if (!own || !is_null_device(TRY(kernel::status_of(own))))
        return {};
    return kernel::duplicate_onto(own, number);
}

} // namespace

Result<> give_stdio_to_user(const plan::Process& process)
{
    for (int number = 0; number <= 2; number++) {
        auto status = kernel::status_of(FdRef(number));
        if (!status && status.error().code() == EBADF)
            continue;
        if (!status)
            return failure(std::move(status).error());
        if (is_null_device(*status)) {
            TRY(take_own_null_device(number));
            continue;
        }
        if (status->st_uid == process.uid)
            continue;
        auto changed = kernel::change_owner(FdRef(number), process.uid, static_cast<gid_t>(-1));
        if (!changed && !may_stay(changed.error().code()))
            return changed;
    }
    return {};
}

std::string home_from_passwd(std::string_view passwd, uint32_t uid)
{
    constexpr size_t uid_field = 2;
    constexpr size_t home_field = 5;
    for (auto line : split(passwd, '\n')) {
        auto fields = split(trim(line), ':');
        if (fields.size() <= home_field)
            continue;
        auto number = parse_unsigned(fields[uid_field]);
        if (number && *number == uid)
            return std::string(fields[home_field]);
    }
    return {};
}

namespace {

// Empty when the image has no such file, or something else in its place: a fifo or a terminal would hold the start up.
Result<std::string> read_passwd()
{
    constexpr size_t limit = 4 << 20;
    Fd root = TRY(kernel::open_at(kernel::working_directory, "/", O_PATH | O_DIRECTORY));
    auto file = kernel::open_in_root(root, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file || !S_ISREG(TRY(kernel::status_of(*file)).st_mode))
        return std::string();
    return kernel::read_all(*file, limit);
}

} // namespace

Result<> complete_home(std::vector<std::string>& env, uint32_t uid)
{
    constexpr std::string_view name = "HOME=";
    std::string* entry = nullptr;
    for (auto& candidate : env)
        if (candidate.starts_with(name))
            entry = &candidate;
    if (entry != nullptr && entry->size() > name.size())
        return {};
    std::string home = home_from_passwd(TRY(read_passwd()), uid);
    std::string value = std::string(name) + (home.empty() ? "/" : home);
    if (entry != nullptr)
        *entry = std::move(value);
    else
        env.push_back(std::move(value));
    return {};
}

} // namespace brig::setup
