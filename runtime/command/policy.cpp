#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/policy_choice.hpp"
#include "command/table.hpp"
#include "command/verb.hpp"
#include "container/creation.hpp"
#include "container/policies.hpp"
#include "guard/duties.hpp"
#include "policy/tighten.hpp"
#include "spec/default_spec.hpp"
#include "spec/read_spec.hpp"

#include <algorithm>
#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {Option{"json", 0, OptionType::flag, "", "show JSON"}};

container::PolicyFiles policy_files()
{
    return container::PolicyFiles(policy_folders());
}

std::string first_sentence(const std::string& text)
{
    return text.substr(0, text.find(". "));
}

Json calls_document(const container::PolicyFile& file)
{
    Json calls = Json::object();
    auto names = policy::allowed_system_calls(*file.filter);
    calls.set("profile", Json::string(file.policy.seccomp.profile));
    calls.set("count", Json::unsigned_number(names.size()));
    calls.set("names", Json::strings(names));
    return calls;
}

Json document_of(const container::PolicyFile& file)
{
    Json json = Json::object();
    json.set("name", Json::string(file.policy.name)).set("path", Json::string(file.path));
    if (file.filter)
        json.set("systemCalls", calls_document(file));
    json.set("policy", Json::copy_of(file.document.view()));
    return json;
}

// A broken file must not hide the others.
Result<int> list_policies(const Invocation& invocation)
{
    auto files = policy_files();
    Json rows = Json::array();
    std::vector<std::vector<std::string>> table = {{"NAME", "SYSTEM CALLS", "DESCRIPTION"}};
    for (const auto& name : TRY(files.names())) {
        auto file = files.find(name);
        if (!file) {
            invocation.log.warning(one_line(file.error().message()));
            continue;
        }
        rows.append(document_of(*file));
        std::string calls = file->filter ? std::to_string(policy::allowed_system_calls(*file->filter).size()) : "as the bundle";
        table.push_back({name, calls, first_sentence(file->policy.description)});
    }
    TRY(print(invocation.arguments.flag("json") ? rows.to_text(true) + "\n" : format_table(table)));
    return 0;
}

std::string wrapped(const std::vector<std::string>& words)
{
    constexpr size_t width = 100;
    std::string text;
    std::string line = " ";
    for (const auto& word : words) {
        if (line.size() + 1 + word.size() > width) {
            text += line + "\n";
            line = " ";
        }
        line += " " + word;
    }
    return text + line + "\n";
}

Result<int> show_policy(const Invocation& invocation)
{
    auto file = TRY(policy_files().find(invocation.operand(1)));
    if (invocation.arguments.flag("json")) {
        TRY(print(document_of(file).to_text(true) + "\n"));
        return 0;
    }
    std::string text = fmt::format("{}: {}\nfile: {}\n", file.policy.name, file.policy.description, file.path);
    if (file.filter) {
        auto names = policy::allowed_system_calls(*file.filter);
        text += fmt::format("system calls: {} are allowed by the profile {}\n{}", names.size(), file.policy.seccomp.profile,
                            wrapped(names));
    }
    TRY(print(text + file.document.to_text(true) + "\n"));
    return 0;
}

Result<int> check_policy(const Invocation& invocation)
{
    const std::string& path = invocation.operand(1);
    auto file = TRY(policy_files().check(path));
    std::string calls =
        file.filter ? fmt::format(", {} system calls", policy::allowed_system_calls(*file.filter).size()) : std::string();
    TRY(print(fmt::format("{}: valid{}\n", path, calls)));
    return 0;
}

Json change_document(const policy::Change& change)
{
    Json json = Json::object();
    json.set("property", Json::string(change.property)).set("before", Json::string(change.before));
    json.set("after", Json::string(change.after)).set("reason", Json::string(change.reason));
    return json;
}

Result<int> explain(const Invocation& invocation)
{
    auto file = TRY(policy_files().find(invocation.operand(1)));
    spec::Spec spec;
    if (invocation.arguments.operands().size() > 2)
        spec = TRY(spec::read_spec(TRY(container::read_bundle_config(invocation.operand(2), "config.json"))));
    else
        spec = TRY(spec::read_spec(spec::default_spec(false, 0, 0).view()));
    auto changes = TRY(container::explain_policy(file.policy, std::move(spec)));
    for (auto& kept : TRY(guard::kept_beside(file.policy)))
        changes.push_back(std::move(kept));
    Json rows = Json::array();
    std::string text;
    for (const auto& change : changes) {
        rows.append(change_document(change));
        text += fmt::format("{}: {} -> {}\n    {}\n", change.property, one_line(change.before), one_line(change.after),
                            change.reason);
    }
    if (changes.empty())
        text = fmt::format("the policy {} changes nothing in this bundle\n", file.policy.name);
    if (auto others = guard::kept_in_sandboxes_only(file.policy); !others.empty())
        text += fmt::format("In sandboxes only (brig sandbox): {}\n", join(others, ", "));
    TRY(print(invocation.arguments.flag("json") ? rows.to_text(true) + "\n" : text));
    return 0;
}

struct Action {
    std::string_view name;
    size_t least;
    size_t most;
    Result<int> (*run)(const Invocation&);
};

constexpr std::array actions = {
    Action{"list", 1, 1, list_policies},
    Action{"show", 2, 2, show_policy},
    Action{"check", 2, 2, check_policy},
    Action{"explain", 2, 3, explain},
};

Result<int> run(const Invocation& invocation)
{
    auto action = std::ranges::find(actions, std::string_view(invocation.operand(0)), &Action::name);
    size_t count = invocation.arguments.operands().size();
    if (action != actions.end() && count >= action->least && count <= action->most)
        return action->run(invocation);
    return failure(Error(ErrorKind::invalid, fmt::format("policy {}: no such form", join(invocation.arguments.operands(), " ")))
                       .with_hint("policy list, show NAME, check FILE, or explain NAME [BUNDLE]"));
}

} // namespace

constinit const Verb policy_verb = {
    .name = "policy",
    .summary = "show, check and explain policies",
    .usage = "[options] list | show NAME | check FILE | explain NAME [BUNDLE]",
    .description = "list shows the policies of this host, show one of them with the system calls that it allows, check\n"
                   "whether a file is a valid policy. explain says what a policy would change in a bundle and why, or that\n"
                   "it would refuse it; without BUNDLE for the one that `brig spec` writes.",
    .example =
        "  brig policy show strict\n  brig policy explain strict /bundles/web\n  brig --policy strict run -b /bundles/web web",
    .options = options,
    .least_operands = 1,
    .most_operands = 3,
    .run = run,
};

} // namespace brig::command
