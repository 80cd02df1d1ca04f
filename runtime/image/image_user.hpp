// The user of an image, by the image's own /etc/passwd and /etc/group, looked at in its layers before anything is mounted.
//
// Layer: image. The files are the image's: read by descriptor and with a limit, lines that are not entries are passed over.
#pragma once

#include "base/result.hpp"
#include "image/store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::image {

struct UserIds {
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::vector<uint32_t> additional_gids; // groups that list the user, as Docker has it
};

// `user` is "", "NAME", "UID", "USER:GROUP" with names or numbers. A number without an entry is itself with group 0; a name
// without one is an error of kind invalid that says which names there are.
Result<UserIds> resolve_user(const Image& image, OverlayAttributes attributes, const std::string& user);

} // namespace brig::image
