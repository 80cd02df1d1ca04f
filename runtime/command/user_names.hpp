// Names of the host's users, for people. libc's getpwuid loads modules at run time, which a static binary cannot.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace brig::command {

class UserNames {
public:
    // `passwd`: the text of /etc/passwd.
    explicit UserNames(std::string_view passwd);
    static UserNames of_host(); // empty when /etc/passwd cannot be read

    std::string find(uint32_t uid) const; // "" when there is none

private:
    std::map<uint32_t, std::string> m_names;
};

} // namespace brig::command
