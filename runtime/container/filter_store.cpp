#include "container/filter_store.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "launch/process_start.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace brig::container {

namespace {

constexpr const char* folder_name = ".filters";
constexpr size_t largest_entry = size_t{4} << 20;
constexpr size_t most_entries = 64;

void append_number(std::string& text, uint64_t number)
{
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// With its length, so that no two lists of parts look alike.
void append_part(std::string& text, std::string_view part)
{
    append_number(text, part.size());
    text += part;
}

void append_parts(std::string& text, const std::vector<std::string>& parts)
{
    append_number(text, parts.size());
    for (const auto& part : parts)
        append_part(text, part);
}

void append_rule(std::string& text, const spec::SeccompRule& rule)
{
    append_parts(text, rule.names);
    append_part(text, rule.action);
    append_number(text, rule.errno_return ? uint64_t{1} + *rule.errno_return : 0);
    append_number(text, rule.args.size());
    for (const auto& argument : rule.args) {
        append_number(text, argument.index);
        append_number(text, argument.value);
        append_number(text, argument.value_two);
        append_part(text, argument.op);
    }
}

std::optional<std::string_view> take_part(std::string_view& text)
{
    uint64_t size = 0;
    if (text.size() < sizeof size)
        return std::nullopt;
    std::memcpy(&size, text.data(), sizeof size);
    text.remove_prefix(sizeof size);
    if (text.size() < size)
        return std::nullopt;
    std::string_view part = text.substr(0, size);
    text.remove_prefix(size);
    return part;
}

bool only_ours(const struct stat& status)
{
    return status.st_uid == kernel::effective_uid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

Fd open_folder(const std::string& state_root)
{
    std::string path = join_path(state_root, folder_name);
    if (!kernel::exists(kernel::working_directory, path))
        (void)kernel::make_directory(kernel::working_directory, path, 0700);
    auto folder = kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return {};
    auto status = kernel::status_of(*folder);
    return status && only_ours(*status) ? std::move(*folder) : Fd();
}

std::string name_of(std::string_view key)
{
    return fmt::format("{:016x}", std::hash<std::string_view>()(key));
}

void remove_oldest(FdRef folder)
{
    auto names = kernel::list_directory(folder);
    if (!names || names->size() < most_entries)
        return;
    auto age = [&](const std::string& name) {
        auto status = kernel::status_at(folder, name, AT_SYMLINK_NOFOLLOW);
        return status ? std::pair(status->st_mtim.tv_sec, status->st_mtim.tv_nsec) : std::pair(time_t{0}, 0L);
    };
    (void)kernel::remove_file(folder, *std::ranges::min_element(*names, {}, age));
}

} // namespace

FilterStore::FilterStore(const std::string& state_root, std::string build) : m_build(std::move(build))
{
    if (!m_build.empty())
        m_directory = open_folder(state_root);
}

std::string FilterStore::key_of(const spec::Seccomp& profile) const
{
    std::string key;
    append_part(key, m_build);
    append_part(key, profile.default_action);
    append_number(key, profile.default_errno_return ? uint64_t{1} + *profile.default_errno_return : 0);
    append_parts(key, profile.architectures);
    append_parts(key, profile.flags);
    for (const auto& rule : profile.syscalls)
        append_rule(key, rule);
    return key;
}

std::optional<setup::SeccompProgram> FilterStore::find(const spec::Seccomp& profile) const
{
    if (!m_directory.valid())
        return std::nullopt;
    std::string key = key_of(profile);
    auto file = kernel::open_at(m_directory, name_of(key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file)
        return std::nullopt;
    auto status = kernel::status_of(*file);
    if (!status || !S_ISREG(status->st_mode) || !only_ours(*status))
        return std::nullopt;
    auto text = kernel::read_all(*file, largest_entry);
    if (!text)
        return std::nullopt;
    std::string_view rest = *text;
    auto kept_key = take_part(rest);
    auto kept_program = take_part(rest);
    auto skipped = take_part(rest);
    if (!kept_key || *kept_key != key || !kept_program || !skipped || !rest.empty())
        return std::nullopt;
    auto program = launch::decode_program(*kept_program);
    if (!program)
        return std::nullopt;
    for (std::string_view name : split(*skipped, '\n'))
        if (!name.empty())
            program->skipped_system_calls.emplace_back(name);
    return *std::move(program);
}

void FilterStore::keep(const spec::Seccomp& profile, const setup::SeccompProgram& program) const
{
    if (!m_directory.valid())
        return;
    std::string key = key_of(profile);
    std::string text;
    append_part(text, key);
    append_part(text, launch::encode_program(program));
    append_part(text, join(program.skipped_system_calls, "\n"));
    remove_oldest(m_directory);
    (void)kernel::replace_file(m_directory, name_of(key), text, 0600);
}

} // namespace brig::container
