// Private to the cgroup part of the plan: collects the writes of one group of properties.
#pragma once

#include "base/text.hpp"
#include "plan/plan.hpp"

#include <string>
#include <utility>
#include <vector>

namespace brig::plan {

class CgroupWriteList {
public:
    // `group`: "linux.resources.memory"
    explicit CgroupWriteList(std::string group) : m_group(std::move(group)) {}

    CgroupWrite& add(std::string_view property, std::string file, std::string value)
    {
        CgroupWrite write;
        write.file = std::move(file);
        write.value = std::move(value);
        write.property = name_of(property);
        m_writes.push_back(std::move(write));
        return m_writes.back();
    }

    std::string name_of(std::string_view property) const
    {
        return property.empty() ? m_group : fmt::format("{}.{}", m_group, property);
    }
    std::vector<CgroupWrite> take() { return std::move(m_writes); }

private:
    std::string m_group;
    std::vector<CgroupWrite> m_writes;
};

} // namespace brig::plan
