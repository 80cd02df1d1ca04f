// Each weakness makes its finding, and a container without one has none: both sides, for every topic.
#include <criterion/criterion.h>

#include "inspect/findings.hpp"
#include "kernel/mount_table.hpp"

#include <algorithm>
#include <functional>

using namespace brig;
using namespace brig::inspect;

namespace {

SeenMount mount(const std::string& where, const std::string& type, const std::string& options, const std::string& host_path = {})
{
    SeenMount seen;
    seen.entry.mount_point = where;
    seen.entry.type = type;
    seen.entry.options = options;
    seen.entry.super_options = "rw,size=64k";
    seen.host_path = host_path;
    return seen;
}

Confinement closed_container()
{
    Confinement confinement;
    confinement.pid = 10;
    for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"})
        confinement.namespaces.push_back({name, true});
    confinement.uids = confinement.gids = {{0, 100000, 65536}};
    ProcessStatus process;
    process.pid = 10;
    process.name = "server";
    process.uid = 101000;
    process.no_new_privileges = process.own_user_namespace = true;
    process.seccomp = SeccompMode::filter;
    process.label = "brig (enforce)";
    confinement.processes = {process};
    confinement.has_filters = true;
    confinement.reach.allowed = {"read", "write"};
    confinement.mounts.all = {mount("/", "overlay", "ro"), mount("/proc", "proc", "rw"), mount("/tmp", "tmpfs", "rw"),
                              mount("/data", "ext4", "ro", "/srv/data")};
    for (const auto& path : watched_kernel_paths())
        confinement.mounts.kernel_paths.push_back({path, Exposure::masked});
    confinement.limits.memory = confinement.limits.swap = 1 << 20;
    confinement.limits.pids = 10;
    confinement.limits.milli_cpus = 1000;
    confinement.limits.swap_is_counted = true;
    confinement.label_modules = {"AppArmor"};
    confinement.image = "python@sha256:0123";
    return confinement;
}

// Outside of a user namespace.
Confinement rootful(uint64_t uid = 1000)
{
    Confinement confinement = closed_container();
    std::ranges::find(confinement.namespaces, "user", &Namespace::name)->own = false;
    confinement.uids = confinement.gids = {{0, 0, 4294967295}};
    confinement.processes[0].uid = uid;
    confinement.processes[0].own_user_namespace = false;
    return confinement;
}

void share(Confinement& confinement, std::string_view name)
{
    std::ranges::find(confinement.namespaces, name, &Namespace::name)->own = false;
}

void expose(Confinement& confinement, std::string_view path, Exposure exposure)
{
    std::ranges::find(confinement.mounts.kernel_paths, path, &KernelPath::path)->exposure = exposure;
}

Severity worst(const Confinement& confinement, Topic topic)
{
    Severity worst = Severity::none;
    for (const auto& finding : judge(confinement))
        if (finding.topic == topic)
            worst = std::max(worst, finding.severity);
    return worst;
}

struct Weakness {
    const char* name;
    Topic topic;
    Severity severity;
    std::function<void(Confinement&)> make;
};

constexpr uint64_t bit(unsigned capability)
{
    return uint64_t{1} << capability;
}
constexpr unsigned cap_chown = 0;
constexpr unsigned cap_net_raw = 13;
constexpr unsigned cap_sys_admin = 21;

const std::vector<Weakness>& weaknesses()
{
    using enum Severity;
    static const std::vector<Weakness> list = {
        {"mount namespace", Topic::escape, critical, [](auto& c) { share(c, "mnt"); }},
        {"pid namespace", Topic::escape, high, [](auto& c) { share(c, "pid"); }},
        {"ipc namespace", Topic::escape, medium, [](auto& c) { share(c, "ipc"); }},
        {"cgroup namespace", Topic::escape, low, [](auto& c) { share(c, "cgroup"); }},
        {"uts namespace", Topic::escape, low, [](auto& c) { share(c, "uts"); }},
        {"docker.sock", Topic::escape, critical,
         [](auto& c) { c.mounts.all.push_back(mount("/s", "tmpfs", "ro", "/run/docker.sock")); }},
        {"a folder with docker.sock", Topic::escape, critical,
         [](auto& c) { c.mounts.all.push_back(mount("/r", "tmpfs", "ro", "/run")); }},
        {"docker.sock elsewhere", Topic::escape, critical,
         [](auto& c) {
             c.mounts.all.push_back(mount("/s", "ext4", "ro", "/srv/docker.sock"));
             c.mounts.all.back().is_socket = true;
         }},
        {"another socket", Topic::escape, medium,
         [](auto& c) {
             c.mounts.all.push_back(mount("/s", "ext4", "ro", "/srv/database.sock"));
             c.mounts.all.back().is_socket = true;
         }},
        {"writable /etc", Topic::escape, critical, [](auto& c) { c.mounts.all.push_back(mount("/e", "ext4", "rw", "/etc")); }},
        {"writable part of /usr", Topic::escape, critical,
         [](auto& c) { c.mounts.all.push_back(mount("/e", "ext4", "rw", "/usr/bin/x")); }},
        {"shared mount", Topic::escape, medium, [](auto& c) { c.mounts.all.back().shared_with_host = true; }},
        {"disk", Topic::escape, critical,
         [](auto& c) {
             c.devices = {{"/dev/sda", 'b', 8, 0}};
         }},
        {"memory device", Topic::escape, critical,
         [](auto& c) {
             c.devices = {{"/dev/mem", 'c', 1, 1}};
         }},
        {"other device", Topic::escape, low,
         [](auto& c) {
             c.devices = {{"/dev/fuse", 'c', 10, 229}};
         }},
        {"no label", Topic::escape, low, [](auto& c) { c.processes[0].label = "unconfined"; }},
        {"no filter", Topic::system_calls, high, [](auto& c) { c.processes[0].seccomp = SeccompMode::none; }},
        {"no filter to come", Topic::system_calls, high,
         [](auto& c) {
             c.first_process_is_brigs = true;
             c.has_filters = false;
         }},
        {"one process without filter", Topic::system_calls, high,
         [](auto& c) {
             c.processes.push_back(c.processes[0]);
             c.processes[1].seccomp = SeccompMode::none;
         }},
        {"host network", Topic::network, high, [](auto& c) { share(c, "net"); }},
        {"a way out", Topic::network, medium,
         [](auto& c) {
             c.sockets.interfaces = {"eth0"};
             c.sockets.has_routes = true;
         }},
        {"writable root", Topic::files, medium, [](auto& c) { c.mounts.all[0] = mount("/", "overlay", "rw"); }},
        {"writable folder", Topic::files, low, [](auto& c) { c.mounts.all.push_back(mount("/w", "ext4", "rw", "/srv/w")); }},
        {"unbounded tmpfs", Topic::files, low,
         [](auto& c) {
             c.mounts.all[2].entry.super_options = "rw";
             c.limits.memory.reset();
         }},
        {"memory", Topic::resources, high, [](auto& c) { c.limits.memory.reset(); }},
        {"pids", Topic::resources, high, [](auto& c) { c.limits.pids.reset(); }},
        {"cpu", Topic::resources, medium, [](auto& c) { c.limits.milli_cpus.reset(); }},
        {"swap", Topic::resources, low, [](auto& c) { c.limits.swap.reset(); }},
        {"a small capability", Topic::capabilities, low, [](auto& c) { c.processes[0].capabilities.effective = bit(cap_chown); }},
        {"SYS_ADMIN in a user namespace", Topic::capabilities, medium,
         [](auto& c) { c.processes[0].capabilities.permitted = bit(cap_sys_admin); }},
        {"setuid programs", Topic::user, medium, [](auto& c) { c.processes[0].no_new_privileges = false; }},
        {"the host's root mapped", Topic::user, high,
         [](auto& c) {
             c.uids.push_back({65536, 0, 1});
         }},
        {"dangerous calls", Topic::seccomp_profile, medium, [](auto& c) { c.reach.allowed = {"bpf"}; }},
        {"foreign calls", Topic::seccomp_profile, low, [](auto& c) { c.reach.foreign_interfaces = {"x32"}; }},
        {"a wide filter", Topic::seccomp_profile, low, [](auto& c) { c.reach.allowed.assign(300, "read"); }},
        {"a very wide filter", Topic::seccomp_profile, medium, [](auto& c) { c.reach.allowed.assign(400, "read"); }},
        {"an unseen filter", Topic::seccomp_profile, unknown, [](auto& c) { c.has_filters = false; }},
        {"an unknown image", Topic::image, unknown, [](auto& c) { c.image.clear(); }},
        {"an image by name", Topic::image, low, [](auto& c) { c.image = "python:3.12"; }},
        {"/etc to be read", Topic::sensitive_files, high,
         [](auto& c) { c.mounts.all.push_back(mount("/e", "ext4", "ro", "/etc")); }},
        {"/home to be read", Topic::sensitive_files, high,
         [](auto& c) { c.mounts.all.push_back(mount("/e", "ext4", "ro", "/home")); }},
        {"the host's root", Topic::sensitive_files, high, [](auto& c) { c.mounts.all[0].host_path = "/"; }},
        {"root's keys", Topic::sensitive_files, high,
         [](auto& c) { c.mounts.all.push_back(mount("/k", "ext4", "ro", "/root/.ssh/id")); }},
        {"a folder in root's home", Topic::files, low,
         [](auto& c) { c.mounts.all.push_back(mount("/w", "ext4", "rw", "/root/work")); }},
        {"interrupts", Topic::sensitive_files, low, [](auto& c) { expose(c, "/proc/interrupts", Exposure::readable); }},
    };
    return list;
}

} // namespace

Test(findings, a_closed_container_has_an_answer_to_each_question_and_no_weakness)
{
    auto findings = judge(closed_container());
    cr_expect(findings.size() == all_topics.size());
    for (const auto& finding : findings) {
        cr_expect(finding.severity == Severity::none, "%s", finding.detail.c_str());
        cr_expect(finding.remedy.empty() && !finding.detail.empty());
    }
    for (Topic topic : all_topics)
        cr_expect(std::ranges::count(findings, topic, &Finding::topic) == 1);
}

Test(findings, each_weakness_is_found_with_a_remedy)
{
    for (const auto& weakness : weaknesses()) {
        Confinement confinement = closed_container();
        weakness.make(confinement);
        cr_expect(worst(confinement, weakness.topic) == weakness.severity, "%s is %s", weakness.name,
                  std::string(severity_word(worst(confinement, weakness.topic))).c_str());
        for (const auto& finding : judge(confinement))
            cr_expect(finding.remedy.empty() == (finding.severity == Severity::none), "%s", finding.detail.c_str());
        for (Topic topic : all_topics)
            cr_expect(std::ranges::count(judge(confinement), topic, &Finding::topic) > 0, "%s", weakness.name);
    }
}

Test(findings, the_worst_come_first)
{
    Confinement confinement = closed_container();
    share(confinement, "mnt");
    share(confinement, "uts");
    confinement.limits.pids.reset();
    auto findings = judge(confinement);
    cr_expect(std::ranges::is_sorted(findings, std::greater(), &Finding::severity));
    cr_expect(findings[0].severity == Severity::critical && findings[1].topic == Topic::resources);
}

Test(findings, without_a_user_namespace_root_and_its_powers_are_the_hosts)
{
    cr_expect(worst(rootful(), Topic::user) == Severity::none);
    cr_expect(worst(rootful(0), Topic::user) == Severity::high);
    auto confinement = rootful();
    confinement.processes[0].capabilities.bounding = bit(cap_sys_admin);
    cr_expect(worst(confinement, Topic::capabilities) == Severity::none, "no_new_privs: it cannot be got");
    confinement.processes[0].no_new_privileges = false;
    cr_expect(worst(confinement, Topic::capabilities) == Severity::critical);
    confinement.processes[0].capabilities.bounding = bit(cap_net_raw);
    cr_expect(worst(confinement, Topic::capabilities) == Severity::medium);
}

Test(findings, kernel_files_matter_less_to_who_is_nobody_on_the_host)
{
    for (auto [path, exposure] : {std::pair{"/proc/kcore", Exposure::readable},
                                  {"/proc/sys", Exposure::writable},
                                  {"/proc/sysrq-trigger", Exposure::writable},
                                  {"/sys/kernel", Exposure::writable}}) {
        Confinement outside = rootful();
        Confinement inside = closed_container();
        expose(outside, path, exposure);
        expose(inside, path, exposure);
        cr_expect(worst(outside, Topic::sensitive_files) == Severity::high, "%s", path);
        cr_expect(worst(inside, Topic::sensitive_files) == Severity::low, "%s", path);
    }
    Confinement confinement = rootful();
    expose(confinement, "/proc/sys", Exposure::readable);
    cr_expect(worst(confinement, Topic::sensitive_files) == Severity::none);
}

Test(findings, writable_cgroups_matter_outside_of_a_user_namespace)
{
    for (auto [type, severity] : {std::pair{"cgroup", Severity::high}, {"cgroup2", Severity::medium}}) {
        Confinement confinement = rootful();
        confinement.mounts.all.push_back(mount("/sys/fs/cgroup", type, "rw"));
        cr_expect(worst(confinement, Topic::escape) == severity, "%s", type);
        confinement.mounts.all.back().entry.options = "ro";
        cr_expect(worst(confinement, Topic::escape) == Severity::none, "%s", type);
        Confinement inside = closed_container();
        inside.mounts.all.push_back(mount("/sys/fs/cgroup", type, "rw"));
        cr_expect(worst(inside, Topic::escape) == Severity::none, "%s", type);
    }
}

Test(findings, what_every_container_has_is_no_weakness)
{
    Confinement confinement = closed_container();
    for (const char* device : {"null", "zero", "full", "random", "urandom", "tty"})
        confinement.mounts.all.push_back(mount(std::string("/dev/") + device, "devtmpfs", "rw", std::string("/dev/") + device));
    for (const char* file : {"hosts", "hostname", "resolv.conf"})
        confinement.mounts.all.push_back(
            mount(std::string("/etc/") + file, "ext4", "rw", std::string("/var/lib/docker/containers/1/") + file));
    confinement.mounts.all[0].host_path = "/var/lib/docker/overlay2/1/merged";
    cr_expect(judge(confinement).front().severity == Severity::none);
    confinement.mounts.all.push_back(mount("/etc/hosts", "ext4", "rw", "/etc/hosts"));
    cr_expect(judge(confinement).front().severity == Severity::critical, "that one is the host's");
}

Test(findings, a_process_that_is_brigs_own_is_not_judged)
{
    Confinement confinement = closed_container();
    confinement.first_process_is_brigs = true;
    confinement.processes[0].seccomp = SeccompMode::none;
    cr_expect(judge(confinement).front().severity == Severity::none);
    confinement.processes.push_back(confinement.processes[0]);
    confinement.processes[1].pid = 11;
    cr_expect(worst(confinement, Topic::system_calls) == Severity::high, "but a program beside it is");
}

Test(findings, names_that_a_container_chose_are_escaped)
{
    Confinement confinement = closed_container();
    confinement.processes[0].name = "a\n\033[2J";
    confinement.processes[0].seccomp = SeccompMode::none;
    confinement.mounts.all.push_back(mount("/w\033[1m", "ext4", "rw", "/srv/\n"));
    for (const auto& finding : judge(confinement))
        for (char letter : finding.detail)
            cr_expect(static_cast<unsigned char>(letter) >= ' ', "%s", finding.detail.c_str());
}

Test(severities, have_words)
{
    for (Severity severity :
         {Severity::none, Severity::unknown, Severity::low, Severity::medium, Severity::high, Severity::critical})
        cr_expect(find_severity(severity_word(severity)) == severity);
    cr_expect(!find_severity("severe"));
    for (Topic topic : all_topics)
        cr_expect(!topic_word(topic).empty() && topic_question(topic).ends_with("?"));
}
