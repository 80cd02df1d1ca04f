#include "kernel/program_output.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <unistd.h>

namespace brig::kernel {

Result<std::string> find_program(const std::string& name, const std::string& search_path)
{
    if (contains(name, "/"))
        return name;
    for (auto folder : split(search_path, ':')) {
        // An empty part means the working directory; a privileged program does not look there.
        if (folder.empty() || folder.front() != '/')
            continue;
        std::string path = join_path(folder, name);
        if (::access(path.c_str(), X_OK) == 0)
            return path;
    }
    return failure(ErrorKind::not_found, fmt::format("exec: {}: executable file not found in $PATH", quoted(name)));
}

namespace {

[[noreturn]] void become_program(const std::string& path, const std::vector<std::string>& args,
                                 const std::vector<std::string>& environment, FdRef output)
{
    (void)reset_signals();
    auto nothing = open_at(working_directory, "/dev/null", O_RDONLY);
    if (nothing && duplicate_onto(*nothing, 0) && duplicate_onto(output, 1) && close_descriptors_from(3)) {
        Error error = execute(path, args, environment);
        (void)write_all(FdRef(2), error.message() + "\n");
    }
    exit_now(127);
}

} // namespace

Result<ProgramOutput> read_program_output(const std::string& path, const std::vector<std::string>& args,
                                          const std::vector<std::string>& environment, size_t limit)
{
    auto [reader, writer] = TRY(make_pipe());
    CloneOutcome child = TRY(clone_process({}));
    if (child.in_child)
        become_program(path, args, environment, writer);
    writer.reset();
    ProgramOutput result;
    auto output = read_all(reader, limit);
    if (!output)
        (void)pidfd_send_signal(child.pidfd, SIGKILL);
    result.status = TRY(wait_for(child.pid));
    result.output = TRY(std::move(output));
    return result;
}

} // namespace brig::kernel
