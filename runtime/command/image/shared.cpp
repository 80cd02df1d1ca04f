#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/image/verbs.hpp"

#include <array>

namespace brig::command {

Result<image::Store> open_store(const Invocation& invocation)
{
    return image::Store::open(TRY(store_root(invocation.arguments)));
}

Result<image::StoreWriter> open_store_writer(const Invocation& invocation, image::StoreUse use)
{
    std::string root = TRY(store_root(invocation.arguments));
    auto attributes = is_host_root() ? image::OverlayAttributes::trusted : image::OverlayAttributes::user;
    return image::StoreWriter::open(root, use, attributes, [&] {
        invocation.log.write(LogLevel::info, fmt::format("waiting for another brig image that changes {}", root));
    });
}

std::string size_text(uint64_t bytes)
{
    constexpr std::array<std::string_view, 5> units = {"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < units.size(); unit++)
        value /= 1000;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string short_digest(std::string_view digest)
{
    constexpr size_t digits = 12;
    return std::string(digest.substr(digest.find(':') + 1, digits));
}

Result<> print_json(const Json& json)
{
    return print(json.to_text(true) + "\n");
}

} // namespace brig::command
