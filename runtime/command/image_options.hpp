// Where the store of images is, and what `brig run --image` makes of an image.
#pragma once

#include "command/verb.hpp"
#include "image/image_spec.hpp"

namespace brig::command {

inline constexpr Option store_option = {
    "store", 0, OptionType::text, "DIR",
    "folder of the images (default: /var/lib/brig, or brig in the user's data folder when not root)"};

// Absolute. --store; otherwise /var/lib/brig, or $XDG_DATA_HOME/brig or $HOME/.local/share/brig for who is not the host's root.
Result<std::string> store_root(const Arguments& arguments);

// --env, --user, --cwd, --tty, --entrypoint.
image::ProcessRequest process_of_options(const Arguments& arguments, std::vector<std::string> args);

} // namespace brig::command
