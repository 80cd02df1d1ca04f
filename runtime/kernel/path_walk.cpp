#include "kernel/path_walk.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <algorithm>

namespace brig::kernel {

namespace {

// As many as the kernel itself follows in one resolution (MAXSYMLINKS).
constexpr unsigned most_links = 40;

class Walk {
public:
    Walk(FdRef root, const WalkRequest& request) : m_root(root), m_request(request) { add_components(request.path); }

    Result<WalkEnd> run();

private:
    void add_components(std::string_view path);
    Result<WalkEnd> step(const std::string& name, bool& finished);
    Result<Fd> open_or_make(const std::string& name);
    Result<> follow(FdRef link);
    Result<WalkEnd> end_at_directory();
    Result<Fd> take_here();
    bool at_last() const { return m_pending.empty(); }
    FdRef here() const { return m_way.empty() ? m_root : FdRef(m_way.back()); }
    tl::unexpected<Error> failed(int code) const
    {
        return failure(
            Error::system_call(code, fmt::format("open {} inside {}", quoted(m_request.path), one_line(path_of(m_root)))));
    }

    FdRef m_root;
    const WalkRequest& m_request;
    std::vector<Fd> m_way;              // the directories below the root, each opened from the one before
    std::vector<std::string> m_names;   // their names
    std::vector<std::string> m_pending; // components, the next one last
    unsigned m_links = 0;
    bool m_must_be_directory = false;
};

void Walk::add_components(std::string_view path)
{
    if (at_last())
        m_must_be_directory = m_must_be_directory || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    auto parts = split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        if (!part->empty() && *part != ".")
            m_pending.emplace_back(*part);
}

Result<Fd> Walk::open_or_make(const std::string& name)
{
    bool make_file = m_request.missing == MissingPart::becomes_file && at_last();
    mode_t directory_mode = m_request.missing == MissingPart::becomes_file ? 0755 : m_request.mode;
    // Somebody who shares the directory can make and remove the name between two calls for as long as it likes.
    constexpr int attempts = 32;
    int code = ENOENT;
    for (int attempt = 0; attempt < attempts; attempt++) {
        Fd found(::openat(here().get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (found)
            return found;
        if (errno != ENOENT || m_request.missing == MissingPart::is_an_error)
            return failed(errno);
        if (make_file) {
            Fd made(::openat(here().get(), name.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, m_request.mode));
            if (made)
                return made;
            code = errno;
        } else {
            code = ::mkdirat(here().get(), name.c_str(), directory_mode) == 0 ? 0 : errno;
        }
        if (code != 0 && code != EEXIST)
            return failure(Error::system_call(
                code, fmt::format("make {} for {} inside {}", quoted(name), quoted(m_request.path), one_line(path_of(m_root)))));
    }
    return failed(EAGAIN);
}

Result<> Walk::follow(FdRef link)
{
    if (m_request.links == Links::refuse || ++m_links > most_links)
        return failed(ELOOP);
    std::string target = TRY(read_link(link, ""));
    if (target.empty())
        return failed(ENOENT);
    if (target.front() == '/') {
        m_way.clear();
        m_names.clear();
    }
    add_components(target);
    return {};
}

Result<WalkEnd> Walk::step(const std::string& name, bool& finished)
{
    Fd entry = TRY(open_or_make(name));
    struct stat status = TRY(status_of(entry));
    bool keep = at_last() && m_request.links == Links::keep_last && !m_must_be_directory;
    if (S_ISLNK(status.st_mode) && !keep) {
        TRY(follow(entry));
        return WalkEnd{};
    }
    if (S_ISDIR(status.st_mode)) {
        m_way.push_back(std::move(entry));
        m_names.push_back(name);
        return WalkEnd{};
    }
    if (!at_last() || m_must_be_directory || m_request.missing == MissingPart::becomes_directory)
        return failed(ENOTDIR);
    finished = true;
    return WalkEnd{std::move(entry), TRY(take_here()), name};
}

Result<WalkEnd> Walk::end_at_directory()
{
    if (m_way.empty())
        return WalkEnd{TRY(open_at(m_root, ".", O_PATH | O_DIRECTORY)), Fd(), ""};
    WalkEnd end{std::move(m_way.back()), Fd(), m_names.back()};
    m_way.pop_back();
    end.parent = TRY(take_here());
    return end;
}

// The walk is over and needs it no more.
Result<Fd> Walk::take_here()
{
    if (m_way.empty())
        return duplicate(m_root);
    return std::move(m_way.back());
}

Result<WalkEnd> Walk::run()
{
    while (!m_pending.empty()) {
        std::string name = std::move(m_pending.back());
        m_pending.pop_back();
        if (name == "..") {
            if (!m_way.empty()) {
                m_way.pop_back();
                m_names.pop_back();
            }
            continue;
        }
        bool finished = false;
        WalkEnd end = TRY(step(name, finished));
        if (finished)
            return end;
    }
    return end_at_directory();
}

} // namespace

Result<WalkEnd> walk_in_root(FdRef root, const WalkRequest& request)
{
    return Walk(root, request).run();
}

Result<Fd> open_in_root_by_walk(FdRef root, const std::string& path, int flags, Links links)
{
    WalkEnd end = TRY(walk_in_root(root, {path, links, MissingPart::is_an_error, 0}));
    if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(TRY(status_of(end.entry)).st_mode))
        return failure(Error::system_call(ENOTDIR, fmt::format("open {} inside {}", quoted(path), path_of(root))));
    if ((flags & O_PATH) != 0)
        return std::move(end.entry);
    if (!end.parent.valid())
        return open_at(end.entry, ".", flags);
    return open_at(end.parent, end.name, flags | O_NOFOLLOW);
}

} // namespace brig::kernel
