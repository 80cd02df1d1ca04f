#include "command/user_names.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <limits>

namespace brig::command {

UserNames::UserNames(std::string_view passwd)
{
    for (auto line : split(passwd, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() < 3)
            continue;
        auto uid = parse_unsigned(fields[2]);
        if (uid && *uid <= std::numeric_limits<uint32_t>::max())
            m_names.emplace(static_cast<uint32_t>(*uid), fields[0]);
    }
}

UserNames UserNames::of_host()
{
    constexpr size_t limit = 4 << 20;
    auto text = kernel::read_file(kernel::working_directory, "/etc/passwd", limit);
    return UserNames(text ? *text : std::string());
}

std::string UserNames::find(uint32_t uid) const
{
    auto name = m_names.find(uid);
    return name == m_names.end() ? "" : name->second;
}

} // namespace brig::command
