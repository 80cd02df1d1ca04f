#include "kernel/landlock.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brig::kernel {

int landlock_version()
{
    long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : static_cast<int>(version);
}

Result<Fd> make_landlock_ruleset(uint64_t handled)
{
    struct landlock_ruleset_attr attributes = {};
    attributes.handled_access_fs = handled;
    // The kernel opens it with O_CLOEXEC.
    long fd = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (fd < 0)
        return BRIG_CALL_FAILED("landlock_create_ruleset {:#x}", handled);
    return Fd(static_cast<int>(fd));
}

Result<> add_landlock_rule(FdRef ruleset, FdRef path, uint64_t allowed)
{
    struct landlock_path_beneath_attr attributes = {};
    attributes.allowed_access = allowed;
    attributes.parent_fd = path.get();
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &attributes, 0) < 0)
        return BRIG_CALL_FAILED("landlock_add_rule {} {:#x}", path_of(path), allowed);
    return {};
}

Result<> enter_landlock(FdRef ruleset)
{
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) < 0)
        return BRIG_CALL_FAILED("landlock_restrict_self");
    return {};
}

} // namespace brig::kernel
