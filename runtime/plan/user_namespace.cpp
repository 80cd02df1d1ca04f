#include "plan/user_namespace.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace brig::plan {

namespace {

constexpr unsigned cap_setgid = 6;
constexpr unsigned cap_setuid = 7;
constexpr uint64_t all_ids = (uint64_t{1} << 32) - 1; // the last number means "no id"

// What is the same for users and groups, under their names.
struct IdKind {
    std::string_view word;     // "user"
    std::string_view property; // "linux.uidMappings"
    std::string_view file;     // "/etc/subuid"
    std::string_view program;  // "newuidmap"
    std::string_view option;   // of usermod
    uint32_t own;
    bool may_map_any;
    const std::vector<IdRange>& existing;
    const std::vector<IdRange>& subordinate;
    const std::string& program_path;
};

IdKind users_of(const HostFacts& facts)
{
    return {"user",
            "linux.uidMappings",
            "/etc/subuid",
            "newuidmap",
            "--add-subuids",
            facts.uid,
            facts.has_capability(cap_setuid),
            facts.own_uids,
            facts.subordinate_ids.uids,
            facts.subordinate_ids.newuidmap};
}

IdKind groups_of(const HostFacts& facts)
{
    return {"group",
            "linux.gidMappings",
            "/etc/subgid",
            "newgidmap",
            "--add-subgids",
            facts.gid,
            facts.has_capability(cap_setgid),
            facts.own_gids,
            facts.subordinate_ids.gids,
            facts.subordinate_ids.newgidmap};
}

std::string text_of(const IdRange& range)
{
    return range.count == 1 ? std::to_string(range.first) : fmt::format("{}-{}", range.first, range.end() - 1);
}

std::string text_of(const std::vector<IdRange>& ranges)
{
    std::vector<std::string> texts;
    for (const auto& range : ranges)
        texts.push_back(text_of(range));
    return texts.empty() ? "none" : join(texts, ", ");
}

std::string name_or_number(const HostFacts& facts)
{
    const std::string& name = facts.subordinate_ids.user_name;
    return name.empty() ? std::to_string(facts.uid) : name;
}

bool maps(const std::vector<spec::IdMapping>& mappings, uint64_t id)
{
    return std::ranges::any_of(mappings, [&](const spec::IdMapping& mapping) {
        return id >= mapping.container_id && id - mapping.container_id < mapping.size;
    });
}

// ---- a namespace for a bundle that has none ----------------------------------------------------------------------------

// 0 is the caller; the subordinate ids follow in the file's order.
std::vector<spec::IdMapping> own_and_subordinate(const IdKind& kind, bool with_subordinate)
{
    constexpr size_t most = 340; // UID_GID_MAP_MAX_EXTENTS
    std::vector<spec::IdMapping> mappings = {{0, kind.own, 1}};
    uint64_t next = 1;
    std::vector<IdRange> taken = {{kind.own, 1}};
    for (const auto& range : kind.subordinate) {
        uint64_t count = std::min(range.count, all_ids - next);
        bool overlaps = std::ranges::any_of(
            taken, [&](const IdRange& other) { return range.first < other.end() && other.first < range.end(); });
        if (!with_subordinate || overlaps || count == 0 || range.end() > all_ids || mappings.size() == most)
            continue;
        mappings.push_back({static_cast<uint32_t>(next), static_cast<uint32_t>(range.first), static_cast<uint32_t>(count)});
        taken.push_back(range);
        next += count;
    }
    return mappings;
}

bool has_namespace(const spec::Linux& linux, spec::NamespaceType type)
{
    return std::ranges::any_of(linux.namespaces, [&](const spec::Namespace& entry) { return entry.type == type; });
}

template<typename Exists> void drop_terminal_group(spec::Spec& spec, Exists exists)
{
    auto is_unknown = [&](const std::string& option) {
        constexpr std::string_view name = "gid=";
        if (!option.starts_with(name))
            return false;
        auto gid = parse_unsigned(std::string_view(option).substr(name.size()));
        return gid && !exists(*gid);
    };
    for (auto& mount : spec.mounts)
        if (mount.type == "devpts")
            std::erase_if(mount.options, is_unknown);
}

Result<> check_mapped(const IdKind& kind, const std::vector<spec::IdMapping>& mappings, uint32_t id, const HostFacts& facts)
{
    if (maps(mappings, id))
        return {};
    return failure(
        Error(ErrorKind::not_supported,
              fmt::format("process.user asks for the {} ID {}, but user {} may give a container only {} {} ID{}", kind.word, id,
                          name_or_number(facts), mappings.size() == 1 ? "his own" : std::to_string(all_ids), kind.word,
                          mappings.size() == 1 ? "" : "s"))
            .with_hint(fmt::format("as root: apt-get install uidmap && usermod --add-subuids 100000-165535 --add-subgids "
                                   "100000-165535 {}; or let the process be user 0",
                                   name_or_number(facts))));
}

} // namespace

Result<> adapt_to_caller(spec::Spec& spec, const HostFacts& facts)
{
    constexpr unsigned cap_sys_admin = 21;
    if (!spec.linux || has_namespace(*spec.linux, spec::NamespaceType::user))
        return {};
    if (facts.in_user_namespace)
        drop_terminal_group(spec, [&](uint64_t gid) { return !first_missing({gid, 1}, facts.own_gids); });
    if (facts.uid == 0 || facts.has_capability(cap_sys_admin))
        return {};
    IdKind users = users_of(facts);
    IdKind groups = groups_of(facts);
    bool with_subordinate =
        !users.subordinate.empty() && !groups.subordinate.empty() && !users.program_path.empty() && !groups.program_path.empty();
    spec::Linux& linux = *spec.linux;
    linux.namespaces.push_back({spec::NamespaceType::user, ""});
    // Without it a cgroup mount would need a cgroup of the container's own.
    if (!has_namespace(linux, spec::NamespaceType::cgroup))
        linux.namespaces.push_back({spec::NamespaceType::cgroup, ""});
    linux.uid_mappings = own_and_subordinate(users, with_subordinate);
    linux.gid_mappings = own_and_subordinate(groups, with_subordinate);
    drop_terminal_group(spec, [&](uint64_t gid) { return maps(linux.gid_mappings, gid); });
    if (!spec.process)
        return {};
    TRY(check_mapped(users, linux.uid_mappings, spec.process->user.uid, facts));
    return check_mapped(groups, linux.gid_mappings, spec.process->user.gid, facts);
}

// ---- who writes the maps -----------------------------------------------------------------------------------------------

std::optional<IdRange> first_missing(IdRange wanted, const std::vector<IdRange>& owned)
{
    uint64_t position = wanted.first;
    bool moved = true;
    while (moved && position < wanted.end()) {
        moved = false;
        for (const auto& range : owned)
            if (range.first <= position && position < range.end()) {
                position = range.end();
                moved = true;
            }
    }
    if (position >= wanted.end())
        return std::nullopt;
    uint64_t end = wanted.end();
    for (const auto& range : owned)
        if (range.first > position)
            end = std::min(end, range.first);
    return IdRange{position, end - position};
}

namespace {

IdRange host_range(const spec::IdMapping& mapping)
{
    return {mapping.host_id, mapping.size};
}

std::string mapping_text(const IdKind& kind, size_t index, const spec::IdMapping& mapping)
{
    return fmt::format("{}[{}] maps host {} ID{} {}", kind.property, index, kind.word, mapping.size == 1 ? "" : "s",
                       text_of(host_range(mapping)));
}

// A map of a nested namespace can only name ids that exist around it.
Result<> check_existing(const IdKind& kind, const std::vector<spec::IdMapping>& mappings, const HostFacts& facts)
{
    if (!facts.in_user_namespace)
        return {};
    for (size_t index = 0; index < mappings.size(); index++)
        if (auto missing = first_missing(host_range(mappings[index]), kind.existing))
            return failure(
                Error(ErrorKind::not_supported, fmt::format("{}, but brig runs in a user namespace that has only {}",
                                                            mapping_text(kind, index, mappings[index]), text_of(kind.existing)))
                    .with_hint(fmt::format("{} do not exist there: map others, or give that namespace more", text_of(*missing))));
    return {};
}

bool is_own_id_alone(const IdKind& kind, const std::vector<spec::IdMapping>& mappings)
{
    return mappings.size() == 1 && mappings[0].size == 1 && mappings[0].host_id == kind.own;
}

Result<> check_subordinate(const IdKind& kind, const std::vector<spec::IdMapping>& mappings, const HostFacts& facts)
{
    if (facts.subordinate_ids.elsewhere)
        return {}; // the program asks the other source
    for (size_t index = 0; index < mappings.size(); index++) {
        IdRange wanted = host_range(mappings[index]);
        bool is_own = wanted.count == 1 && wanted.first == kind.own;
        auto missing = is_own ? std::nullopt : first_missing(wanted, kind.subordinate);
        if (missing)
            return failure(
                Error(ErrorKind::not_supported,
                      fmt::format("{}, but {} gives user {} {}", mapping_text(kind, index, mappings[index]), kind.file,
                                  name_or_number(facts), kind.subordinate.empty() ? "none" : "only " + text_of(kind.subordinate)))
                    .with_hint(fmt::format("{} missing; as root: usermod {} {}-{} {}",
                                           text_of(*missing) + (missing->count == 1 ? " is" : " are"), kind.option,
                                           missing->first, missing->end() - 1, name_or_number(facts))));
    }
    return {};
}

// The path of the program that writes the map; empty when the launcher may.
Result<std::string> choose_writer(const IdKind& kind, const std::vector<spec::IdMapping>& mappings, const HostFacts& facts)
{
    TRY(check_existing(kind, mappings, facts));
    if (kind.may_map_any || is_own_id_alone(kind, mappings))
        return std::string();
    TRY(check_subordinate(kind, mappings, facts));
    if (kind.program_path.empty())
        return failure(Error(ErrorKind::not_supported,
                             fmt::format("{} maps more than the caller's own {} ID, which takes the program {}, and that is "
                                         "not in /usr/bin, /usr/sbin or /bin",
                                         kind.property, kind.word, kind.program))
                           .with_hint("as root: apt-get install uidmap (shadow-utils elsewhere)"));
    return kind.program_path;
}

} // namespace

Result<IdMapWriters> choose_id_map_writers(const spec::Linux& linux, const HostFacts& facts)
{
    IdKind groups = groups_of(facts);
    IdMapWriters writers;
    writers.host_newuidmap = TRY(choose_writer(users_of(facts), linux.uid_mappings, facts));
    writers.host_newgidmap = TRY(choose_writer(groups, linux.gid_mappings, facts));
    // Leaving a group can give a right (a file that is closed to that group), so nobody may set groups who was given none.
    writers.set_groups = facts.setgroups_allowed && (groups.may_map_any || !writers.host_newgidmap.empty());
    return writers;
}

Result<> check_ids_mapped(const spec::User& user, const spec::Linux& linux)
{
    auto check = [](std::string_view property, uint32_t id, std::string_view mappings_name,
                    const std::vector<spec::IdMapping>& mappings) -> Result<> {
        if (maps(mappings, id))
            return {};
        return failure(Error(ErrorKind::invalid, fmt::format("{} {} is not mapped by {}", property, id, mappings_name))
                           .with_hint("map it to an ID of the host, or use one that is mapped"));
    };
    TRY(check("process.user.uid", user.uid, "linux.uidMappings", linux.uid_mappings));
    TRY(check("process.user.gid", user.gid, "linux.gidMappings", linux.gid_mappings));
    for (uint32_t gid : user.additional_gids)
        TRY(check("process.user.additionalGids", gid, "linux.gidMappings", linux.gid_mappings));
    return {};
}

Result<> check_ids_exist(const spec::User& user, const HostFacts& facts)
{
    if (!facts.in_user_namespace)
        return {};
    auto check = [](std::string_view property, uint32_t id, const std::vector<IdRange>& existing) -> Result<> {
        if (!first_missing({id, 1}, existing))
            return {};
        return failure(
            Error(ErrorKind::invalid, fmt::format("{} {} does not exist in the user namespace that brig runs in", property, id))
                .with_hint(fmt::format("it has {}; give it more, or use one of these", text_of(existing))));
    };
    TRY(check("process.user.uid", user.uid, facts.own_uids));
    TRY(check("process.user.gid", user.gid, facts.own_gids));
    for (uint32_t gid : user.additional_gids)
        TRY(check("process.user.additionalGids", gid, facts.own_gids));
    return {};
}

} // namespace brig::plan
