#include "command/globals.hpp"

#include "base/text.hpp"
#include "command/policy_choice.hpp"
#include "command/version.hpp"
#include "guard/guard.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"

#include <array>
#include <cstdlib>

namespace brig::command {

namespace {

constexpr std::array global_table = {
    Option{"root", 0, OptionType::text, "DIR",
           "folder of the containers' state, best on tmpfs (default: /run/brig, or $XDG_RUNTIME_DIR/brig when not root)"},
    Option{"log", 0, OptionType::text, "FILE", "append messages to FILE (default: stderr)"},
    Option{"log-format", 0, OptionType::text, "FORMAT", "text or json (default: text)"},
    Option{"log-level", 0, OptionType::text, "LEVEL", "debug, info, warning or error (default: info)"},
    Option{"debug", 0, OptionType::flag, "", "the same as --log-level debug"},
    Option{"cgroup-manager", 0, OptionType::text, "NAME", "cgroupfs, systemd or disabled (default: cgroupfs)"},
    Option{"systemd-cgroup", 0, OptionType::flag, "",
           "the same as --cgroup-manager systemd; cgroupsPath is then SLICE:PREFIX:NAME"},
    Option{"rootless", 0, OptionType::text, "WHEN",
           "true, false or auto: a user's bundle without user namespace gets one (default: auto)"},
    Option{"policy", 0, OptionType::text, "NAME",
           "tighten new containers by this policy (default: of the name brig-NAME by which brig is called, or of "
           "/etc/brig/config.json)"},
    Option{"criu", 0, OptionType::text, "FILE", "the program CRIU, for checkpoint and restore (default: criu in $PATH)"},
    Option{"version", 'v', OptionType::flag, "", "show the version"},
};

struct LevelWord {
    std::string_view name;
    LogLevel level;
};

constexpr std::array level_words = {
    LevelWord{"debug", LogLevel::debug},  LevelWord{"info", LogLevel::info},   LevelWord{"warning", LogLevel::warning},
    LevelWord{"warn", LogLevel::warning}, LevelWord{"error", LogLevel::error},
};

std::optional<LogLevel> find_level(std::string_view name)
{
    for (const auto& word : level_words)
        if (word.name == name)
            return word.level;
    return std::nullopt;
}

Result<> check_word(std::string_view option, std::string_view value, std::string_view alternatives)
{
    for (auto word : split(alternatives, ' '))
        if (word == value)
            return {};
    std::vector<std::string> words;
    for (auto word : split(alternatives, ' '))
        words.emplace_back(word);
    return failure(Error(ErrorKind::invalid, fmt::format("invalid value {} for flag -{}", quoted(value), option))
                       .with_hint("it takes " + join(words, ", ")));
}

// "0 0 4294967295" in the first line says that this is the initial user namespace.
bool in_user_namespace()
{
    auto map = kernel::read_file(kernel::working_directory, "/proc/self/uid_map", 64 << 10);
    if (!map)
        return false;
    std::vector<std::string_view> fields;
    for (auto field : split(trim(*map), ' '))
        if (!field.empty())
            fields.push_back(field);
    return fields != std::vector<std::string_view>{"0", "0", "4294967295"};
}

// As runc does: a user's root in a user namespace (podman unshare) shares the user's folder; "root" by name does not.
bool uses_runtime_directory(const char* runtime_directory)
{
    if (!runtime_directory || *runtime_directory == '\0')
        return false;
    if (kernel::effective_uid() != 0)
        return true;
    const char* user = std::getenv("USER");
    return in_user_namespace() && (!user || std::string_view(user) != "root");
}

std::string environment_text(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

plan::CgroupDriver cgroup_driver(const Arguments& globals)
{
    std::string manager = globals.text("cgroup-manager");
    if (manager == "disabled")
        return plan::CgroupDriver::none;
    if (manager == "systemd" || globals.flag("systemd-cgroup"))
        return plan::CgroupDriver::systemd;
    return plan::CgroupDriver::file_system;
}

} // namespace

bool is_host_root()
{
    return kernel::effective_uid() == 0 && !in_user_namespace();
}

Options global_options()
{
    return global_table;
}

LogSettings log_settings(const Arguments& globals)
{
    LogSettings settings;
    std::string file = globals.text("log");
    if (file.starts_with("file:"))
        file.erase(0, 5);
    // stderr may be a socket, which cannot be opened by this name.
    if (file != "/dev/stderr")
        settings.file = std::move(file);
    if (globals.text("log-format") == "json")
        settings.format = LogFormat::json;
    settings.threshold = find_level(globals.text("log-level")).value_or(LogLevel::info);
    if (globals.flag("debug"))
        settings.threshold = LogLevel::debug;
    return settings;
}

Result<> check_globals(const Arguments& globals)
{
    TRY(check_word("log-format", globals.text("log-format", "text"), "text json"));
    TRY(check_word("log-level", globals.text("log-level", "info"), "debug info warning warn error"));
    TRY(check_word("cgroup-manager", globals.text("cgroup-manager", "cgroupfs"), "cgroupfs systemd disabled"));
    TRY(check_word("rootless", globals.text("rootless", "auto"), "true false auto 1 0 t f T F TRUE FALSE True False"));
    std::string log = globals.text("log");
    if (log.starts_with("journald:") || log.starts_with("syslog:"))
        return failure(Error(ErrorKind::not_supported, fmt::format("invalid value {} for flag -log", quoted(log)))
                           .with_hint("brig logs to files only"));
    return {};
}

Result<std::string> state_root(const Arguments& globals)
{
    auto given = globals.text_if_given("root");
    if (!given) {
        const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
        if (uses_runtime_directory(runtime_directory))
            return join_path(runtime_directory, "brig");
        return "/run/brig";
    }
    if (given->empty())
        return failure(ErrorKind::invalid, "argument --root cannot be empty");
    std::string root = clean_path(*given);
    if (root.front() != '/')
        root = join_path(TRY(kernel::current_directory()), root);
    if (root == "/")
        return failure(Error(ErrorKind::invalid, "argument --root cannot be the root directory")
                           .with_hint("every folder below it would be taken for a container"));
    return root;
}

Result<container::Context> make_query_context(const Arguments& globals, Log log)
{
    container::Context context;
    context.state_root = TRY(state_root(globals));
    context.build = build_id();
    context.sticky_state_root = !globals.text_if_given("root") && uses_runtime_directory(std::getenv("XDG_RUNTIME_DIR"));
    context.cgroup_driver = cgroup_driver(globals);
    context.session = {environment_text("XDG_RUNTIME_DIR"), environment_text("DBUS_SESSION_BUS_ADDRESS")};
    context.policy = globals.text("policy");
    context.policy_folders = [] { return policy_folders(); };
    context.host_settings_file = host_settings_file;
    context.make_guard = guard::make_guard;
    context.log = std::move(log);
    return context;
}

Result<container::Context> make_context(const Arguments& globals, Log log)
{
    container::Context context = TRY(make_query_context(globals, std::move(log)));
    std::string rootless = globals.text("rootless", "auto");
    if (rootless == "auto")
        context.rootless = !is_host_root();
    else
        context.rootless = rootless.front() == 't' || rootless.front() == 'T' || rootless.front() == '1';
    return context;
}

} // namespace brig::command
