#include "spec/sysctl.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

namespace {

struct Owner {
    std::string_view path; // with a "/" at the end: everything below
    NamespaceType type;
};

// user.* limits are per user namespace: a container can only tighten what its parent namespaces allow.
constexpr std::array owners = {
    Owner{"fs/mqueue/", NamespaceType::ipc},
    Owner{"kernel/domainname", NamespaceType::uts},
    Owner{"kernel/msgmax", NamespaceType::ipc},
    Owner{"kernel/msgmnb", NamespaceType::ipc},
    Owner{"kernel/msgmni", NamespaceType::ipc},
    Owner{"kernel/sem", NamespaceType::ipc},
    Owner{"kernel/shm_rmid_forced", NamespaceType::ipc},
    Owner{"kernel/shmall", NamespaceType::ipc},
    Owner{"kernel/shmmax", NamespaceType::ipc},
    Owner{"kernel/shmmni", NamespaceType::ipc},
    Owner{"net/", NamespaceType::network},
    Owner{"user/", NamespaceType::user},
};

std::string path_of(std::string_view key)
{
    auto separator = key.find_first_of("./");
    std::string path(key);
    if (separator == std::string_view::npos || key[separator] == '/')
        return path;
    for (char& letter : path)
        letter = letter == '.' ? '/' : letter == '/' ? '.' : letter;
    return path;
}

bool stays_below(std::string_view path)
{
    auto names = split(path, '/');
    return std::ranges::none_of(names, [](auto name) { return name.empty() || name == "." || name == ".."; });
}

} // namespace

Result<Sysctl> parse_sysctl(std::string_view key)
{
    Sysctl sysctl{path_of(key), {}};
    if (!stays_below(sysctl.path))
        return failure(Error(ErrorKind::invalid, fmt::format("sysctl {} is not a name below /proc/sys", quoted(key)))
                           .with_hint("write it like net.ipv4.ip_forward"));
    if (sysctl.path == "kernel/hostname")
        return failure(Error(ErrorKind::invalid, fmt::format("sysctl {} has a property of its own", quoted(key)))
                           .with_hint("set hostname instead"));
    auto found = std::ranges::find_if(owners, [&](const Owner& owner) {
        return owner.path.ends_with('/') ? sysctl.path.starts_with(owner.path) : sysctl.path == owner.path;
    });
    if (found == owners.end())
        return failure(Error(ErrorKind::invalid, fmt::format("sysctl {} is not in a separate kernel namespace", quoted(key)))
                           .with_hint("it would change the host: set it there, or remove it from linux.sysctl"));
    sysctl.owner = found->type;
    return sysctl;
}

} // namespace brig::spec
