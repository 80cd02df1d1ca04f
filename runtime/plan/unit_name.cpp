#include "plan/unit_name.hpp"

#include "base/text.hpp"

namespace brig::plan {

namespace {

constexpr std::string_view slice_suffix = ".slice";
constexpr size_t longest_name = 255; // systemd's UNIT_NAME_MAX, which is also the longest name of a directory
constexpr const char* format_hint =
    "with systemd it is SLICE:PREFIX:NAME, for example system.slice:brig:web, or empty; a path of directories needs "
    "--cgroup-manager cgroupfs";

Error bad_path(const std::string& path, std::string_view why)
{
    return Error(ErrorKind::invalid, fmt::format("linux.cgroupsPath {} {}", quoted(path), why)).with_hint(format_hint);
}

Result<> check_unit_name(std::string_view name)
{
    if (name.size() > longest_name)
        return failure(Error(ErrorKind::invalid, fmt::format("the unit name {} has more than {} characters",
                                                             quoted(name.substr(0, 80)), longest_name))
                           .with_hint("give a shorter linux.cgroupsPath or ID"));
    for (char character : name) {
        bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
        bool digit = character >= '0' && character <= '9';
        if (!letter && !digit && std::string_view("_.-").find(character) == std::string_view::npos)
            return failure(Error(ErrorKind::invalid, fmt::format("{} cannot be in the name of a systemd unit: {}",
                                                                 quoted(std::string_view(&character, 1)), quoted(name)))
                               .with_hint("use A-Z a-z 0-9 _ . - in linux.cgroupsPath, or in the ID where that is empty"));
    }
    return {};
}

std::string scope_name(const std::string& prefix, const std::string& name)
{
    return (prefix.empty() ? name : prefix + "-" + name) + ".scope";
}

Result<UnitPlace> place_of_scope(const std::string& slice, const std::string& prefix, const std::string& name)
{
    UnitPlace place{.name = scope_name(prefix, name), .slice = slice, .path = TRY(path_of_slice(slice))};
    TRY(check_unit_name(place.name));
    place.path += "/" + place.name;
    return place;
}

} // namespace

Result<std::string> path_of_slice(std::string_view slice)
{
    auto refuse = [&](std::string_view why) {
        return failure(Error(ErrorKind::invalid, fmt::format("invalid slice name {}: {}", quoted(slice), why))
                           .with_hint("a slice is NAME.slice, and each dash in NAME begins a slice in another: a-b.slice is in "
                                      "a.slice"));
    };
    if (slice == "-.slice")
        return std::string();
    if (!slice.ends_with(slice_suffix) || slice.size() == slice_suffix.size())
        return refuse("it does not end with .slice");
    TRY(check_unit_name(slice));
    std::string path;
    std::string parent;
    for (auto part : split(slice.substr(0, slice.size() - slice_suffix.size()), '-')) {
        if (part.empty())
            return refuse("a part between its dashes is empty");
        parent += (parent.empty() ? "" : "-") + std::string(part);
        path += fmt::format("/{}{}", parent, slice_suffix);
    }
    return path;
}

Result<UnitPlace> place_of_unit(const std::string& cgroups_path, const std::string& id, bool of_user)
{
    const std::string usual_slice = of_user ? "user.slice" : "system.slice";
    if (cgroups_path.empty())
        return place_of_scope(usual_slice, "brig", id);
    auto parts = split(cgroups_path, ':');
    if (parts.size() != 3)
        return failure(bad_path(cgroups_path, "is not SLICE:PREFIX:NAME"));
    std::string slice(parts[0]);
    std::string name(parts[2]);
    if (name.empty())
        return failure(bad_path(cgroups_path, "has no NAME"));
    if (!name.ends_with(slice_suffix))
        return place_of_scope(slice.empty() ? usual_slice : slice, std::string(parts[1]), name);
    UnitPlace place{.name = name, .slice = {}, .path = TRY(path_of_slice(name))};
    if (place.path.empty())
        return failure(bad_path(cgroups_path, "is the root slice").with_hint("give a slice of the container's own"));
    if (!slice.empty() && TRY(path_of_slice(slice)) != parent_path(place.path) && slice != "-.slice")
        return failure(bad_path(cgroups_path, fmt::format("puts {} into {}, but its name puts it elsewhere", name, slice))
                           .with_hint("leave SLICE empty, or let NAME be that of SLICE, a dash and more"));
    return place;
}

} // namespace brig::plan
