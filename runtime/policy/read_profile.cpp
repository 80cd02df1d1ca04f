#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "policy/read_policy.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"

namespace brig::policy {

namespace {

const std::vector<std::string> profile_members = {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"};
const std::vector<std::string> rule_members = {"names", "action", "errnoRet", "args"};
const std::vector<std::string> argument_members = {"index", "value", "valueTwo", "op"};

Result<> expect_list_of(JsonView list, const Place& place, const std::vector<std::string>& known)
{
    for (size_t index = 0; index < list.size(); index++)
        TRY(expect_members(list.at(index), place.element(index), known));
    return {};
}

Result<> expect_known(JsonView document)
{
    Place root;
    TRY(expect_members(document, root, profile_members));
    Place rules_place = root.member("syscalls");
    JsonView rules = document.member("syscalls");
    TRY(expect_list_of(rules, rules_place, rule_members));
    for (size_t index = 0; index < rules.size(); index++) {
        Place rule_place = rules_place.element(index);
        TRY(expect_list_of(rules.at(index).member("args"), rule_place.member("args"), argument_members));
    }
    return {};
}

} // namespace

Result<spec::Seccomp> read_profile(JsonView document)
{
    auto profile = TRY(spec::read_seccomp(document));
    TRY(expect_known(document));
    TRY(spec::check_seccomp(profile));
    for (const auto& rule : profile.syscalls)
        if (rule.action == "SCMP_ACT_NOTIFY")
            return failure(Error(ErrorKind::invalid, fmt::format("SCMP_ACT_NOTIFY for {}", join(rule.names, ", ")))
                               .with_hint("a policy's filter has no listener"));
    return profile;
}

} // namespace brig::policy
