#include "image/layer_stack.hpp"

#include "base/text.hpp"
#include "kernel/attributes.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::image {

namespace {

constexpr unsigned most_links = 40; // as the kernel

bool is_whiteout(const struct stat& status)
{
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

bool means_absent(const Error& error)
{
    return error.code() == ENOENT || error.code() == ENOTDIR || error.code() == ENAMETOOLONG;
}

// The next one last.
void push_components(std::vector<std::string>& pending, std::string_view path)
{
    auto parts = split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        if (!part->empty() && *part != ".")
            pending.emplace_back(*part);
}

} // namespace

Result<LayerStack> LayerStack::open(const std::vector<std::string>& directories, OverlayAttributes attributes)
{
    std::vector<Fd> layers;
    for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory)
        layers.push_back(TRY(kernel::open_at(kernel::working_directory, *directory, O_PATH | O_DIRECTORY | O_NOFOLLOW)));
    return LayerStack(std::move(layers), attributes);
}

Result<LayerStack::Level> LayerStack::root() const
{
    Level level;
    for (const auto& layer : m_layers)
        level.directories.push_back(TRY(kernel::duplicate(layer)));
    return level;
}

Result<LayerStack::Step> LayerStack::step(const Level& level, const std::string& name) const
{
    const std::string opaque = m_attributes == OverlayAttributes::user ? "user.overlay.opaque" : "trusted.overlay.opaque";
    Step step;
    for (const auto& directory : level.directories) {
        auto opened = kernel::open_at(directory, name, O_PATH | O_NOFOLLOW);
        if (!opened && means_absent(opened.error()))
            continue;
        Fd fd = TRY(std::move(opened));
        struct stat status = TRY(kernel::status_of(fd));
        // A whiteout, or a file below a directory: nothing below counts.
        if (is_whiteout(status) || (step.entry && !S_ISDIR(status.st_mode)))
            break;
        if (!S_ISDIR(status.st_mode)) {
            step.entry = Entry{std::move(fd), status};
            break;
        }
        bool ends = TRY(kernel::attribute(fd, opaque)).value_or("") == "y";
        if (!step.entry)
            step.entry = Entry{TRY(kernel::duplicate(fd)), status};
        step.below.directories.push_back(std::move(fd));
        if (ends)
            break;
    }
    return step;
}

Result<std::optional<LayerStack::Entry>> LayerStack::walk(std::string_view path, LastLink last) const
{
    std::vector<std::string> pending;
    push_components(pending, path);
    std::vector<Level> way;
    way.push_back(TRY(root()));
    if (pending.empty() && !m_layers.empty())
        return Entry{TRY(kernel::duplicate(m_layers.front())), TRY(kernel::status_of(m_layers.front()))};
    unsigned links = 0;
    while (!pending.empty()) {
        std::string name = std::move(pending.back());
        pending.pop_back();
        if (name == "..") {
            if (way.size() > 1)
                way.pop_back();
            continue;
        }
        Step here = TRY(step(way.back(), name));
        if (!here.entry)
            return std::optional<Entry>();
        bool at_last = pending.empty();
        if (S_ISLNK(here.entry->status.st_mode) && !(at_last && last == LastLink::keep)) {
            if (++links > most_links)
                return failure(ErrorKind::invalid, fmt::format("{} is a loop of links", quoted(path)));
            std::string target = TRY(kernel::read_link(here.entry->fd, ""));
            if (target.starts_with('/'))
                way.resize(1);
            push_components(pending, target);
            continue;
        }
        if (at_last)
            return std::move(here.entry);
        if (!S_ISDIR(here.entry->status.st_mode))
            return std::optional<Entry>();
        way.push_back(std::move(here.below));
    }
    // Ended with "..": the directory itself.
    const auto& directories = way.back().directories;
    if (directories.empty())
        return std::optional<Entry>();
    return Entry{TRY(kernel::duplicate(directories.front())), TRY(kernel::status_of(directories.front()))};
}

Result<std::optional<LayerStack::Entry>> LayerStack::find(std::string_view path) const
{
    return walk(path, LastLink::keep);
}

Result<std::optional<LayerStack::Entry>> LayerStack::find_target(std::string_view path) const
{
    return walk(path, LastLink::follow);
}

Result<std::optional<std::string>> LayerStack::read_file(std::string_view path, size_t limit) const
{
    auto entry = TRY(find_target(path));
    if (!entry || !S_ISREG(entry->status.st_mode))
        return std::optional<std::string>();
    // What was found is what is opened, through its descriptor.
    Fd file = TRY(kernel::open_at(kernel::working_directory, kernel::descriptor_path(entry->fd), O_RDONLY));
    return TRY(kernel::read_all(file, limit));
}

} // namespace brig::image
