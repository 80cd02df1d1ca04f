// What brig writes: the default config.json and the features document.
#include "base/text.hpp"
#include "samples.hpp"
#include "spec/check_spec.hpp"
#include "spec/default_spec.hpp"
#include "spec/features.hpp"
#include "spec/read_spec.hpp"
#include "spec/version.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::spec;

static Spec checked(const Json& json)
{
    auto spec = read_spec(json.view());
    cr_assert(spec.has_value(), "%s", spec ? "" : spec.error().message().c_str());
    auto result = check_spec(*spec);
    cr_assert(result.has_value(), "%s", result ? "" : result.error().message().c_str());
    return *spec;
}

static bool has_namespace(const Spec& spec, NamespaceType type)
{
    for (const auto& entry : spec.linux->namespaces)
        if (entry.type == type)
            return true;
    return false;
}

Test(default_spec, works_as_it_is)
{
    auto spec = checked(default_spec(false, 0, 0));
    cr_expect(spec.oci_version == spec_version);
    cr_expect(spec.process->terminal && spec.process->no_new_privileges);
    cr_expect((spec.process->args == std::vector<std::string>{"sh"}));
    cr_expect(spec.process->capabilities->inheritable.empty() && spec.process->capabilities->ambient.empty());
    cr_expect(spec.process->capabilities->permitted.size() == 3);
    cr_expect(spec.mounts.size() == 7);
    cr_expect(spec.linux->namespaces.size() == 6);
    cr_expect(!has_namespace(spec, NamespaceType::user) && has_namespace(spec, NamespaceType::cgroup));
    cr_expect(spec.linux->resources->devices.at(0).allow == false);
    cr_expect(!spec.linux->masked_paths.empty() && !spec.linux->readonly_paths.empty());
}

Test(default_spec, rootless)
{
    auto spec = checked(default_spec(true, 1000, 100));
    cr_expect(has_namespace(spec, NamespaceType::user) && !has_namespace(spec, NamespaceType::network));
    cr_expect(spec.linux->uid_mappings.at(0).host_id == 1000u && spec.linux->uid_mappings.at(0).size == 1u);
    cr_expect(spec.linux->gid_mappings.at(0).host_id == 100u);
    cr_expect(!spec.linux->resources.has_value());
    for (const auto& mount : spec.mounts) {
        for (const auto& option : mount.options)
            cr_expect(!option.starts_with("gid=") && !option.starts_with("uid="), "%s", option.c_str());
        if (mount.destination == "/sys")
            cr_expect(mount.source == "/sys" && mount.options.at(0) == "rbind");
    }
}

Test(features, golden_document)
{
    FeaturesInput input;
    input.version = "9.8.7";
    input.commit = "abc";
    input.libseccomp_version = "2.5.4";
    input.cgroup_v1 = input.cgroup_v2 = input.cgroup_systemd = true;
    input.seccomp_supported_flags = {"SECCOMP_FILTER_FLAG_LOG"};
    input.seccomp_missing_architectures = {"SCMP_ARCH_SH", "SCMP_ARCH_SHEB"};
    input.apparmor = input.idmap = input.memory_policy = input.checkpoint = true;
    input.annotations = {{"brig.example", "yes"}};
    input.potentially_unsafe_config_annotations = {"org.systemd.property."};
    std::string golden = tests::sample("features.golden.json");
    std::string found = features_document(input).to_text(true) + "\n";
    cr_expect(found == golden, "differs from tests/unit/spec/features.golden.json:\n%s", found.c_str());
}

Test(features, says_no_to_what_is_absent)
{
    auto document = features_document(FeaturesInput());
    auto linux_section = document.view().member("linux");
    cr_expect(!linux_section.member("seccomp").member("enabled").boolean());
    cr_expect(linux_section.member("seccomp").member("archs").is_null());
    cr_expect(linux_section.member("memoryPolicy").is_null());
    for (const char* name : {"apparmor", "selinux", "intelRdt", "netDevices"})
        cr_expect(linux_section.member(name).member("enabled").type() == JsonType::boolean
                      && !linux_section.member(name).member("enabled").boolean(),
                  "%s", name);
    cr_expect(document.view().member("annotations").member("io.github.seccomp.libseccomp.version").is_null());
    cr_expect(document.view().member("ociVersionMin").string() == "1.0.0");
}
