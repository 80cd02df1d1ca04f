// egress-run OPTIONS -- COMMAND: runs a command in a network namespace of its own, behind the egress broker, without a container.
//
//   --allow RULE, --deny RULE, --allow-address CIDR   as in a policy, any number
//   --resolver ADDRESS[:PORT]   upstream name server (default: those of /etc/resolv.conf)
//   --limit NAME=NUMBER         of Limits: connections, connections_per_second, queries_per_second, bytes, bytes_per_second, head,
//                               connect, idle (the last three in milliseconds)
//   --audit FILE                the audit lines are appended
//   --pid-file FILE             gets the broker's pid
//   --encrypted-hello           allow it
//   --weak                      the command keeps its capabilities
//   --uncontrolled              no broker and no setting up: the command runs in the caller's network namespace
//   --user-namespace            the command is root of a user namespace of its own, also for an ordinary user
//   --before SCRIPT             runs in the command's network namespace before that is set up
//   --proxy                     the proxy's variables are in the command's environment
//
// The exit code is the command's; 125: it was not run.
#include "base/text.hpp"
#include "egress/broker.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

using namespace brig;

namespace {

struct Options {
    egress::RuleTexts rules;
    egress::BrokerRequest request;
    std::string audit;
    std::string pid_file;
    bool weak = false;
    bool uncontrolled = false;
    bool proxy = false;
    bool user_namespace = false;
    std::string before;
    std::vector<std::string> command;
};

Result<IpEndpoint> endpoint(const std::string& text)
{
    auto colon = text.find(':') == text.rfind(':') ? text.find(':') : std::string::npos;
    uint64_t port = colon == std::string::npos ? 53 : TRY(parse_unsigned(text.substr(colon + 1)));
    return IpEndpoint{TRY(IpAddress::parse(text.substr(0, colon))), static_cast<uint16_t>(port)};
}

Result<> set_limit(egress::Limits& limits, const std::string& text)
{
    auto equals = text.find('=');
    std::string name = text.substr(0, equals);
    uint64_t value = TRY(parse_unsigned(text.substr(equals + 1)));
    auto small = static_cast<uint32_t>(value);
    if (name == "connections")
        limits.connections = small;
    else if (name == "connections_per_second")
        limits.connections_per_second = small;
    else if (name == "queries_per_second")
        limits.queries_per_second = small;
    else if (name == "bytes")
        limits.bytes = value;
    else if (name == "bytes_per_second")
        limits.bytes_per_second = value;
    else if (name == "head")
        limits.head_milliseconds = small;
    else if (name == "connect")
        limits.connect_milliseconds = small;
    else if (name == "idle")
        limits.idle_milliseconds = small;
    else
        return failure(ErrorKind::invalid, "no such limit: " + name);
    return {};
}

Result<Options> parse(const std::vector<std::string>& words)
{
    Options options;
    for (size_t index = 0; index < words.size(); index++) {
        const std::string& word = words[index];
        if (word == "--") {
            options.command.assign(words.begin() + static_cast<ptrdiff_t>(index) + 1, words.end());
            return options;
        }
        bool flag = word == "--weak" || word == "--uncontrolled" || word == "--proxy" || word == "--encrypted-hello"
                    || word == "--user-namespace";
        options.weak |= word == "--weak";
        options.uncontrolled |= word == "--uncontrolled";
        options.proxy |= word == "--proxy";
        options.user_namespace |= word == "--user-namespace";
        options.request.allow_encrypted_hello |= word == "--encrypted-hello";
        if (flag)
            continue;
        std::string value = index + 1 < words.size() ? words[++index] : "";
        if (word == "--allow")
            options.rules.allow.push_back(value);
        else if (word == "--deny")
            options.rules.deny.push_back(value);
        else if (word == "--allow-address")
            options.rules.allow_addresses.push_back(value);
        else if (word == "--resolver")
            options.request.resolvers.push_back(TRY(endpoint(value)));
        else if (word == "--limit")
            TRY(set_limit(options.request.limits, value));
        else if (word == "--audit")
            options.audit = value;
        else if (word == "--before")
            options.before = value;
        else if (word == "--pid-file")
            options.pid_file = value;
        else
            return failure(ErrorKind::invalid, "no such option: " + word);
    }
    return failure(ErrorKind::invalid, "no command");
}

Result<> mount_resolver_configuration(const std::string& text)
{
    char name[] = "/tmp/egress-run-XXXXXX";
    Fd file(::mkstemp(name));
    TRY(kernel::write_all(file, text));
    TRY(kernel::change_mode(file, 0644));
    bool mounted = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0
                   && ::mount(name, "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
    ::unlink(name);
    if (!mounted)
        return failure(ErrorKind::system, "cannot mount /etc/resolv.conf");
    return {};
}

// In the child: a resolv.conf of its own, and no capabilities.
Result<> become_sandbox(const Options& options)
{
    TRY(mount_resolver_configuration(egress::resolver_configuration()));
    if (options.weak)
        return {};
    TRY(kernel::drop_bounding_capabilities());
    TRY(kernel::drop_all_capabilities());
    return kernel::set_no_new_privileges();
}

// The resolver's own answers, and nothing in between.
Result<> become_uncontrolled(const Options& options)
{
    TRY(kernel::unshare(CLONE_NEWNS));
    return mount_resolver_configuration(fmt::format("nameserver {}\n", options.request.resolvers.front().address.to_text()));
}

Error execute(const Options& options)
{
    if (options.proxy)
        for (const std::string& variable : egress::proxy_environment(egress::default_proxy_port))
            ::putenv(::strdup(variable.c_str()));
    std::vector<char*> arguments;
    for (const std::string& word : options.command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    return Error::system_call(errno, "execvp " + options.command[0]);
}

int report(const Error& error)
{
    std::fprintf(stderr, "egress-run: %s\n", error.message().c_str());
    return 125;
}

struct Sandbox {
    kernel::CloneOutcome process;
    Fd start; // a byte lets it go
};

// Forked before anything else, so that it has none of the listeners.
Result<Sandbox> fork_sandbox(const Options& options)
{
    auto [own, childs] = TRY(kernel::sequenced_socket_pair());
    auto child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        own.reset();
        auto done = [&]() -> Result<> {
            TRY(kernel::set_parent_death_signal(SIGKILL));
            TRY(kernel::unshare(CLONE_NEWNET | CLONE_NEWNS | (options.user_namespace ? CLONE_NEWUSER : 0)));
            if (!options.before.empty() && std::system(options.before.c_str()) != 0)
                return failure(ErrorKind::invalid, "--before failed");
            TRY(kernel::send_message(childs, "made"));
            if (TRY(kernel::receive_message(childs, 16)).bytes != "go")
                return failure(ErrorKind::internal, "was not started");
            return become_sandbox(options);
        }();
        kernel::exit_now(report(done ? execute(options) : done.error()));
    }
    childs.reset();
    (void)TRY(kernel::receive_message(own, 16));
    if (options.user_namespace)
        TRY(kernel::write_id_maps(child.pid, fmt::format("0 {} 1", ::getuid()), fmt::format("0 {} 1", ::getgid()), true));
    return Sandbox{std::move(child), std::move(own)};
}

Result<> copy_audit(FdRef audit, FdRef file)
{
    auto lines = TRY(kernel::read_some(audit, 64 << 10));
    return kernel::write_all(file, lines);
}

Result<int> run(Options options)
{
    Sandbox sandbox = TRY(fork_sandbox(options));
    options.request.sandbox = "test";
    options.request.rules = TRY(egress::Rules::parse(options.rules));
    if (options.request.resolvers.empty())
        options.request.resolvers =
            egress::resolvers_in(TRY(kernel::read_file(kernel::working_directory, "/etc/resolv.conf", 65536)));
    Fd network = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/ns/net", sandbox.process.pid), O_RDONLY));
    Fd user;
    if (options.user_namespace)
        user = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/ns/user", sandbox.process.pid), O_RDONLY));
    auto listeners =
        TRY(egress::prepare_namespace({.network_namespace = network, .user_namespace = user}, options.request.rules));
    auto broker = TRY(egress::Broker::start(options.request, std::move(listeners)));
    if (!options.pid_file.empty())
        TRY(kernel::replace_file(kernel::working_directory, options.pid_file, std::to_string(broker.pid()), 0644));
    Fd file = TRY(kernel::open_at(kernel::working_directory, options.audit.empty() ? "/dev/null" : options.audit,
                                  O_WRONLY | O_CREAT | O_APPEND, 0644));
    TRY(kernel::send_message(sandbox.start, "go"));
    kernel::Watch watches[2] = {{.fd = sandbox.process.pidfd.get(), .for_reading = true},
                                {.fd = broker.audit().get(), .for_reading = true}};
    while (!watches[0].readable) {
        TRY(kernel::wait_for_events(watches, -1));
        if (watches[1].readable)
            TRY(copy_audit(broker.audit(), file));
        else if (watches[1].ended)
            watches[1].fd = -1; // the broker is gone; the command goes on without a network
    }
    TRY(kernel::write_all(file, TRY(broker.stop())));
    return TRY(kernel::wait_for(sandbox.process.pid)).as_exit_code();
}

} // namespace

int main(int count, char** words)
{
    auto options = parse({words + 1, words + count});
    if (!options)
        return report(options.error());
    if (options->uncontrolled) {
        auto done = become_uncontrolled(*options);
        return report(done ? execute(*options) : done.error());
    }
    auto code = run(std::move(*options));
    return code ? *code : report(code.error());
}
