#include "container/policy_files.hpp"

#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/system_call_names.hpp"
#include "policy/read_policy.hpp"
#include "policy/tighten.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <seccomp.h>
#include <set>

namespace brig::container {

namespace {

constexpr size_t largest_policy = size_t{1} << 20;
constexpr std::string_view suffix = ".json";
constexpr uid_t unmapped = 65534; // the host's root and all others, seen from a user namespace

bool is_trusted_owner(uid_t owner)
{
    return owner == 0 || owner == kernel::effective_uid() || (owner == unmapped && kernel::effective_uid() == 0);
}

Result<> check_trusted(FdRef file, const std::string& path)
{
    auto status = TRY(kernel::status_of(file));
    if (is_trusted_owner(status.st_uid) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return {};
    return failure(Error(ErrorKind::refused, fmt::format("{} belongs to uid {} and has mode {:04o}: others could weaken it", path,
                                                         status.st_uid, status.st_mode & 07777))
                       .with_hint(fmt::format("chown root {0}; chmod go-w {0}", path)));
}

// Empty: there is no such file.
Result<std::optional<std::string>> read_if_there(const std::string& folder, const std::string& name)
{
    auto directory = kernel::open_at(kernel::working_directory, folder, O_PATH | O_DIRECTORY);
    if (!directory && (directory.error().code() == ENOENT || directory.error().code() == ENOTDIR))
        return std::optional<std::string>();
    Fd opened = TRY(std::move(directory));
    auto file = kernel::open_at(opened, name, O_RDONLY | O_NONBLOCK);
    if (!file && file.error().code() == ENOENT)
        return std::optional<std::string>();
    Fd readable = TRY(std::move(file));
    TRY(check_trusted(opened, folder));
    TRY(check_trusted(readable, join_path(folder, name)));
    return std::optional<std::string>(TRY(kernel::read_all(readable, largest_policy)));
}

Result<Json> parse(const std::string& text, const std::string& path)
{
    return TRY_DURING(path, Json::parse(text));
}

std::vector<std::string> names_in(const std::string& folder)
{
    std::vector<std::string> found;
    auto directory = kernel::open_at(kernel::working_directory, folder, O_RDONLY | O_DIRECTORY);
    if (!directory || !check_trusted(*directory, folder))
        return found;
    // The schema of policies lies beside them.
    for (const auto& name : kernel::list_directory(*directory).value_or(std::vector<std::string>()))
        if (name != "schema.json" && name.ends_with(suffix) && policy::check_name(name.substr(0, name.size() - suffix.size())))
            found.push_back(name.substr(0, name.size() - suffix.size()));
    return found;
}

} // namespace

Result<PolicyFiles::Text> PolicyFiles::read_trusted(const std::string& name, std::string_view what) const
{
    for (const auto& folder : m_folders)
        if (auto text = TRY(read_if_there(folder, name + std::string(suffix))))
            return Text{*std::move(text), join_path(folder, name + std::string(suffix))};
    return failure(
        Error(ErrorKind::not_found, fmt::format("there is no {} {}", what, quoted(name)))
            .with_hint(fmt::format("searched were {}; `brig policy list` shows what there is", join(m_folders, ", "))));
}

Result<Json> PolicyFiles::with_parents(Json document, std::vector<std::string> seen) const
{
    std::string parent = TRY(policy::parent_name(document.view()));
    if (parent.empty())
        return document;
    if (std::ranges::find(seen, parent) != seen.end())
        return failure(ErrorKind::invalid, fmt::format("extends goes round in a circle: {}, {}", join(seen, ", "), parent));
    seen.push_back(parent);
    auto file = TRY(read_trusted(parent, "policy"));
    Json base = TRY(with_parents(TRY(parse(file.text, file.path)), std::move(seen)));
    return policy::merged(base.view(), document.view());
}

Result<PolicyFile> PolicyFiles::complete(Json document, std::string path, const std::string& name) const
{
    PolicyFile file;
    file.document = TRY_DURING(path, with_parents(std::move(document), {name}));
    file.policy = TRY_DURING(path, policy::read_policy(file.document.view()));
    file.path = std::move(path);
    if (file.policy.name != name)
        return failure(Error(ErrorKind::invalid, fmt::format("{}: the name is {}", file.path, quoted(file.policy.name)))
                           .with_hint(fmt::format("write {}, as the file is called", quoted(name))));
    if (file.policy.seccomp.profile.empty())
        return file;
    auto profile = TRY(read_trusted("seccomp/" + file.policy.seccomp.profile, "seccomp profile"));
    // The compiler passes over names that nobody knows, which here would leave a call allowed.
    for (const auto& call : file.policy.seccomp.deny)
        if (!kernel::is_known_to_libseccomp(call) && !kernel::system_call_number(seccomp_arch_native(), call))
            return failure(
                Error(ErrorKind::invalid, fmt::format("{}: seccomp.deny: {} is no system call", file.path, quoted(call)))
                    .with_hint("write it as the kernel does, like \"ptrace\""));
    Json rules = TRY(parse(profile.text, profile.path));
    file.filter = policy::filter_of(file.policy, TRY_DURING(profile.path, policy::read_profile(rules.view())));
    return file;
}

Result<Json> PolicyFiles::profile(const std::string& name) const
{
    auto file = TRY(read_trusted("seccomp/" + name, "seccomp profile"));
    return parse(file.text, file.path);
}

Result<PolicyFile> PolicyFiles::find(const std::string& name) const
{
    TRY(policy::check_name(name));
    auto file = TRY(read_trusted(name, "policy"));
    return complete(TRY(parse(file.text, file.path)), file.path, name);
}

Result<PolicyFile> PolicyFiles::check(const std::string& path) const
{
    std::string name(base_name(path));
    if (!name.ends_with(suffix))
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not called NAME.json", quoted(path)))
                           .with_hint("a policy has the name of its file"));
    name.resize(name.size() - suffix.size());
    TRY(policy::check_name(name));
    std::string text = TRY(kernel::read_file(kernel::working_directory, path, largest_policy));
    return complete(TRY(parse(text, path)), path, name);
}

Result<std::vector<std::string>> PolicyFiles::names() const
{
    std::set<std::string> all;
    for (const auto& folder : m_folders)
        for (auto& name : names_in(folder))
            all.insert(std::move(name));
    return std::vector<std::string>(all.begin(), all.end());
}

namespace {

Result<> read_value(JsonView value, const Place& place, HostSettings& out)
{
    static constexpr std::array rows = {
        row<&HostSettings::default_policy>("defaultPolicy"),
        row<&HostSettings::allow_annotations>("allowAnnotations"),
    };
    return read_only_rows(value, place, rows, out);
}

} // namespace

Result<HostSettings> read_host_settings(const std::string& path)
{
    HostSettings settings;
    auto text = TRY(read_if_there(std::string(parent_path(path)), std::string(base_name(path))));
    if (!text)
        return settings;
    Json document = TRY(parse(*text, path));
    TRY_DURING(path, read_value(document.view(), Place(), settings));
    return settings;
}

} // namespace brig::container
