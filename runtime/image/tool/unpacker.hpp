// One layer's tar into one directory, entry by entry, with overlayfs's own whiteouts and opaque directories.
//
// Every name is checked, split, and made below the descriptor of its parent, which was itself opened name by name without
// following links: no path is ever resolved, so nothing outside the directory can be reached, whatever the archive has made in it
// before. What an image has no business with is refused with the entry's name: absolute names, "..", names through links or
// files, links to files that the layer does not have, device nodes (unless allowed), a second entry of a name, attributes of
// overlayfs, whiteouts of the root (docs/images.md). Limits are kept while bytes come, not afterwards.
//
// Runs in: brig-image. Memory does not grow with the layer, except by the directories that it implies.
// Errors: kind invalid for what is refused; system (ENOSPC ...) for what the host cannot do.
#pragma once

#include "image/layer_stack.hpp"
#include "image/tool/archive.hpp"

#include <atomic>
#include <set>

namespace brig::image {

struct UnpackLimits {
    uint64_t bytes = uint64_t{32} << 30; // of all layers of an image, decompressed
    uint64_t entries = 2'000'000;
    uint64_t ratio = 200; // of decompressed to compressed bytes, counted from 64 MiB on
};

// Of one import: its layers share it.
struct UnpackBudget {
    UnpackLimits limits;
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> entries = 0;
};

struct UnpackOptions {
    OverlayAttributes attributes = OverlayAttributes::trusted;
    bool allow_devices = false;
};

class Unpacker {
public:
    Unpacker(FdRef root, const UnpackOptions& options, UnpackBudget& budget) : m_root(root), m_options(options), m_budget(budget)
    {
    }

    // All entries; nothing is sure until it has returned.
    Result<> unpack(ArchiveReader& archive);
    // Directories that the layer has not, but files in them: they look as in the layers below. Once those are unpacked.
    Result<> settle(const LayerStack& below);

private:
    struct OpenDirectory {
        std::string name;
        Fd fd;
        struct timespec modified = {};
        bool touched = false; // an entry was made or removed in it
    };

    Result<> add(ArchiveReader& archive, const ArchiveEntry& entry);
    Result<> look_as_below(FdRef own, const LayerStack::Entry& below) const;
    Result<> add_named(ArchiveReader& archive, const ArchiveEntry& entry, const std::string& name);
    Result<> add_root(const ArchiveEntry& entry);
    Result<> enter(const std::vector<std::string>& parts);
    Result<> leave_to(size_t depth);
    Result<> enter_one(const std::string& name);
    tl::unexpected<Error> not_a_directory(const std::string& name) const;
    Result<> remember_implied(std::string path);
    Result<> imply_directory(const std::string& name);
    FdRef here() const { return m_way.empty() ? m_root : FdRef(m_way.back().fd); }
    void touch();

    Result<> add_directory(const ArchiveEntry& entry, const std::string& name);
    Result<> add_file(ArchiveReader& archive, const ArchiveEntry& entry, const std::string& name);
    Result<> add_link(const ArchiveEntry& entry, const std::string& name);
    Result<> add_hard_link(const ArchiveEntry& entry, const std::string& name);
    Result<> add_node(const ArchiveEntry& entry, const std::string& name);
    Result<> add_whiteout(const ArchiveEntry& entry, std::string_view name);
    Result<> make_opaque();
    Result<bool> take_whiteout_away(const std::string& name);
    Result<> complete(const ArchiveEntry& entry, const std::string& name);
    Result<> set_attributes(FdRef file, const ArchiveEntry& entry) const;
    Result<Fd> open_hard_link_parent(const std::vector<std::string>& parts);
    std::string opaque_attribute() const;
    std::string path_here(std::string_view name) const;

    FdRef m_root;
    UnpackOptions m_options;
    UnpackBudget& m_budget;
    std::vector<OpenDirectory> m_way; // below the root, to where the last entry was
    struct timespec m_root_modified = {};
    bool m_root_implied = true;      // no entry was for it
    std::set<std::string> m_implied; // paths of directories that no entry was for
    size_t m_implied_bytes = 0;
};

} // namespace brig::image
