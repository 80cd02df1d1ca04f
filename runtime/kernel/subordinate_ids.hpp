// Which ids a user may map besides his own: /etc/subuid and /etc/subgid, and the setuid programs that write such maps.
//
// Layer: kernel. The files are the administrator's, yet read as hostile: a line that is not NAME:FIRST:COUNT within 32 bits
// gives nothing. newuidmap decides in the end; these facts are for choosing a mapping and for telling what is missing.
#pragma once

#include "kernel/host_facts.hpp"

#include <string_view>
#include <vector>

namespace brig::kernel {

// The lines of `user`, by name or by number, in the file's order.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user_name, uint32_t uid);

// "subid: sss": other sources than the files, which brig cannot ask.
bool names_other_source(std::string_view nsswitch);

// A uid_map or gid_map, "INSIDE OUTSIDE COUNT" a line: the ids inside.
std::vector<IdRange> parse_id_map(std::string_view text);

SubordinateIds read_subordinate_ids(uint32_t uid);

} // namespace brig::kernel
