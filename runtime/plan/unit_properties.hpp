// The properties of a container's systemd unit: what systemd writes to the cgroup's files again at each daemon-reload, so that
// these are brig's own values.
//
// Layer: pure. Errors: kind invalid for a value that systemd's property cannot hold, naming the property of config.json.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"
#include "plan/unit_name.hpp"

#include <map>
#include <string>
#include <vector>

namespace brig::plan {

// Replaces the one of the same name: of several limits for one property the last one holds, as with the files.
void set_property(std::vector<UnitProperty>& properties, std::string name, UnitValue value);

// Description, slice, delegation, accounting.
std::vector<UnitProperty> basic_unit_properties(const UnitPlace& place, const std::string& description, bool unified);

// From the planned writes: "memory.max" is MemoryMax. Files that systemd does not know it does not touch either. `period`: of
// the CPU quota, where the writes do not name one; in microseconds.
Result<> add_limit_properties(std::vector<UnitProperty>& properties, const std::vector<CgroupWrite>& writes, uint64_t period);

// DevicePolicy and DeviceAllow; never less than the rules allow: brig's own filter decides exactly, systemd's cannot express
// an order of rules. `exact`: there is no filter (cgroup v1), so what would allow more is refused, kind not_supported.
Result<> add_device_properties(std::vector<UnitProperty>& properties, const std::vector<spec::DeviceRule>& rules, bool exact);

// Annotations org.systemd.property.NAME, values as GVariant text: of a list of names that limit or describe the unit. Kind
// invalid for other names, for a value of another type, and for what linux.resources sets as well.
Result<> add_annotated_properties(std::vector<UnitProperty>& properties, const std::map<std::string, std::string>& annotations);

// For `brig plan`.
std::string property_text(const UnitProperty& property);

} // namespace brig::plan
