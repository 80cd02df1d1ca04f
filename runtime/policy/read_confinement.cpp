#include "base/text.hpp"
#include "policy/read_sections.hpp"
#include "policy/read_values.hpp"

namespace brig::policy {

Result<> read_value(JsonView value, const Place& place, Seccomp& out)
{
    static constexpr std::array rows = {
        row<&Seccomp::profile>("profile"),
        row<&Seccomp::deny>("deny"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, UserNamespace& out)
{
    static constexpr std::array words = {
        Word<UserNamespace>{"none", UserNamespace::none},
        Word<UserNamespace>{"caller", UserNamespace::caller},
        Word<UserNamespace>{"own", UserNamespace::own},
    };
    return read_word(value, place, words, out);
}

Result<> read_value(JsonView value, const Place& place, Namespaces& out)
{
    static constexpr std::array rows = {
        row<&Namespaces::own>("own"),
        row<&Namespaces::may_join>("join"),
        row<&Namespaces::require_user>("requireUser"),
        row<&Namespaces::user>("user"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, DeviceNumber& out)
{
    std::string text;
    TRY(read_value(value, place, text));
    auto colon = std::min(text.find(':'), text.size());
    bool typed = text.size() > 2 && (text[0] == 'c' || text[0] == 'b') && text[1] == ' ' && colon < text.size();
    auto major = typed ? parse_unsigned(std::string_view(text).substr(2, colon - 2)) : Result<uint64_t>(0);
    auto minor = typed ? parse_unsigned(std::string_view(text).substr(colon + 1)) : Result<uint64_t>(0);
    constexpr uint64_t highest = 1 << 20;
    if (!typed || !major || !minor || *major >= highest || *minor >= highest)
        return wrong_value(place, "a device like \"c 10:229\"", value);
    out = {text[0], static_cast<int64_t>(*major), static_cast<int64_t>(*minor)};
    return {};
}

Result<> read_value(JsonView value, const Place& place, Privileges& out)
{
    static constexpr std::array rows = {
        row<&Privileges::capabilities>("capabilities"),
        row<&Privileges::no_new_privileges>("noNewPrivileges"),
        row<&Privileges::lowest_oom_score_adj>("oomScoreAdj"),
        row<&Privileges::real_time>("realTime"),
        row<&Privileges::sysctls>("sysctls"),
        row<&Privileges::devices>("devices"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Tmpfs& out)
{
    static constexpr std::array rows = {
        row<&Tmpfs::path>("path"),
        size_row<&Tmpfs::bytes>("size"),
        row<&Tmpfs::executable>("executable"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, BindMode& out)
{
    static constexpr std::array words = {
        Word<BindMode>{"rw", BindMode::read_write},
        Word<BindMode>{"ro", BindMode::read_only},
        Word<BindMode>{"refused", BindMode::refused},
    };
    return read_word(value, place, words, out);
}

static Result<> read_value(JsonView value, const Place& place, Bind& out)
{
    static constexpr std::array rows = {
        row<&Bind::path>("path"),
        row<&Bind::mode>("mode"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Landlock& out)
{
    static constexpr std::array rows = {
        row<&Landlock::read>("read"),
        row<&Landlock::read_write>("readWrite"),
        row<&Landlock::execute>("execute"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Filesystem& out)
{
    static constexpr std::array rows = {
        row<&Filesystem::read_only_root>("readOnlyRoot"),
        row<&Filesystem::safe_mounts>("safeMounts"),
        row<&Filesystem::tmpfs>("tmpfs"),
        size_row<&Filesystem::tmpfs_bytes>("tmpfsSize"),
        row<&Filesystem::binds>("binds"),
        row<&Filesystem::other_binds>("otherBinds"),
        row<&Filesystem::hidden>("hidden"),
        row<&Filesystem::read_only>("readOnly"),
        row<&Filesystem::landlock>("landlock"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Environment& out)
{
    static constexpr std::array rows = {
        row<&Environment::allow>("allow"),
        row<&Environment::set>("set"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Io& out)
{
    static constexpr std::array rows = {
        size_row<&Io::read_bytes_per_second>("readPerSecond"),
        size_row<&Io::write_bytes_per_second>("writePerSecond"),
        row<&Io::read_operations_per_second>("readOperationsPerSecond"),
        row<&Io::write_operations_per_second>("writeOperationsPerSecond"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Resources& out)
{
    static constexpr std::array rows = {
        size_row<&Resources::memory_bytes>("memory"),
        size_row<&Resources::swap_bytes>("swap"),
        detail::number_row<&Resources::milli_cpus, read_thousandths>("cpus"),
        row<&Resources::pids>("pids"),
        size_row<&Resources::disk_bytes>("disk"),
        row<&Resources::io>("io"),
        row<&Resources::open_files>("openFiles"),
        size_row<&Resources::file_bytes>("fileSize"),
        size_row<&Resources::core_bytes>("coreSize"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Hooks& out)
{
    static constexpr std::array words = {
        Word<Hooks>{"allowed", Hooks::allowed},
        Word<Hooks>{"removed", Hooks::removed},
        Word<Hooks>{"refused", Hooks::refused},
    };
    return read_word(value, place, words, out);
}

} // namespace brig::policy
