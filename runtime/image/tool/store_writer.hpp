// Changes to the store. What is made lies in tmp/ until it is complete and on disk, then gets its name by a rename: a crash, a
// kill or a full disk at any moment leaves only what nobody looks for, and the next prune or remove takes it away.
//
// Locks: who adds holds `lock` shared and locks/HEX of each layer that it makes; who removes holds `lock` alone. All are flocks: a
// killed process has none. Readers need none.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/store.hpp"

#include <functional>
#include <string>
#include <vector>

namespace brig::image {

// With what to do about a full disk, the commonest failure of all.
Error with_remedy_for_full_disk(Error error);

enum class StoreUse { add, remove };

// A folder in tmp/, removed with its owner.
class Workspace {
public:
    Workspace(Workspace&& other) noexcept;
    Workspace& operator=(Workspace&&) = delete;
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    ~Workspace();

    FdRef directory() const { return m_directory; }
    std::string path(const std::string& name) const; // below the store

private:
    friend class StoreWriter;
    Workspace(FdRef store, std::string name, Fd directory)
        : m_store(store), m_name(std::move(name)), m_directory(std::move(directory))
    {
    }

    FdRef m_store;
    std::string m_name; // "tmp/..."; empty: moved from
    Fd m_directory;
};

class StoreWriter {
public:
    // Makes a store that does not exist, with these attributes. Waits for others; `on_wait` is called once before that.
    static Result<StoreWriter> open(const std::string& root, StoreUse use, OverlayAttributes attributes,
                                    const std::function<void()>& on_wait);

    const Store& store() const { return m_store; }
    FdRef directory() const { return m_directory; }

    Result<Workspace> make_workspace() const;
    // Until the descriptors are gone. Waits for whoever makes the same layers.
    Result<std::vector<Fd>> lock_layers(std::vector<std::string> chain_ids) const;
    bool has_layer(const std::string& chain_id) const;
    bool has_blob(const std::string& digest) const;

    // From below the store to its place; what somebody else put there meanwhile stays.
    Result<> publish_blob(const std::string& from, const std::string& digest) const;
    Result<> publish_layer(const std::string& from, const std::string& chain_id) const;
    // The last step: everything it names is there and on disk.
    Result<> publish_image(const Image& image) const;
    Result<> set_name(const std::string& name, const std::string& digest) const;
    Result<> remove_name(const std::string& name) const;
    // `config` is the absolute path of the bundle's config.json.
    Result<> remember_bundle(const std::string& config) const;
    Result<> sync() const;

private:
    StoreWriter(Store store, Fd directory, Fd lock)
        : m_store(std::move(store)), m_directory(std::move(directory)), m_lock(std::move(lock))
    {
    }

    Store m_store;
    Fd m_directory;
    Fd m_lock;
};

} // namespace brig::image
