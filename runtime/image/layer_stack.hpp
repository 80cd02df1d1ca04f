// The files of stacked layers as overlayfs would show them, without mounting: for /etc/passwd of an image, and for what a layer
// that is being unpacked lies on.
//
// Layer: image. Links are followed inside the stack only; every step is one name below a descriptor, never a path.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "image/store.hpp"

#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace brig::image {

class LayerStack {
public:
    // Absolute folders, lowest first.
    static Result<LayerStack> open(const std::vector<std::string>& directories, OverlayAttributes attributes);

    bool empty() const { return m_layers.empty(); }

    struct Entry {
        Fd fd; // O_PATH, of the topmost layer that has it
        struct stat status = {};
    };
    // nullopt: there is none. A link as last component is itself the result. Kind invalid: a loop of links.
    Result<std::optional<Entry>> find(std::string_view path) const;
    // Links are followed to the end.
    Result<std::optional<Entry>> find_target(std::string_view path) const;
    // Of a regular file, found through links; nullopt when there is none.
    Result<std::optional<std::string>> read_file(std::string_view path, size_t limit) const;

private:
    struct Level {
        std::vector<Fd> directories; // the same directory in the layers that take part in it, topmost first
    };
    struct Step {
        std::optional<Entry> entry;
        Level below; // when it is a directory
    };
    enum class LastLink { keep, follow };

    LayerStack(std::vector<Fd> layers, OverlayAttributes attributes) : m_layers(std::move(layers)), m_attributes(attributes) {}
    Result<std::optional<Entry>> walk(std::string_view path, LastLink last) const;
    Result<Level> root() const;
    Result<Step> step(const Level& level, const std::string& name) const;

    std::vector<Fd> m_layers; // topmost first
    OverlayAttributes m_attributes;
};

} // namespace brig::image
