#include "command/command_line.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/version.hpp"
#include "kernel/events.hpp"
#include "launch/sealed_self.hpp"

#include <algorithm>

namespace brig::command {

namespace {

const Verb* find_verb(const Program& program, std::string_view name)
{
    for (const Verb* verb : program.verbs)
        if (verb->name == name)
            return verb;
    return nullptr;
}

std::string program_help(const Program& program)
{
    std::string text =
        fmt::format("{0} - {1}\n\nUsage: {0} [options] VERB [options] [operands]\n\nVerbs:\n", program.name, program.summary);
    for (const Verb* verb : program.verbs)
        text += fmt::format("  {:<12}{}\n", verb->name, verb->summary);
    return text + fmt::format("  {:<12}{}\n", "help", "show the help of a verb") + "\nOptions before the verb:\n"
           + options_help(global_options()) + fmt::format("\nExample:\n{}\n", program.example);
}

Error unknown_verb(const Program& program, std::string_view name)
{
    return Error(ErrorKind::invalid, fmt::format("unknown command {}", quoted(name)))
        .with_hint(fmt::format("{} --help lists the commands", program.name));
}

// In runc's words, which scripts look for.
Result<> check_operands(const Program& program, const Verb& verb, const Arguments& arguments)
{
    size_t count = arguments.operands().size();
    if (count >= verb.least_operands && count <= verb.most_operands)
        return {};
    bool too_few = count < verb.least_operands;
    std::string_view how = verb.least_operands == verb.most_operands ? "exactly" : too_few ? "a minimum of" : "a maximum of";
    size_t bound = too_few ? verb.least_operands : verb.most_operands;
    return failure(Error(ErrorKind::invalid, fmt::format("{} requires {} {} argument(s)", quoted(verb.name), how, bound))
                       .with_hint(fmt::format("usage: {} {} {}", program.name, verb.name, verb.usage)));
}

Result<int> show_help(const Program& program, std::span<char* const> words)
{
    if (words.empty() || words.front() == std::string_view("help")) {
        TRY(print(program_help(program)));
        return 0;
    }
    const Verb* verb = find_verb(program, words.front());
    if (!verb)
        return failure(unknown_verb(program, words.front()));
    if (verb->parts)
        return show_help(*verb->parts, words.subspan(1));
    TRY(print(verb_help(*verb, program.name)));
    return 0;
}

Error with_usage_hint(const Program& program, Error error, const Verb& verb)
{
    if (!error.hint().empty())
        return error;
    return std::move(error).with_hint(fmt::format("{} {} --help lists the options", program.name, verb.name));
}

struct CommandLine {
    const Program& program;
    char** argv;
    char** envp;
    std::span<char* const> verb_words; // after the verb
    const Arguments& globals;
    LogOutput& output;
};

// Usage errors are 1 for every verb; only what happens later has the verb's own code.
Result<int> run_verb_line(const Verb& verb, const CommandLine& line, int& failure_code)
{
    if (verb.keeps_stderr_clean)
        line.output.keep_stderr_clean();
    Arguments arguments;
    auto parsed = parse_options(verb.options, verb.order, line.verb_words, arguments);
    if (!parsed)
        return failure(with_usage_hint(line.program, std::move(parsed).error(), verb));
    if (arguments.wants_help()) {
        TRY(print(verb_help(verb, line.program.name)));
        return 0;
    }
    TRY(check_operands(line.program, verb, arguments));
    failure_code = verb.failure_code;
    // Before the log is opened: it executes this program again.
    if (verb.needs_sealed_binary)
        TRY(launch::ensure_sealed(line.argv, line.envp));
    if (line.program.prepare)
        if (auto status = TRY(line.program.prepare()))
            return *status;
    TRY(line.output.open());
    Log log = line.output.log();
    if (log.enabled(LogLevel::debug))
        log.debug(fmt::format("{} {} ({}): {}", line.program.name, version(), commit(), verb.name));
    return verb.run({line.globals, arguments, std::move(log)});
}

// "brig sandbox run ...": what follows the part's name is its own.
Result<int> run_part(const Program& program, const CommandLine& line, int& failure_code)
{
    std::string_view name = line.verb_words.empty() ? std::string_view("--help") : line.verb_words.front();
    if (name == "--help" || name == "-h" || name == "help")
        return show_help(program, line.verb_words.subspan(std::min<size_t>(line.verb_words.size(), 1)));
    const Verb* part = find_verb(program, name);
    if (!part)
        return failure(unknown_verb(program, name));
    return run_verb_line(*part, {program, line.argv, line.envp, line.verb_words.subspan(1), line.globals, line.output},
                         failure_code);
}

Result<int> run_command_line(const CommandLine& line, int& failure_code)
{
    if (line.globals.flag("version")) {
        TRY(print(version_text()));
        return 0;
    }
    TRY(check_globals(line.globals));
    if (line.globals.wants_help() || line.globals.operands().empty())
        return show_help(line.program, {});
    std::string_view name = line.globals.operands().front();
    if (name == "help" || name == "h")
        return show_help(line.program, line.verb_words);
    const Verb* verb = find_verb(line.program, name);
    if (!verb)
        return failure(unknown_verb(line.program, name));
    if (verb->parts)
        return run_part(*verb->parts, line, failure_code);
    return run_verb_line(*verb, line, failure_code);
}

} // namespace

int run_program(const Program& program, int argc, char** argv, char** envp)
{
    if (!kernel::ensure_standard_descriptors() || !kernel::notice_ended_children())
        return 1; // nobody could be told
    std::span<char* const> words(argv, static_cast<size_t>(argc));
    words = words.subspan(std::min<size_t>(words.size(), 1));
    Arguments globals;
    Result<> parsed;
    if (program.imply)
        parsed = program.imply(argc > 0 ? argv[0] : "", globals);
    if (parsed)
        parsed = parse_options(global_options(), OptionOrder::before_operands, words, globals);
    LogOutput output(log_settings(globals));

    int failure_code = 1;
    Result<int> outcome = 0;
    if (!parsed) {
        outcome = failure(std::move(parsed).error().with_hint(fmt::format("{} --help lists the options", program.name)));
    } else {
        size_t operands = globals.operands().size();
        auto verb_words = words.subspan(words.size() - (operands > 0 ? operands - 1 : 0));
        outcome = run_command_line({program, argv, envp, verb_words, globals, output}, failure_code);
    }
    if (outcome)
        return *outcome;
    output.write(LogLevel::error, one_line(outcome.error().message()));
    return failure_code;
}

} // namespace brig::command
