#include "command/sandbox/options.hpp"

#include "base/size.hpp"
#include "base/text.hpp"
#include "command/default_image.hpp"
#include "command/inherited.hpp"
#include "container/lifecycle.hpp"
#include "container/policy_files.hpp"
#include "container/state_store.hpp"
#include "image/image_user.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/network.hpp"
#include "sandbox/policy_limits.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace brig::command {

namespace {

constexpr size_t largest_code = 16 << 20;

tl::unexpected<Error> bad_value(std::string_view option, std::string_view text, std::string hint)
{
    return failure(
        Error(ErrorKind::invalid, fmt::format("--{}: {} will not do", option, quoted(text))).with_hint(std::move(hint)));
}

Result<std::string> new_name()
{
    constexpr size_t random_bytes = 6;
    Fd source = TRY(kernel::open_at(kernel::working_directory, "/dev/urandom", O_RDONLY));
    std::string name = sandbox::generated_name;
    for (char byte : TRY(kernel::read_some(source, random_bytes)))
        name += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return name;
}

Result<> read_size(uint64_t& target, const Arguments& arguments, std::string_view option)
{
    auto text = arguments.text_if_given(option);
    if (!text)
        return {};
    int64_t size = TRY_DURING(fmt::format("--{}", option), parse_size(*text));
    if (size <= 0)
        return bad_value(option, *text, "a size above 0 is needed");
    target = static_cast<uint64_t>(size);
    return {};
}

Result<> read_time(int64_t& target, const Arguments& arguments, std::string_view option)
{
    if (auto text = arguments.text_if_given(option))
        target = TRY(parse_time(option, *text));
    return {};
}

Result<> read_cpus(uint64_t& milli_cpus, const Arguments& arguments)
{
    auto text = arguments.text_if_given("cpus");
    if (!text)
        return {};
    constexpr double most = 4096;
    constexpr double least = 0.01; // the kernel's shortest quota of its usual period
    double number = 0;
    auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), number, std::chars_format::fixed);
    if (code != std::errc() || end != text->data() + text->size() || !(number >= least && number <= most))
        return bad_value("cpus", *text, "a number such as 0.5 or 2");
    milli_cpus = static_cast<uint64_t>(number * 1000);
    return {};
}

Result<> read_user(sandbox::User& user, const Arguments& arguments)
{
    auto text = arguments.text_if_given("user");
    if (!text)
        return {};
    auto parts = split(*text, ':');
    auto uid = parse_unsigned(parts[0]);
    auto gid = parts.size() == 2 ? parse_unsigned(parts[1]) : uid;
    constexpr uint64_t most = 65535;
    if (parts.size() > 2 || !uid || !gid || *uid > most || *gid > most)
        return bad_value("user", *text, "numbers from 0 to 65535: UID or UID:GID");
    user = {static_cast<uint32_t>(*uid), static_cast<uint32_t>(*gid)};
    return {};
}

Result<std::string> folder(std::string_view option, const std::string& path)
{
    if (path.empty())
        return path;
    std::string absolute = TRY(absolute_path(path));
    auto status = kernel::status_at(kernel::working_directory, absolute, 0);
    if (!status || !S_ISDIR(status->st_mode))
        return bad_value(option, path, "a folder that exists is needed");
    return absolute;
}

Result<> read_folders(sandbox::Request& request, const Arguments& arguments)
{
    std::string workspace = arguments.text("workspace");
    if (workspace.ends_with(":ro") || workspace.ends_with(":rw")) {
        request.workspace_writable = workspace.ends_with(":rw");
        workspace.resize(workspace.size() - 3);
    }
    request.workspace = TRY(folder("workspace", workspace));
    request.artifacts = TRY(folder("artifacts", arguments.text("artifacts")));
    return {};
}

struct Language {
    std::string_view name;
    std::vector<std::string> programs;
    std::string_view suffix;
};

const std::vector<Language>& languages()
{
    static const std::vector<Language> table = {
        {"python", {"python3"}, ".py"},
        {"javascript", {"node", "nodejs"}, ".js"},
        {"shell", {"bash", "sh"}, ".sh"},
    };
    return table;
}

} // namespace

Result<int64_t> parse_time(std::string_view option, const std::string& text)
{
    constexpr int64_t millisecond = 1'000'000;
    bool plain = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
    auto time = parse_go_duration(plain ? text + "s" : text);
    if (!time || *time < 0)
        return bad_value(option, text, "seconds, or a time such as 250ms or 1m30s");
    return (*time + millisecond - 1) / millisecond;
}

Result<> read_environment(std::vector<std::string>& environment, const Arguments& arguments)
{
    for (const auto& entry : arguments.list("env")) {
        auto equals = entry.find('=');
        if (equals == 0 || entry.empty())
            return bad_value("env", entry, "NAME or NAME=VALUE");
        if (equals != std::string::npos)
            environment.push_back(entry);
        else if (const char* value = std::getenv(entry.c_str()))
            environment.push_back(entry + "=" + value);
    }
    return {};
}

std::string caller_traceparent()
{
    // version-trace-parent-flags (W3C Trace Context, 3.2.2).
    constexpr size_t length = 55;
    const char* text = std::getenv("TRACEPARENT");
    std::string_view value = text != nullptr ? text : "";
    bool well_formed = value.size() == length && value.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
    return well_formed ? std::string(value) : std::string();
}

namespace {

Result<std::optional<policy::Policy>> find_policy(const container::Context& context, const std::string& name)
{
    if (name.empty())
        return std::nullopt;
    auto file = TRY(container::PolicyFiles(context.policy_folders()).find(name));
    return std::move(file.policy);
}

// What the caller names, the host's own, or the one for sandboxes.
Result<std::string> policy_name(const Arguments& arguments, const container::Context& context)
{
    constexpr const char* usual = "sandbox";
    if (auto given = arguments.text_if_given("policy"))
        return *given;
    if (!context.policy.empty())
        return context.policy;
    auto settings = TRY(container::read_host_settings(context.host_settings_file));
    return settings.default_policy.empty() ? usual : settings.default_policy;
}

// Whoever looks for it by path must be able to: not the folder itself, which may lie where a user namespace does not reach.
Result<std::string> empty_root(const std::string& state_root)
{
    std::string path = join_path(state_root, ".sandbox-root");
    TRY(kernel::make_directories(state_root, 0711));
    if (auto made = kernel::make_directory(kernel::working_directory, path, 0755); !made && made.error().code() != EEXIST)
        return failure(std::move(made).error());
    return path;
}

// An image: its files, its variables and its user, should that be an ordinary one.
Result<> use_image(sandbox::Request& request, const Arguments& arguments, const container::Context& context,
                   const image::Upper& upper)
{
    auto store = TRY(image::Store::open(TRY(store_root(arguments))));
    auto found = TRY(find_or_build_image(store, request.source, context.log));
    request.image = found.digest;
    request.root_mount = TRY(image::overlay_root(found, store.attributes(), upper)).to_text();
    request.environment.insert(request.environment.end(), found.config.env.begin(), found.config.env.end());
    auto user = TRY(image::resolve_user(found, store.attributes(), found.config.user));
    if (user.uid != 0 && !context.rootless)
        request.user = {user.uid, user.gid};
    return {};
}

Result<> read_root(sandbox::Request& request, const Arguments& arguments, const container::Context& context)
{
    std::string rootfs = TRY(folder("rootfs", arguments.text("rootfs")));
    std::string image = arguments.text("image", rootfs.empty() ? default_image : "");
    if (image.empty() == rootfs.empty())
        return failure(Error(ErrorKind::invalid, "the sandbox needs one root file system")
                           .with_hint("--image NAME or --rootfs DIR, not both"));
    request.root = TRY(empty_root(context.state_root));
    // Programs write elsewhere; only what brig makes at the start, mount points, goes here.
    image::Upper upper;
    upper.tmpfs_size = "1m";
    request.source = image.empty() ? rootfs : image;
    if (!image.empty())
        return use_image(request, arguments, context, upper);
    auto attributes = context.rootless ? image::OverlayAttributes::user : image::OverlayAttributes::trusted;
    request.root_mount = TRY(image::overlay_root(std::vector{rootfs}, attributes, upper)).to_text();
    return {};
}

Result<> read_network(sandbox::Request& request, const Arguments& arguments, const container::Context& context)
{
    egress::RuleTexts asked;
    asked.allow = arguments.list("allow-domain");
    asked.allow_addresses = arguments.list("allow-address");
    const policy::Network* policy = request.policy_document ? &request.policy_document->network : nullptr;
    bool named = policy && policy->mode == policy::NetworkMode::allow && !policy->allow.empty();
    std::string mode = arguments.text("network", named || !asked.allow.empty() ? "allow" : "none");
    if (mode != "none" && mode != "allow")
        return bad_value("network", mode, "none or allow");
    if (mode == "none")
        return asked.allow.empty() ? Result<>() : bad_value("allow-domain", asked.allow[0], "--network none reaches nothing");
    request.network.open = true;
    request.network.rules = TRY(sandbox::allowed_rules(asked, policy ? *policy : policy::Network{}));
    TRY(egress::Rules::parse(request.network.rules));
    request.network.resolver = TRY(sandbox::resolver_file(context.state_root));
    if (policy) {
        request.network.connections = static_cast<uint32_t>(std::min<uint64_t>(policy->connections.value_or(0), UINT32_MAX));
        request.network.bytes = policy->bytes.value_or(0);
        request.network.bytes_per_second = policy->bytes_per_second.value_or(0);
    }
    return {};
}

Result<> read_limits(sandbox::Limits& limits, const Arguments& arguments)
{
    TRY(read_size(limits.memory, arguments, "memory"));
    TRY(read_size(limits.disk, arguments, "disk"));
    TRY(read_size(limits.output, arguments, "output-limit"));
    TRY(read_size(limits.log, arguments, "log-limit"));
    TRY(read_time(limits.timeout, arguments, "timeout"));
    TRY(read_time(limits.grace, arguments, "grace"));
    TRY(read_time(limits.idle, arguments, "idle"));
    TRY(read_time(limits.lifetime, arguments, "lifetime"));
    TRY(read_cpus(limits.milli_cpus, arguments));
    if (auto pids = arguments.text_if_given("pids")) {
        limits.pids = arguments.number("pids");
        if (limits.pids == 0)
            return bad_value("pids", *pids, "a number above 0");
    }
    return {};
}

// Limits of an ordinary user need a delegated cgroup. Which of them may be missing, the caller says by name.
Result<> drop_what_may_be_missing(sandbox::Limits& limits, const Arguments& arguments, container::Context& context)
{
    auto names = arguments.list("best-effort");
    for (const auto& name : names)
        if (name != "memory" && name != "cpus" && name != "pids")
            return bad_value("best-effort", name, "memory, cpus or pids");
    if (!context.rootless || names.empty() || !TRY(kernel::read_host_facts()).cgroup_v2_delegated_path.empty())
        return {};
    for (const auto& name : names) {
        (name == "memory" ? limits.memory : name == "cpus" ? limits.milli_cpus : limits.pids) = 0;
        using policy::Resources;
        context.unkept_limits.push_back(name == "memory" ? &Resources::memory_bytes
                                        : name == "cpus" ? &Resources::milli_cpus
                                                         : &Resources::pids);
    }
    return {};
}

Result<sandbox::User> owner_of(const std::string& folder)
{
    auto status = TRY(kernel::status_at(kernel::working_directory, folder, 0));
    return sandbox::User{status.st_uid, status.st_gid};
}

// With root: ids of the sandbox's own, and folders of the host whose owner is the sandbox's user inside.
Result<> choose_ids(SandboxWish& wish, const Arguments& arguments, const container::Context& context)
{
    sandbox::Request& request = wish.request;
    std::string choice = arguments.text("user-namespace", "own");
    if (choice != "own" && choice != "host")
        return bad_value("user-namespace", choice, "own or host");
    request.host_user = context.rootless ? sandbox::User{kernel::effective_uid(), kernel::effective_gid()} : request.user;
    if (context.rootless)
        return {};
    request.map_owners = true;
    if (!request.workspace.empty())
        request.workspace_owner = TRY(owner_of(request.workspace));
    if (!request.artifacts.empty())
        request.artifacts_owner = TRY(owner_of(request.artifacts));
    if (choice == "host")
        return {};
    auto lease = TRY(sandbox::lease_ids(context.state_root));
    request.ids = lease.ids;
    request.host_user = {lease.ids.first + request.user.uid, lease.ids.first + request.user.gid};
    wish.leases.ids = std::move(lease.lock);
    return {};
}

// limits.sandboxes of the policy, for this user.
Result<> take_place(SandboxWish& wish, const container::Context& context)
{
    const auto& policy = wish.request.policy_document;
    if (!policy || !policy->limits.sandboxes)
        return {};
    wish.leases.place = TRY(sandbox::lease_place(
        context.state_root, fmt::format("{} of {}", policy->name, kernel::effective_uid()), *policy->limits.sandboxes));
    return {};
}

Result<sandbox::AuditTarget> audit_target(const Arguments& arguments, const std::optional<policy::Policy>& policy)
{
    sandbox::AuditTarget target;
    target.file = TRY(absolute_path(arguments.text("audit")));
    if (policy && policy->audit.sink == policy::AuditSink::file && target.file.empty())
        target.file = policy->audit.file;
    target.journald = policy && policy->audit.sink == policy::AuditSink::journald;
    return target;
}

} // namespace

Result<> sandbox_wish(const Arguments& arguments, container::Context& context, SandboxWish& wish)
{
    sandbox::Request& request = wish.request;
    request.id = arguments.text("id");
    if (request.id.empty())
        request.id = TRY(new_name());
    TRY(container::check_id(request.id));
    request.policy = TRY(policy_name(arguments, context));
    context.policy = request.policy;
    request.policy_document = TRY(find_policy(context, request.policy));
    request.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LANG=C.UTF-8"};
    // Without a range of ids the caller's own is all there is, and that is 0 inside.
    if (context.rootless)
        request.user = {0, 0};
    TRY(read_root(request, arguments, context));
    TRY(read_folders(request, arguments));
    if (request.policy_document)
        take_limits(request.limits, *request.policy_document);
    TRY(read_limits(request.limits, arguments));
    if (request.policy_document)
        lower_limits(request.limits, *request.policy_document);
    TRY(drop_what_may_be_missing(request.limits, arguments, context));
    TRY(read_network(request, arguments, context));
    TRY(read_user(request.user, arguments));
    TRY(choose_ids(wish, arguments, context));
    TRY(take_place(wish, context));
    wish.audit = TRY(audit_target(arguments, request.policy_document));
    TRY(read_environment(request.environment, arguments));
    request.traceparent = caller_traceparent();
    if (!request.traceparent.empty())
        request.environment.push_back("TRACEPARENT=" + request.traceparent);
    return {};
}

Result<std::optional<policy::Policy>> policy_of_sandbox(const container::Context& context, const std::string& id)
{
    auto state = container::state(context, id);
    if (!state)
        return std::nullopt; // connecting says what is wrong
    auto name = state->record.annotations.find(sandbox::policy_annotation);
    return find_policy(context, name == state->record.annotations.end() ? "" : name->second);
}

Result<sandbox::Program> sandbox_program(const Arguments& arguments, size_t first)
{
    sandbox::Program program;
    const auto& operands = arguments.operands();
    // Behind the id of a sandbox the options are over anyway; "--" may stand there all the same.
    if (first > 0 && operands.size() > first && operands[first] == "--")
        first++;
    std::string name = arguments.text("language");
    if (name.empty() != arguments.text("code").empty())
        return failure(Error(ErrorKind::invalid, "--language and --code go together"));
    if (name.empty()) {
        if (operands.size() <= first)
            return failure(Error(ErrorKind::invalid, "there is nothing to run")
                               .with_hint("end the command line with -- COMMAND, or give --language and --code"));
        program.programs = {operands[first]};
        program.arguments.assign(operands.begin() + static_cast<std::ptrdiff_t>(first) + 1, operands.end());
        return program;
    }
    for (const auto& language : languages()) {
        if (language.name != name)
            continue;
        program.programs = language.programs;
        program.code_suffix = language.suffix;
    }
    if (program.programs.empty())
        return bad_value("language", name, "python, javascript or shell");
    std::string file = arguments.text("code");
    if (file == "-" && arguments.flag("stdin"))
        return failure(Error(ErrorKind::invalid, "--code - takes the standard input that --stdin would give away"));
    program.code = file == "-" ? TRY(kernel::read_all(FdRef(0), largest_code))
                               : TRY(kernel::read_file(kernel::working_directory, file, largest_code));
    program.arguments.assign(operands.begin() + static_cast<std::ptrdiff_t>(first), operands.end());
    return program;
}

} // namespace brig::command
