#include "command/version.hpp"

#include "base/text.hpp"
#include "spec/version.hpp"

#include <seccomp.h>

#ifndef BRIG_VERSION
#define BRIG_VERSION "unknown"
#endif
#ifndef BRIG_COMMIT
#define BRIG_COMMIT "unknown"
#endif

namespace brig::command {

std::string_view version()
{
    return BRIG_VERSION;
}

std::string_view commit()
{
    return BRIG_COMMIT;
}

std::string libseccomp_version()
{
    const struct scmp_version* linked = ::seccomp_version();
    return linked ? fmt::format("{}.{}.{}", linked->major, linked->minor, linked->micro) : "";
}

std::string version_text()
{
    return fmt::format("brig version {}\ncommit: {}\nspec: {}\nlibseccomp: {}\n", version(), commit(), spec::spec_version,
                       libseccomp_version());
}

} // namespace brig::command
