#include "image/tool/copy_image.hpp"

#include "base/text.hpp"
#include "image/layer_stack.hpp"
#include "kernel/copy_tree.hpp"
#include "kernel/files.hpp"
#include "kernel/overlay.hpp"

#include <algorithm>
#include <sys/mount.h>

namespace brig::image {

Result<> copy_image(const Image& image, OverlayAttributes attributes, FdRef to)
{
    if (image.layers.empty())
        return {};
    kernel::OverlayRequest request;
    request.lower = image.layer_directories();
    std::ranges::reverse(request.lower);
    // The kernel wants a second one where nothing can be written.
    request.lower.push_back(join_path(image.store, std::string(empty_bundle) + "/rootfs"));
    request.file_system.type = "overlay";
    request.file_system.source = "overlay";
    request.file_system.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (attributes == OverlayAttributes::user)
        request.file_system.flags.emplace_back("userxattr");
    Fd overlay = TRY_DURING("stack the image's layers", kernel::new_overlay(request));
    Fd root = TRY(kernel::open_at(overlay, ".", O_RDONLY | O_DIRECTORY));
    TRY(kernel::copy_tree(root, to, kernel::HardLinks::stay));
    return kernel::copy_directory_metadata(root, to);
}

Result<> copy_root_metadata(const Image& image, OverlayAttributes attributes, FdRef to)
{
    LayerStack stack = TRY(LayerStack::open(image.layer_directories(), attributes));
    auto root = TRY(stack.find("/"));
    if (!root)
        return {};
    return kernel::copy_directory_metadata(TRY(kernel::open_at(root->fd, ".", O_RDONLY | O_DIRECTORY)), to);
}

} // namespace brig::image
