#include "sandbox/artifacts.hpp"

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <array>
#include <linux/openat2.h>

namespace brig::sandbox {

namespace {

struct MimeType {
    std::string_view extension;
    std::string_view name;
};

// What a browser can be shown without running anything but what a strict content security policy allows, and data.
constexpr std::array mime_types = {
    MimeType{".png", "image/png"},         MimeType{".jpg", "image/jpeg"},
    MimeType{".jpeg", "image/jpeg"},       MimeType{".gif", "image/gif"},
    MimeType{".webp", "image/webp"},       MimeType{".svg", "image/svg+xml"},
    MimeType{".bmp", "image/bmp"},         MimeType{".pdf", "application/pdf"},
    MimeType{".html", "text/html"},        MimeType{".txt", "text/plain"},
    MimeType{".md", "text/markdown"},      MimeType{".csv", "text/csv"},
    MimeType{".json", "application/json"}, MimeType{".tsv", "text/tab-separated-values"},
    MimeType{".xml", "application/xml"},   MimeType{".log", "text/plain"},
};
static_assert(mime_types.size() == 16);

constexpr uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr int deepest = 16;
constexpr size_t most_entries = 4096; // a folder of a million empty files must not keep the supervisor busy

Result<std::string> digest_of(FdRef file)
{
    constexpr size_t piece = 1 << 16;
    Sha256 digest;
    while (true) {
        std::string data = TRY(kernel::read_some(file, piece));
        if (data.empty())
            return digest.finish();
        digest.add(data);
    }
}

class Collector {
public:
    Collector(const policy::Artifacts& allowed, const Limits& limits, Outcome& outcome)
        : m_allowed(allowed), m_limits(limits), m_outcome(outcome)
    {
    }

    Result<> collect(FdRef folder, const std::string& prefix, int depth)
    {
        auto names = TRY(kernel::list_directory(folder));
        std::ranges::sort(names);
        for (const auto& name : names) {
            if (++m_entries > most_entries)
                return refuse(prefix + name, "too many files");
            TRY(take(folder, name, prefix + name, depth));
        }
        return {};
    }

private:
    Result<> refuse(const std::string& path, std::string reason)
    {
        if (m_outcome.artifacts_refused.size() < m_limits.artifact_count)
            m_outcome.artifacts_refused.push_back({path, std::move(reason)});
        return {};
    }

    Result<> take(FdRef folder, const std::string& name, const std::string& path, int depth)
    {
        auto status = kernel::status_at(folder, name, AT_SYMLINK_NOFOLLOW);
        if (!status)
            return refuse(path, "cannot be looked at");
        if (S_ISDIR(status->st_mode)) {
            if (depth >= deepest)
                return refuse(path, "too deep");
            auto inner = kernel::open_at2(folder, name, O_RDONLY | O_DIRECTORY, 0, resolve);
            return inner ? collect(*inner, path + "/", depth + 1) : refuse(path, "cannot be opened");
        }
        if (!S_ISREG(status->st_mode))
            return refuse(path, S_ISLNK(status->st_mode) ? "a symbolic link" : "not a regular file");
        return take_file(folder, name, path);
    }

    Result<> take_file(FdRef folder, const std::string& name, const std::string& path)
    {
        std::string_view type = artifact_type(path, m_allowed);
        if (type.empty())
            return refuse(path, "its type is not among those that are allowed");
        auto file = kernel::open_at2(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, resolve);
        auto status = file ? kernel::status_of(*file) : failure(file.error());
        if (!status || !S_ISREG(status->st_mode))
            return refuse(path, "cannot be opened");
        auto size = static_cast<uint64_t>(status->st_size);
        if (m_outcome.artifacts.size() >= m_limits.artifact_count)
            return refuse(path, "more files than the limit");
        if (size > m_limits.artifact_bytes - m_bytes)
            return refuse(path, "larger than the limit of all artifacts together");
        m_bytes += size;
        m_outcome.artifacts.push_back({path, size, std::string(type), TRY(digest_of(*file))});
        return {};
    }

    const policy::Artifacts& m_allowed;
    const Limits& m_limits;
    Outcome& m_outcome;
    uint64_t m_bytes = 0;
    size_t m_entries = 0;
};

std::string extension_of(std::string_view path)
{
    auto name = base_name(path);
    auto dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0)
        return {};
    std::string extension;
    for (char character : name.substr(dot))
        extension += character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
    return extension;
}

// "text/*" is every type that begins so.
bool matches(std::string_view type, std::string_view pattern)
{
    return pattern.ends_with("/*") ? type.starts_with(pattern.substr(0, pattern.size() - 1)) : type == pattern;
}

} // namespace

std::string_view artifact_type(std::string_view path, const policy::Artifacts& allowed)
{
    std::string extension = extension_of(path);
    const auto* known = std::ranges::find(mime_types, extension, &MimeType::extension);
    bool listed = allowed.extensions ? std::ranges::find(*allowed.extensions, extension) != allowed.extensions->end()
                                     : known != mime_types.end();
    if (extension.empty() || !listed)
        return {};
    std::string_view type = known != mime_types.end() ? known->name : "application/octet-stream";
    bool allowed_type = !allowed.mime_types || std::ranges::any_of(*allowed.mime_types, [&](const std::string& pattern) {
        return matches(type, pattern);
    });
    return allowed_type ? type : std::string_view();
}

Result<> collect_artifacts(FdRef folder, const policy::Artifacts& allowed, const Limits& limits, Outcome& outcome)
{
    Fd readable = TRY(kernel::open_at(folder, ".", O_RDONLY | O_DIRECTORY));
    TRY(Collector(allowed, limits, outcome).collect(readable, "", 0));
    auto by_path = [](const auto& left, const auto& right) { return left.path < right.path; };
    std::ranges::sort(outcome.artifacts, by_path);
    std::ranges::sort(outcome.artifacts_refused, by_path);
    return {};
}

} // namespace brig::sandbox
