#include "inspect/container_confinement.hpp"

#include "base/text.hpp"
#include "container/guarding.hpp"
#include "container/lifecycle.hpp"
#include "container/policies.hpp"
#include "image/image_spec.hpp"
#include "inspect/read_confinement.hpp"
#include "launch/process_start.hpp"
#include "sandbox/bundle.hpp"

namespace brig::inspect {

namespace {

using container::Record;
using container::StateDirectory;
using container::Status;

// What was loaded, as it is kept for exec.
Result<std::vector<setup::SeccompProgram>> kept_filters(const StateDirectory& directory, const Record& record)
{
    std::vector<setup::SeccompProgram> filters;
    constexpr const char* bundle_filter = "seccomp.bpf";
    if (directory.has_file(bundle_filter))
        filters.push_back(TRY(launch::decode_program(TRY(directory.read_file(bundle_filter)))));
    for (auto& filter : TRY(container::kept_policy_filters(directory, TRY(container::kept_policies(directory, record)))))
        filters.push_back(std::move(filter));
    return filters;
}

Result<> add_filters(Confinement& confinement, const StateDirectory& directory, const Record& record)
{
    auto filters = TRY(kept_filters(directory, record));
    confinement.has_filters = !filters.empty();
    if (filters.empty())
        return {};
    std::vector<std::string_view> codes;
    for (const auto& filter : filters)
        codes.emplace_back(filter.instructions);
    confinement.reach = TRY(reach_of(codes));
    return {};
}

// Where engines and brig note it.
std::string image_of(const Record& record)
{
    for (const char* name : {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "io.containerd.image.name",
                             image::digest_annotation, "org.opencontainers.image.ref.name"}) {
        auto found = record.annotations.find(name);
        if (found != record.annotations.end())
            return found->second;
    }
    return {};
}

} // namespace

Result<Confinement> read_container_confinement(const container::Context& context, const std::string& id)
{
    auto found = TRY(container::state(context, id));
    const Record& record = found.record;
    if (found.status == Status::stopped || found.status == Status::creating)
        return failure(Error(ErrorKind::wrong_state, fmt::format("container {} is {}", id, container::status_name(found.status)))
                           .with_hint("there is nothing to inspect without a process"));
    Subject subject = {record.pid, record.start_time, TRY(container::processes(context, id))};
    Confinement confinement = TRY(read_confinement(subject, TRY(kernel::read_host_facts())));
    auto directory = TRY(container::StateStore(context.state_root).open(id, container::Locking::none));
    TRY(add_filters(confinement, directory, record));
    bool is_sandbox = record.annotations.contains(sandbox::supervisor_annotation);
    confinement.id = id;
    confinement.status = container::status_name(found.status);
    confinement.policies = record.policies;
    confinement.image = image_of(record);
    confinement.first_process_is_brigs = is_sandbox || found.status == Status::created;
    confinement.reaches_named_hosts_only =
        directory.has_file(container::resolver_file_name) || record.annotations.contains(sandbox::network_annotation);
    return confinement;
}

} // namespace brig::inspect
