#include "spec/features.hpp"

#include "spec/mount_options.hpp"
#include "spec/version.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>

namespace brig::spec {

namespace {

Json enabled(bool value)
{
    Json object = Json::object();
    object.set("enabled", Json::boolean(value));
    return object;
}

Json words(Words table)
{
    return Json::strings(names_of(table));
}

Json cgroup(const FeaturesInput& input)
{
    Json object = Json::object();
    object.set("v1", Json::boolean(input.cgroup_v1))
        .set("v2", Json::boolean(input.cgroup_v2))
        .set("systemd", Json::boolean(input.cgroup_systemd))
        .set("systemdUser", Json::boolean(input.cgroup_systemd_user))
        .set("rdma", Json::boolean(input.cgroup_rdma));
    return object;
}

Json seccomp(const FeaturesInput& input)
{
    if (input.libseccomp_version.empty())
        return enabled(false);
    auto architectures = names_of(seccomp_architectures());
    std::erase_if(architectures, [&](const std::string& name) {
        return std::ranges::find(input.seccomp_missing_architectures, name) != input.seccomp_missing_architectures.end();
    });
    Json object = enabled(true);
    object.set("actions", words(seccomp_actions()))
        .set("operators", words(seccomp_operators()))
        .set("archs", Json::strings(architectures))
        .set("knownFlags", words(seccomp_flags()))
        .set("supportedFlags", Json::strings(input.seccomp_supported_flags));
    return object;
}

Json intel_rdt(const FeaturesInput& input)
{
    Json object = enabled(input.intel_rdt);
    object.set("schemata", Json::boolean(input.intel_rdt_schemata)).set("monitoring", Json::boolean(input.intel_rdt_monitoring));
    return object;
}

Json mount_extensions(const FeaturesInput& input)
{
    Json object = Json::object();
    object.set("idmap", enabled(input.idmap));
    return object;
}

Json memory_policy()
{
    Json object = Json::object();
    object.set("modes", words(memory_policy_modes())).set("flags", words(memory_policy_flags()));
    return object;
}

Json linux_features(const FeaturesInput& input)
{
    std::vector<std::string> namespaces;
    for (const auto& word : namespace_words())
        namespaces.emplace_back(word.name);
    Json object = Json::object();
    object.set("namespaces", Json::strings(namespaces))
        .set("capabilities", words(capabilities()))
        .set("cgroup", cgroup(input))
        .set("seccomp", seccomp(input))
        .set("apparmor", enabled(input.apparmor))
        .set("selinux", enabled(input.selinux))
        .set("intelRdt", intel_rdt(input))
        .set("mountExtensions", mount_extensions(input))
        .set("netDevices", enabled(input.net_devices));
    if (input.memory_policy)
        object.set("memoryPolicy", memory_policy());
    return object;
}

Json annotations(const FeaturesInput& input)
{
    Json object = Json::object();
    object.set("brig.version", Json::string(input.version))
        .set("brig.commit", Json::string(input.commit))
        .set("brig.checkpoint.enabled", Json::string(input.checkpoint ? "true" : "false"));
    if (!input.libseccomp_version.empty())
        object.set("io.github.seccomp.libseccomp.version", Json::string(input.libseccomp_version));
    for (const auto& [name, value] : input.annotations)
        object.set(name, Json::string(value));
    return object;
}

} // namespace

Json features_document(const FeaturesInput& input)
{
    Json document = Json::object();
    document.set("ociVersionMin", Json::string(spec_version_minimum))
        .set("ociVersionMax", Json::string(spec_version))
        .set("hooks", Json::strings({"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}))
        .set("mountOptions", Json::strings(mount_option_names()))
        .set("linux", linux_features(input))
        .set("annotations", annotations(input))
        .set("potentiallyUnsafeConfigAnnotations", Json::strings(input.potentially_unsafe_config_annotations));
    return document;
}

} // namespace brig::spec
