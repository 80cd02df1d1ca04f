#include "command/criu_options.hpp"

#include "base/text.hpp"
#include "command/inherited.hpp"
#include "kernel/program_output.hpp"

#include <array>
#include <cstdlib>

namespace brig::command {

namespace {

struct ModeWord {
    std::string_view name;
    container::CriuCgroupMode mode;
};

constexpr std::array mode_words = {
    ModeWord{"", container::CriuCgroupMode::automatic},    ModeWord{"soft", container::CriuCgroupMode::soft},
    ModeWord{"full", container::CriuCgroupMode::full},     ModeWord{"strict", container::CriuCgroupMode::strict},
    ModeWord{"ignore", container::CriuCgroupMode::ignore},
};

Result<container::CriuCgroupMode> cgroup_mode(const std::string& name)
{
    for (const auto& word : mode_words)
        if (word.name == name)
            return word.mode;
    return failure(Error(ErrorKind::invalid, fmt::format("invalid manage-cgroups-mode value {}", quoted(name)))
                       .with_hint("soft, full, strict or ignore"));
}

// Engines call with nearly no environment, so the usual folders come after $PATH. Empty: there is none.
Result<std::string> criu_program(const Arguments& globals)
{
    std::string given = globals.text("criu");
    if (given.find('/') != std::string::npos)
        return absolute_path(given);
    std::string search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    if (const char* path = std::getenv("PATH"))
        search_path = fmt::format("{}:{}", path, search_path);
    return kernel::find_program(given.empty() ? "criu" : given, search_path).value_or("");
}

Result<> check_empty_namespaces(const std::vector<std::string>& types)
{
    for (const auto& type : types)
        if (type != "network")
            return failure(Error(ErrorKind::invalid, fmt::format("namespace {} is not supported", quoted(type)))
                               .with_hint("--empty-ns takes network"));
    return {};
}

} // namespace

Result<container::CriuSettings> criu_settings(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    TRY(check_empty_namespaces(arguments.list("empty-ns")));
    container::CriuSettings settings;
    settings.cgroup_mode = TRY(cgroup_mode(arguments.text("manage-cgroups-mode")));
    settings.program = TRY(criu_program(invocation.globals));
    std::string images = arguments.text("image-path");
    settings.image_path = TRY(absolute_path(images.empty() ? "checkpoint" : images));
    settings.work_path = TRY(absolute_path(arguments.text("work-path")));
    settings.external_unix_sockets = arguments.flag("ext-unix-sk");
    settings.tcp_established = arguments.flag("tcp-established");
    settings.shell_job = arguments.flag("shell-job");
    settings.file_locks = arguments.flag("file-locks");
    settings.lazy_pages = arguments.flag("lazy-pages");
    settings.auto_dedup = arguments.flag("auto-dedup");
    return settings;
}

} // namespace brig::command
