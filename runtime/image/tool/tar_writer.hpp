// A folder as a plain tar (PAX), the same for the same content: sorted, without access and change times, owners by number only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace brig::image {

// Hard links stay such, sockets are left out, links are never followed. Kind system: what cannot be read.
Result<> write_tar(FdRef folder, FdRef to);

} // namespace brig::image
