#include "policy/read_policy.hpp"

#include "base/json_reader.hpp"
#include "base/size.hpp"
#include "base/text.hpp"
#include "policy/read_sections.hpp"

#include <array>

namespace brig::policy {

namespace {

constexpr size_t longest_name = 64;

bool is_name_character(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || character == '-';
}

// The lists of a policy name files inside by absolute, clean paths: all that compares them relies on it.
Result<> check_paths(const std::vector<std::string>& paths, std::string_view property)
{
    for (const auto& path : paths)
        if (path.empty() || path.front() != '/' || clean_path(path) != path)
            return failure(Error(ErrorKind::invalid, fmt::format("{}: {} is not an absolute, clean path", property, quoted(path)))
                               .with_hint("write it from / on, without a final slash, //, . and .."));
    return {};
}

template<typename Item> std::vector<std::string> paths_of(const std::vector<Item>& items)
{
    std::vector<std::string> paths;
    for (const auto& item : items)
        paths.push_back(item.path);
    return paths;
}

Result<> check_filesystem(const Filesystem& filesystem)
{
    TRY(check_paths(paths_of(filesystem.tmpfs), "filesystem.tmpfs"));
    TRY(check_paths(paths_of(filesystem.binds), "filesystem.binds"));
    TRY(check_paths(filesystem.hidden, "filesystem.hidden"));
    TRY(check_paths(filesystem.read_only, "filesystem.readOnly"));
    if (!filesystem.landlock)
        return {};
    TRY(check_paths(filesystem.landlock->read, "filesystem.landlock.read"));
    TRY(check_paths(filesystem.landlock->read_write, "filesystem.landlock.readWrite"));
    return check_paths(filesystem.landlock->execute, "filesystem.landlock.execute");
}

// What one property says about another.
Result<> check_policy(const Policy& policy)
{
    TRY(check_filesystem(policy.filesystem));
    if (!policy.seccomp.deny.empty() && policy.seccomp.profile.empty())
        return failure(Error(ErrorKind::invalid, "seccomp.deny needs seccomp.profile").with_hint("\"default\" is the widest"));
    // Without it the kernel takes a filter only from CAP_SYS_ADMIN, and Landlock rules likewise.
    if ((!policy.seccomp.profile.empty() || policy.filesystem.landlock) && !policy.privileges.no_new_privileges)
        return failure(Error(ErrorKind::invalid, "seccomp.profile and filesystem.landlock need privileges.noNewPrivileges")
                           .with_hint("set it to true"));
    // What a container writes outside of its tmpfs has no limit of its own.
    if (policy.resources.disk_bytes && !policy.filesystem.read_only_root)
        return failure(Error(ErrorKind::invalid, "resources.disk needs filesystem.readOnlyRoot").with_hint("set it to true"));
    if (policy.resources.swap_bytes && !policy.resources.memory_bytes)
        return failure(Error(ErrorKind::invalid, "resources.swap needs resources.memory")
                           .with_hint("the kernel limits memory and swap together"));
    if (policy.network.mode != NetworkMode::allow && !policy.network.allow.empty())
        return failure(Error(ErrorKind::invalid, "network.allow is given, but network.mode is not \"allow\"")
                           .with_hint("add \"mode\": \"allow\""));
    if (policy.approval && (policy.approval->command.empty() || !policy.approval->command.front().starts_with('/')))
        return failure(Error(ErrorKind::invalid, "approval.command must begin with the absolute path of a program"));
    for (const auto& [name, value] : policy.environment.set)
        if (name.empty() || contains(name, "="))
            return failure(ErrorKind::invalid, fmt::format("env.set: {} is not a variable's name", quoted(name)));
    return {};
}

Result<> read_value(JsonView value, const Place& place, Policy& out)
{
    static constexpr std::array rows = {
        row<&Policy::name>("name"),
        row<&Policy::description>("description"),
        row<&Policy::seccomp>("seccomp"),
        row<&Policy::namespaces>("namespaces"),
        row<&Policy::privileges>("privileges"),
        row<&Policy::filesystem>("filesystem"),
        row<&Policy::environment>("env"),
        row<&Policy::resources>("resources"),
        row<&Policy::hooks>("hooks"),
        row<&Policy::limits>("limits"),
        row<&Policy::artifacts>("artifacts"),
        row<&Policy::network>("network"),
        row<&Policy::approval>("approval"),
        row<&Policy::audit>("audit"),
    };
    return read_only_rows(value, place, rows, out);
}

} // namespace

Result<> check_name(const std::string& name)
{
    bool good = !name.empty() && name.size() <= longest_name && name.front() != '-'
                && std::all_of(name.begin(), name.end(), is_name_character);
    if (good)
        return {};
    return failure(Error(ErrorKind::invalid, fmt::format("{} is not the name of a policy", quoted(name)))
                       .with_hint("names are of a-z, 0-9 and -; `brig policy list` shows those of this host"));
}

Result<std::string> parent_name(JsonView document)
{
    Place root;
    TRY(expect_type(document, root, JsonType::object));
    auto parent = document.member("extends");
    if (parent.is_null())
        return std::string();
    TRY(expect_type(parent, root.member("extends"), JsonType::string));
    TRY(check_name(parent.string()));
    return parent.string();
}

Json merged(JsonView parent, JsonView child)
{
    if (!parent.is_object() || !child.is_object())
        return Json::copy_of(child);
    Json result = Json::copy_of(parent);
    child.for_each_member([&](std::string_view name, JsonView value) {
        if (name != "extends")
            result.set(name, merged(parent.member(name), value));
    });
    return result;
}

Result<Policy> read_policy(JsonView document)
{
    Policy policy;
    TRY(read_value(document, Place(), policy));
    TRY(check_name(policy.name));
    TRY(check_policy(policy));
    return policy;
}

} // namespace brig::policy
