#include "setup/intel_rdt.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace brig::setup {

namespace {

constexpr size_t file_limit = 1 << 16;

// The kernel answers a wrong schema with EINVAL and keeps its reason in the root's info directory.
std::string last_command_status(const std::string& directory)
{
    for (std::string above = directory; above.size() > 1; above = std::string(parent_path(above))) {
        auto status = kernel::read_file(kernel::working_directory, join_path(above, "info/last_cmd_status"), file_limit);
        if (status)
            return std::string(trim(*status));
    }
    return {};
}

Result<> write_file_of(const std::string& directory, const std::string& name, const std::string& text)
{
    auto written = kernel::write_control_file(kernel::working_directory, join_path(directory, name), text);
    if (written)
        return written;
    std::string reason = last_command_status(directory);
    bool explained = !reason.empty() && reason != "ok";
    return explained ? failure(std::move(written).error().with_hint("the kernel says: " + reason)) : written;
}

// True when it was not there.
Result<bool> ensure_group(const std::string& directory)
{
    auto made = kernel::make_directory(kernel::working_directory, directory, 0755);
    if (made)
        return true;
    if (made.error().code() == EEXIST)
        return false;
    if (made.error().code() == ENOSPC)
        return failure(std::move(made).error().with_hint(
            "the processor has no class of service or monitoring group left: remove unused ones below /sys/fs/resctrl"));
    return failure(std::move(made).error());
}

std::string without_blanks(std::string_view text)
{
    std::string plain;
    for (char character : text)
        if (character != ' ' && character != '\t')
            plain += character;
    return plain;
}

// "L3:0=f;1=ff" as a set: {"L3:0=f", "L3:1=ff"}. The kernel pads names, and shows domains that were not asked for.
std::vector<std::string> domains_of(std::string_view line)
{
    std::string plain = without_blanks(line);
    auto colon = plain.find(':');
    if (colon == std::string::npos)
        return {};
    std::vector<std::string> domains;
    for (auto domain : split(std::string_view(plain).substr(colon + 1), ';')) {
        auto equals = domain.find('=');
        std::string_view value = equals == std::string_view::npos ? "" : domain.substr(equals + 1);
        while (value.size() > 1 && value.front() == '0')
            value.remove_prefix(1);
        if (!domain.empty())
            domains.push_back(fmt::format("{}:{}={}", plain.substr(0, colon), domain.substr(0, equals), value));
    }
    return domains;
}

// Somebody else's class is used as it is, never changed under its other members.
Result<> check_schemata(const plan::IntelRdt& planned)
{
    std::string text = TRY(kernel::read_file(kernel::working_directory, join_path(planned.directory, "schemata"), file_limit));
    std::vector<std::string> present;
    for (auto line : split(text, '\n'))
        for (auto& domain : domains_of(line))
            present.push_back(std::move(domain));
    for (const auto& line : planned.schemata)
        for (const auto& domain : domains_of(line))
            if (std::ranges::find(present, domain) == present.end())
                return failure(Error(ErrorKind::invalid, fmt::format("the class {} exists with other schemata: it has no {}",
                                                                     quoted(planned.directory), domain))
                                   .with_hint("name another closID, leave the schemata out, or change the class first"));
    return {};
}

Result<> make_class(const plan::IntelRdt& planned, Rollback& undo)
{
    if (!planned.may_make) {
        if (kernel::exists(kernel::working_directory, planned.directory))
            return {};
        return failure(Error(ErrorKind::invalid, fmt::format("there is no class {}", quoted(planned.directory)))
                           .with_hint("make it, or give linux.intelRdt schemata to make it with"));
    }
    bool made = TRY(ensure_group(planned.directory));
    if (!made)
        return check_schemata(planned);
    undo.add([&planned] { (void)remove_resctrl_groups({planned.directory}); });
    return planned.schemata.empty() ? Result<>() : write_schemata(planned.directory, planned.schemata);
}

} // namespace

Result<> make_resctrl_groups(const plan::IntelRdt& planned)
{
    Rollback undo;
    TRY_DURING("linux.intelRdt", make_class(planned, undo));
    if (!planned.monitoring_directory.empty())
        (void)TRY_DURING("linux.intelRdt.enableMonitoring", ensure_group(planned.monitoring_directory));
    undo.keep();
    return {};
}

Result<> join_resctrl_groups(const std::vector<std::string>& directories, pid_t pid)
{
    for (const auto& directory : directories)
        TRY_DURING("linux.intelRdt", write_file_of(directory, "tasks", std::to_string(pid)));
    return {};
}

Result<> write_schemata(const std::string& directory, const std::vector<std::string>& lines)
{
    return write_file_of(directory, "schemata", join(lines, "\n") + "\n");
}

Result<> remove_resctrl_groups(const std::vector<std::string>& directories)
{
    for (const auto& directory : directories) {
        auto removed = kernel::remove_directory(kernel::working_directory, directory);
        if (!removed && removed.error().code() != ENOENT)
            return removed;
    }
    return {};
}

} // namespace brig::setup
