// A verb of the command line is a row: its words, its options, its function. main.cpp lists the rows.
#pragma once

#include "base/result.hpp"
#include "command/options.hpp"
#include "container/context.hpp"

#include <string_view>

namespace brig::command {

struct Invocation {
    const Arguments& globals;
    const Arguments& arguments;
    Log log;

    const std::string& operand(size_t index) const { return arguments.operands()[index]; }
    Result<container::Context> context() const;       // for verbs that change a container
    Result<container::Context> query_context() const; // for verbs that only ask
};

struct Program;

struct Verb {
    std::string_view name = {};
    std::string_view summary = {}; // after "brig NAME - "
    std::string_view usage = {};   // after "brig NAME "
    std::string_view description = {};
    std::string_view example = {};
    Options options = {};
    size_t least_operands = 0;
    size_t most_operands = 0;
    // The exit status, or the error that main reports.
    Result<int> (*run)(const Invocation&) = nullptr;

    // The verbs of "brig sandbox" are a program of their own (command_line.hpp); nothing but name and summary counts then.
    const Program* parts = nullptr;
    OptionOrder order = OptionOrder::anywhere;
    // The container's processes come to be in this call: the binary they could reach must be a sealed copy (CVE-2019-5736).
    bool needs_sealed_binary = false;
    // Callers decode stdout and stderr together.
    bool keeps_stderr_clean = false;
    int failure_code = 1;
};

inline constexpr size_t any_number = static_cast<size_t>(-1);

extern const Verb checkpoint_verb;
extern const Verb create_verb;
extern const Verb delete_verb;
extern const Verb doctor_verb;
extern const Verb events_verb;
extern const Verb exec_verb;
extern const Verb features_verb;
extern const Verb image_verb;
extern const Verb inspect_verb;
extern const Verb kill_verb;
extern const Verb list_verb;
extern const Verb mounts_verb;
extern const Verb pause_verb;
extern const Verb plan_verb;
extern const Verb policy_verb;
extern const Verb ps_verb;
extern const Verb restore_verb;
extern const Verb resume_verb;
extern const Verb run_verb;
extern const Verb sandbox_verb;
extern const Verb spec_verb;
extern const Verb start_verb;
extern const Verb state_verb;
extern const Verb update_verb;

// `program` is what the verb is called with: "brig".
std::string verb_help(const Verb& verb, std::string_view program);

// To stdout, whole.
Result<> print(std::string_view text);

} // namespace brig::command
