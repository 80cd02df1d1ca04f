#include "kernel/overlay.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"

#include <cerrno>

namespace brig::kernel {

namespace {

Result<Fd> open_layer(const std::string& path)
{
    return open_at(working_directory, path, O_PATH | O_DIRECTORY);
}

// What fsconfig takes as it is: short, and without the characters that have a meaning in the joined form.
bool is_plain(const std::string& path)
{
    return path.size() <= longest_parameter && path.find_first_of(":,\\") == std::string::npos;
}

// A layer's own path where that can be, because mountinfo shows it.
class LayerNames {
public:
    Result<std::string> name_of(const std::string& path)
    {
        if (is_plain(path))
            return path;
        m_open.push_back(TRY(open_layer(path)));
        return descriptor_path(m_open.back());
    }

private:
    std::vector<Fd> m_open; // until the mount is made
};

} // namespace

Result<Fd> new_overlay_by_layers(const OverlayRequest& request)
{
    LayerNames names;
    FileSystemRequest all = request.file_system;
    for (const auto& path : request.lower)
        all.strings.emplace_back("lowerdir+", TRY(names.name_of(path)));
    if (!request.upper.empty()) {
        all.strings.emplace_back("upperdir", TRY(names.name_of(request.upper)));
        all.strings.emplace_back("workdir", TRY(names.name_of(request.work)));
    }
    return new_file_system(all);
}

Result<Fd> new_overlay_by_string(const OverlayRequest& request)
{
    std::vector<Fd> open;
    auto number_of = [&](const std::string& path) -> Result<std::string> {
        open.push_back(TRY(open_layer(path)));
        return std::to_string(open.back().get());
    };
    std::vector<std::string> lower;
    for (const auto& path : request.lower)
        lower.push_back(TRY(number_of(path)));
    FileSystemRequest all = request.file_system;
    all.strings.emplace_back("lowerdir", join(lower, ":"));
    if (all.strings.back().second.size() > longest_parameter)
        return failure(Error(ErrorKind::not_supported, fmt::format("an overlay of {} layers", request.lower.size()))
                           .with_hint("Linux 6.8 can stack them; or make an image with fewer layers"));
    if (!request.upper.empty()) {
        all.strings.emplace_back("upperdir", TRY(number_of(request.upper)));
        all.strings.emplace_back("workdir", TRY(number_of(request.work)));
    }
    // The numbers are names there, and the shortest ones that there are.
    Fd here = TRY(open_at(working_directory, ".", O_PATH | O_DIRECTORY));
    TRY(change_directory("/proc/self/fd"));
    auto made = new_file_system(all);
    TRY(change_directory(here));
    return made;
}

Result<Fd> new_overlay(const OverlayRequest& request)
{
    auto made = new_overlay_by_layers(request);
    if (made || made.error().code() != EINVAL)
        return made;
    auto again = new_overlay_by_string(request);
    // Whatever else was wrong, the first try has the kernel's better words.
    return again ? std::move(again) : std::move(made);
}

} // namespace brig::kernel
