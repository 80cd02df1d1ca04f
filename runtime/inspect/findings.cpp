#include "inspect/findings.hpp"

#include "base/text.hpp"
#include "inspect/topic_findings.hpp"

#include <algorithm>

namespace brig::inspect {

namespace {

struct TopicRow {
    Topic topic;
    std::string_view word;
    std::string_view question;
    void (*judge)(const Confinement&, TopicFindings&);
};

constexpr std::array topics = {
    TopicRow{Topic::escape, "escape", "Can a hostile program get out to the host?", judge_escape},
    TopicRow{Topic::system_calls, "system-calls", "Does a filter stand between its programs and the kernel?", judge_system_calls},
    TopicRow{Topic::network, "network", "What can it reach by network?", judge_network},
    TopicRow{Topic::files, "files", "What can it write, and does that stay?", judge_files},
    TopicRow{Topic::resources, "resources", "Can it exhaust the host?", judge_resources},
    TopicRow{Topic::capabilities, "capabilities", "Which of root's powers are left?", judge_capabilities},
    TopicRow{Topic::user, "user", "Is its user without privilege on the host?", judge_user},
    TopicRow{Topic::seccomp_profile, "seccomp-profile", "How much of the kernel does its filter let through?",
             judge_seccomp_profile},
    TopicRow{Topic::image, "image", "Is it known which files it was made of?", judge_image},
    TopicRow{Topic::sensitive_files, "sensitive-files", "Can it read or change files that tell of the host?",
             judge_sensitive_files},
};

const TopicRow& row_of(Topic topic)
{
    return *std::ranges::find(topics, topic, &TopicRow::topic);
}

struct SeverityRow {
    Severity severity;
    std::string_view word;
};

constexpr std::array severities = {
    SeverityRow{Severity::none, "none"}, SeverityRow{Severity::unknown, "unknown"},
    SeverityRow{Severity::low, "low"},   SeverityRow{Severity::medium, "medium"},
    SeverityRow{Severity::high, "high"}, SeverityRow{Severity::critical, "critical"},
};

} // namespace

std::string_view severity_word(Severity severity)
{
    return std::ranges::find(severities, severity, &SeverityRow::severity)->word;
}

std::optional<Severity> find_severity(std::string_view word)
{
    auto found = std::ranges::find(severities, word, &SeverityRow::word);
    return found == severities.end() ? std::nullopt : std::optional(found->severity);
}

std::string_view topic_word(Topic topic)
{
    return row_of(topic).word;
}

std::string_view topic_question(Topic topic)
{
    return row_of(topic).question;
}

std::vector<const ProcessStatus*> programs_of(const Confinement& confinement)
{
    std::vector<const ProcessStatus*> programs;
    for (const auto& process : confinement.processes)
        if (process.pid != confinement.pid || !confinement.first_process_is_brigs)
            programs.push_back(&process);
    return programs;
}

std::string process_name(const ProcessStatus& process)
{
    return fmt::format("{} ({})", process.pid, one_line(process.name));
}

std::string some_of(const std::vector<std::string>& items)
{
    constexpr size_t most = 8;
    if (items.size() <= most)
        return join(items, ", ");
    return fmt::format("{} and {} more", join({items.begin(), items.begin() + most}, ", "), items.size() - most);
}

std::vector<Finding> judge(const Confinement& confinement)
{
    std::vector<Finding> findings;
    for (const auto& row : topics) {
        TopicFindings topic(findings, row.topic);
        row.judge(confinement, topic);
    }
    std::ranges::stable_sort(findings, std::greater(), &Finding::severity);
    return findings;
}

} // namespace brig::inspect
