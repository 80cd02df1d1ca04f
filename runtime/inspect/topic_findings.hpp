// Private to runtime/inspect: the findings of one topic while they are made.
#pragma once

#include "inspect/findings.hpp"

namespace brig::inspect {

class TopicFindings {
public:
    TopicFindings(std::vector<Finding>& findings, Topic topic) : m_findings(findings), m_topic(topic), m_before(findings.size())
    {
    }

    void found(Severity severity, std::string detail, std::string remedy)
    {
        m_findings.push_back({m_topic, severity, std::move(detail), std::move(remedy)});
    }
    // What holds, when nothing was found.
    void otherwise(std::string detail)
    {
        if (m_findings.size() == m_before)
            m_findings.push_back({m_topic, Severity::none, std::move(detail), {}});
    }

private:
    std::vector<Finding>& m_findings;
    Topic m_topic;
    size_t m_before;
};

// Processes of the container that run a program: not those that are still brig's own.
std::vector<const ProcessStatus*> programs_of(const Confinement& confinement);
// "a, b, c and 4 more".
std::string some_of(const std::vector<std::string>& items);

// judge_processes.cpp
void judge_system_calls(const Confinement& confinement, TopicFindings& topic);
void judge_capabilities(const Confinement& confinement, TopicFindings& topic);
void judge_user(const Confinement& confinement, TopicFindings& topic);
void judge_seccomp_profile(const Confinement& confinement, TopicFindings& topic);

// judge_surroundings.cpp
void judge_escape(const Confinement& confinement, TopicFindings& topic);
void judge_network(const Confinement& confinement, TopicFindings& topic);
void judge_files(const Confinement& confinement, TopicFindings& topic);
void judge_resources(const Confinement& confinement, TopicFindings& topic);
void judge_image(const Confinement& confinement, TopicFindings& topic);
void judge_sensitive_files(const Confinement& confinement, TopicFindings& topic);

} // namespace brig::inspect
