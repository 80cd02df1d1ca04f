#include "sandbox/network.hpp"

#include "base/text.hpp"
#include "guard/duties.hpp"
#include "guard/network.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <cerrno>

namespace brig::sandbox {

namespace {

constexpr size_t most_named = 256; // of each list in an outcome; the audit has all
constexpr const char* resolver_name = ".sandbox-resolv.conf";

Result<> check_covered(const std::string& text, const std::vector<policy::Destination>& allowed)
{
    auto rule = TRY(egress::Rule::parse(text));
    if (std::ranges::any_of(allowed, [&](const auto& destination) { return guard::covers(destination, rule); }))
        return {};
    std::vector<std::string> texts;
    for (const auto& destination : allowed)
        texts.push_back(destination.text());
    return failure(Error(ErrorKind::refused, fmt::format("{} is not among the destinations of the policy", quoted(text)))
                       .with_hint("it allows " + join(texts, ", ")));
}

} // namespace

Result<egress::RuleTexts> allowed_rules(const egress::RuleTexts& asked, const policy::Network& policy)
{
    if (policy.mode == policy::NetworkMode::none)
        return failure(ErrorKind::refused, "the policy allows no network");
    egress::RuleTexts texts = asked;
    for (const auto& text : asked.allow)
        if (!policy.allow.empty())
            TRY(check_covered(text, policy.allow));
    if (!policy.allow.empty() && !asked.allow_addresses.empty())
        return failure(ErrorKind::refused, "the policy names the destinations, so none of a private network is added to them");
    if (asked.allow.empty())
        for (const auto& destination : policy.allow)
            texts.allow.push_back(destination.text());
    for (const auto& destination : policy.deny)
        texts.deny.push_back(destination.text());
    if (texts.allow.empty())
        return failure(Error(ErrorKind::invalid, "a network that reaches nothing was asked for")
                           .with_hint("name what it reaches with --allow-domain"));
    return texts;
}

Result<std::string> resolver_file(const std::string& state_root)
{
    std::string path = join_path(state_root, resolver_name);
    if (kernel::exists(kernel::working_directory, path))
        return path;
    TRY(kernel::make_directories(state_root, 0711));
    TRY(kernel::replace_file(kernel::working_directory, path, egress::resolver_configuration(), 0644));
    return path;
}

Result<SandboxNetwork> SandboxNetwork::open(const Request& request, FdRef network_namespace, FdRef user_namespace)
{
    egress::BrokerRequest broker;
    broker.sandbox = request.id;
    broker.rules = TRY(egress::Rules::parse(request.network.rules));
    broker.resolvers = guard::host_resolvers();
    const RequestedNetwork& limits = request.network;
    broker.limits.connections = limits.connections > 0 ? limits.connections : broker.limits.connections;
    broker.limits.bytes = limits.bytes;
    broker.limits.bytes_per_second = limits.bytes_per_second;
    egress::NamespaceRequest place{.network_namespace = network_namespace, .user_namespace = user_namespace};
    auto listeners = TRY(egress::prepare_namespace(place, broker.rules));
    auto started = TRY(egress::Broker::start(std::move(broker), std::move(listeners)));
    TRY(kernel::set_nonblocking(started.audit()));
    return SandboxNetwork(std::move(started));
}

void SandboxNetwork::take_line(std::string_view line, const Report& report)
{
    auto decision = Json::parse(line);
    if (!decision)
        return;
    JsonView view = decision->view();
    auto text = [&](std::string_view name) { return view.member(name).string(); };
    std::string where = text("name").empty() ? text("address") : text("name");
    bool allowed = text("verdict") == "allowed";
    bool name_only = text("protocol") == "dns";
    if (!name_only)
        where += ":" + std::to_string(view.member("port").unsigned_integer().value_or(0));
    auto& list = allowed ? m_network.allowed : m_network.refused;
    if (!(name_only && allowed) && list.size() < most_named && std::ranges::find(list, where) == list.end())
        list.push_back(std::move(where));
    report(*decision);
}

void SandboxNetwork::take(std::string_view lines, const Report& report)
{
    m_unfinished += lines;
    size_t begin = 0;
    for (size_t end = 0; (end = m_unfinished.find('\n', begin)) != std::string::npos; begin = end + 1)
        take_line(std::string_view(m_unfinished).substr(begin, end - begin), report);
    m_unfinished.erase(0, begin);
}

void SandboxNetwork::read(const Report& report)
{
    constexpr size_t piece = 65536;
    while (!m_over) {
        auto data = kernel::read_available(m_broker.audit(), piece);
        if (data && !*data)
            return;
        if (!data || (*data)->empty()) {
            m_over = true;
            return;
        }
        take(**data, report);
    }
}

void SandboxNetwork::close(const Report& report)
{
    if (auto rest = m_broker.stop())
        take(*rest, report);
    m_over = true;
}

} // namespace brig::sandbox
