#include "command/inherited.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <cstdlib>

namespace brig::command {

namespace {

constexpr unsigned first_extra = 3;
constexpr unsigned most_extra = 1 << 20;

Result<unsigned> listen_descriptors()
{
    const char* count = std::getenv("LISTEN_FDS");
    const char* pid = std::getenv("LISTEN_PID");
    if (!count || !pid || pid != fmt::format("{}", kernel::process_id()))
        return 0;
    auto number = parse_unsigned(count);
    if (!number || *number > most_extra)
        return failure(ErrorKind::invalid, fmt::format("$LISTEN_FDS is {}, which is not a number of descriptors", quoted(count)));
    return static_cast<unsigned>(*number);
}

Result<> check_open(unsigned first, unsigned count, std::string_view source)
{
    for (unsigned index = 0; index < count; ++index)
        if (!kernel::is_inherited(FdRef(static_cast<int>(first + index))))
            return failure(Error(ErrorKind::invalid, fmt::format("file descriptor {} is not open ({} of {} of {})", first + index,
                                                                 index + 1, count, source))
                               .with_hint("descriptors to pass on begin at 3 without a gap"));
    return {};
}

} // namespace

Result<InheritedDescriptors> inherited_descriptors(unsigned preserved)
{
    InheritedDescriptors inherited;
    unsigned listening = TRY(listen_descriptors());
    if (preserved > most_extra)
        return failure(ErrorKind::invalid, fmt::format("--preserve-fds {} is more than there can be", preserved));
    TRY(check_open(first_extra, listening, "$LISTEN_FDS"));
    TRY(check_open(first_extra + listening, preserved, "--preserve-fds"));
    inherited.count = listening + preserved;
    if (listening > 0) {
        inherited.environment.push_back(fmt::format("LISTEN_FDS={}", listening));
        // The container's process is the first of its pid namespace.
        inherited.environment.emplace_back("LISTEN_PID=1");
        if (const char* names = std::getenv("LISTEN_FDNAMES"))
            inherited.environment.push_back(fmt::format("LISTEN_FDNAMES={}", names));
    }
    return inherited;
}

std::string notify_socket()
{
    const char* address = std::getenv("NOTIFY_SOCKET");
    return address ? address : "";
}

Result<Fd> connect_socket(std::string_view option, const std::string& path)
{
    if (path.empty())
        return Fd();
    return TRY_DURING(fmt::format("connect to the socket of --{}", option), kernel::connect_stream(path));
}

Result<std::string> absolute_path(const std::string& path)
{
    if (path.empty() || path.front() == '/')
        return path;
    return join_path(TRY(kernel::current_directory()), path);
}

} // namespace brig::command
