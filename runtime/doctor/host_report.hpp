// What isolation a host can give: one line for each thing, with a remedy where there is a gap.
//
// Layer: host_report is pure; host_view.hpp asks the host. Nothing here knows a container.
#pragma once

#include "kernel/host_facts.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::doctor {

// An engine that could call brig.
struct EngineView {
    std::string name;     // "docker"
    std::string settings; // "/etc/docker/daemon.json"
    bool installed = false;
    std::optional<bool> registered; // no value: its settings cannot be read
};

struct HostView {
    HostFacts facts;
    std::vector<std::string> missing_calls; // of those that brig calls, not answered by this kernel
    int landlock_version = 0;               // 0: none
    bool seccomp_filters = false;
    bool seccomp_notify = false; // a listener may answer calls
    bool overlay = false;
    bool swap_accounting = false;
    bool pressure = false; // PSI
    bool criu = false;
    uint64_t most_user_namespaces = 0;       // user.max_user_namespaces; 0: none can be made
    bool restricted_user_namespaces = false; // for callers without privilege: a sysctl or AppArmor forbids them
    std::vector<EngineView> engines;
};

enum class State {
    good,
    limited, // something is weaker or not offered
    missing, // brig cannot do its work without it
};

struct Line {
    std::string section; // "cgroups"
    std::string name;
    State state = State::good;
    std::string detail;
    std::string remedy; // empty when good
};

std::string_view state_word(State state);

std::vector<Line> host_report(const HostView& view);

} // namespace brig::doctor
