// Who stands on layers of a store: containers (any runtime's, in any mount namespace that this process can see), and bundles that
// `brig image bundle` made. Found when it is asked, never counted.
#pragma once

#include "base/result.hpp"
#include "image/tool/store_writer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::image {

class LayerUsers {
public:
    // `state_root` is the folder of brig's containers.
    static Result<LayerUsers> find(const StoreWriter& writer, const std::string& state_root);

    // "container web", "bundle /srv/web", "a mount of process 4711"; nullopt: nobody.
    std::optional<std::string> user_of(std::string_view chain_id) const;
    // Links to bundles that are gone, as names below the store.
    const std::vector<std::string>& stale_bundles() const { return m_stale; }

private:
    struct User {
        std::string what;
        std::string text; // in which chain ids stand
    };
    void add_containers(const std::string& state_root);
    Result<> add_bundles(const StoreWriter& writer);
    void add_mounts();

    std::vector<User> m_users;
    std::vector<std::string> m_stale;
};

} // namespace brig::image
