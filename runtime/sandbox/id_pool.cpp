#include "sandbox/id_pool.hpp"

#include "base/text.hpp"
#include "kernel/file_space.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"

#include <algorithm>

namespace brig::sandbox {

namespace {

constexpr uint32_t first_id = 1879048192;
constexpr uint32_t ids_per_sandbox = 65536;
constexpr uint32_t ranges = 4000;

// Each lease has an open file of its own, which is what the locks belong to.
Result<Fd> open_pool(const std::string& state_root)
{
    TRY(kernel::make_directories(state_root, 0711));
    return kernel::open_at(kernel::working_directory, join_path(state_root, id_pool_file),
                           O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600);
}

// FNV-1a.
uint32_t hash_of(std::string_view key)
{
    uint32_t hash = 2166136261;
    for (char byte : key)
        hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619;
    return hash;
}

} // namespace

Result<IdLease> lease_ids(const std::string& state_root)
{
    Fd lock = TRY(open_pool(state_root));
    // Beginning at a place of one's own: those who come together do not try the same ranges one after the other.
    auto begin = static_cast<uint32_t>(kernel::process_id()) % ranges;
    for (uint32_t tried = 0; tried < ranges; tried++) {
        uint32_t range = (begin + tried) % ranges;
        if (TRY(kernel::try_lock_byte(lock, range)))
            return IdLease{{first_id + range * ids_per_sandbox, ids_per_sandbox}, std::move(lock)};
    }
    return failure(Error(ErrorKind::system, fmt::format("all {} ranges of ids are taken by sandboxes", ranges))
                       .with_hint("brig sandbox list shows them; --user-namespace host does without"));
}

Result<Fd> lease_place(const std::string& state_root, std::string_view key, uint64_t count)
{
    // Bytes behind those of the ids, so many for each key; locks need no bytes to be there.
    constexpr uint64_t most_places = 65536;
    off_t first = (off_t{1} << 32) + static_cast<off_t>(hash_of(key) * most_places);
    Fd lock = TRY(open_pool(state_root));
    for (uint64_t place = 0; place < std::min(count, most_places); place++)
        if (TRY(kernel::try_lock_byte(lock, first + static_cast<off_t>(place))))
            return lock;
    return failure(
        Error(ErrorKind::refused, fmt::format("{} sandboxes are there already, the most that the policy allows", count))
            .with_hint("brig sandbox list shows them, rm ends one"));
}

} // namespace brig::sandbox
