#include "image/tool/posix_acl.hpp"

#include <algorithm>
#include <archive_entry.h>
#include <array>
#include <cstring>
#include <linux/posix_acl_xattr.h>

namespace brig::image {

namespace {

struct Tag {
    int archive;
    uint16_t kernel;
    bool has_id;
};

constexpr std::array tags = {
    Tag{ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01, false},  Tag{ARCHIVE_ENTRY_ACL_USER, 0x02, true},
    Tag{ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04, false}, Tag{ARCHIVE_ENTRY_ACL_GROUP, 0x08, true},
    Tag{ARCHIVE_ENTRY_ACL_MASK, 0x10, false},      Tag{ARCHIVE_ENTRY_ACL_OTHER, 0x20, false},
};

void add_acl(struct archive_entry* from, int type, const char* name, ArchiveEntry& entry)
{
    if (archive_entry_acl_reset(from, type) == 0)
        return;
    std::vector<struct posix_acl_xattr_entry> rows;
    int found_type = 0;
    int permissions = 0;
    int archive_tag = 0;
    int id = 0;
    const char* owner = nullptr;
    while (archive_entry_acl_next(from, type, &found_type, &permissions, &archive_tag, &id, &owner) == 0) {
        const auto* tag = std::ranges::find(tags, archive_tag, &Tag::archive);
        if (tag == tags.end())
            return;
        struct posix_acl_xattr_entry row = {};
        row.e_tag = tag->kernel;
        row.e_perm = static_cast<uint16_t>(permissions & 7);
        row.e_id = tag->has_id ? static_cast<uint32_t>(id) : ACL_UNDEFINED_ID;
        rows.push_back(row);
    }
    if (rows.empty())
        return;
    std::ranges::sort(rows, [](const auto& one, const auto& other) {
        return std::pair(uint32_t{one.e_tag}, uint32_t{one.e_id}) < std::pair(uint32_t{other.e_tag}, uint32_t{other.e_id});
    });
    const uint32_t version = POSIX_ACL_XATTR_VERSION;
    std::string value(reinterpret_cast<const char*>(&version), sizeof version);
    for (const auto& row : rows)
        value.append(reinterpret_cast<const char*>(&row), sizeof row);
    bool there = std::ranges::any_of(entry.attributes, [&](const auto& attribute) { return attribute.first == name; });
    if (!there)
        entry.attributes.emplace_back(name, std::move(value));
}

} // namespace

void add_posix_acls(struct archive_entry* from, ArchiveEntry& entry)
{
    add_acl(from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", entry);
    add_acl(from, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", entry);
}

} // namespace brig::image
