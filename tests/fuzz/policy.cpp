// A policy file and a config.json, divided by a NUL: both are read, and what the policy makes of the configuration allows no
// more than it did.
// sources: runtime/base/*.cpp runtime/policy/*.cpp runtime/spec/*.cpp
#include "policy/read_policy.hpp"
#include "policy/tighten.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"

#include <algorithm>
#include <cstdlib>

using namespace brig;

namespace {

using Names = std::vector<std::string>;

bool within(const Names& part, const Names& whole)
{
    return std::ranges::all_of(part, [&](const auto& name) { return std::ranges::find(whole, name) != whole.end(); });
}

void check_capabilities(const spec::Capabilities& before, const spec::Capabilities& after, const policy::Policy& policy)
{
    for (auto set : {&spec::Capabilities::bounding, &spec::Capabilities::effective, &spec::Capabilities::inheritable,
                     &spec::Capabilities::permitted, &spec::Capabilities::ambient})
        if (!within(after.*set, before.*set)
            || (policy.privileges.capabilities && !within(after.*set, *policy.privileges.capabilities)))
            std::abort();
}

void tighten(const spec::Spec& asked, const policy::Policy& policy)
{
    policy::HostLimits host{uint64_t{1} << 32, {{8, 0}}, {}};
    auto tightened = policy::tighten(asked, policy, host);
    if (!tightened || !spec::check_spec(tightened->spec) || !asked.process || !tightened->spec.process)
        return; // it does not start
    const spec::Process& before = *asked.process;
    const spec::Process& after = *tightened->spec.process;
    if (before.capabilities && after.capabilities)
        check_capabilities(*before.capabilities, *after.capabilities, policy);
    if (after.no_new_privileges < (before.no_new_privileges || policy.privileges.no_new_privileges))
        std::abort();
    if (policy.filesystem.read_only_root && tightened->spec.root && !tightened->spec.root->readonly)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    auto end = bytes.find('\0');
    auto document = Json::parse(bytes.substr(0, end));
    if (!document)
        return 0;
    (void)policy::read_profile(document->view());
    auto policy = policy::read_policy(document->view());
    if (!policy || end == std::string_view::npos)
        return 0;
    if (auto spec = spec::read_spec(bytes.substr(end + 1)))
        tighten(*spec, *policy);
    return 0;
}
