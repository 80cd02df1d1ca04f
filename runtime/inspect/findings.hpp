// What is weak in a container's confinement, by severity: the questions of a container audit, each answered.
//
// Layer: pure. Every topic has at least one finding; a topic without a weakness has one of severity none that says what
// holds. docs/inspect.md explains what leads to which severity.
#pragma once

#include "inspect/confinement.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace brig::inspect {

enum class Severity {
    none,
    unknown, // cannot be seen from here
    low,
    medium,
    high,
    critical, // the host is open
};

enum class Topic { escape, system_calls, network, files, resources, capabilities, user, seccomp_profile, image, sensitive_files };

struct Finding {
    Topic topic = Topic::escape;
    Severity severity = Severity::none;
    std::string detail;
    std::string remedy; // empty for severity none
};

std::string_view severity_word(Severity severity);
std::optional<Severity> find_severity(std::string_view word);
std::string_view topic_word(Topic topic);     // "system-calls"
std::string_view topic_question(Topic topic); // "Does a filter stand between it and the kernel?"

inline constexpr std::array all_topics = {Topic::escape,    Topic::system_calls,   Topic::network, Topic::files,
                                          Topic::resources, Topic::capabilities,   Topic::user,    Topic::seccomp_profile,
                                          Topic::image,     Topic::sensitive_files};

// "4711 (sh)"; the name is of the container's choice.
std::string process_name(const ProcessStatus& process);

// The worst first; of one severity in the order of the topics.
std::vector<Finding> judge(const Confinement& confinement);

} // namespace brig::inspect
