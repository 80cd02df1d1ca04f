// POSIX ACLs that a tar has as text (SCHILY.acl.*, as GNU tar --acls and star write them) as the kernel's extended attributes.
#pragma once

#include "image/tool/archive.hpp"

namespace brig::image {

// Adds system.posix_acl_access and system.posix_acl_default to the entry's attributes.
void add_posix_acls(struct archive_entry* from, ArchiveEntry& entry);

} // namespace brig::image
