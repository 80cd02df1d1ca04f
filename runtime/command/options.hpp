// Options of the command line: a table for each verb gives parsing and the help text.
//
// Spellings are those of Go's flag package and of GNU: -name, --name, --name value, --name=value, -n value, and for flags
// --name=true|false|1|0|t|f; short flags may be grouped (-dt). "--" ends the options. Errors: kind invalid, in the words
// that callers of runc know ("flag provided but not defined: -x").
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brig::command {

enum class OptionType {
    flag,   // true or false
    text,   // the last one counts
    list,   // may be repeated
    number, // unsigned
};

struct Option {
    std::string_view name; // long form, without dashes
    char letter = 0;       // short form; 0: none
    OptionType type = OptionType::flag;
    std::string_view value;    // placeholder in the help text, "FILE"
    std::string_view help;     // empty: accepted for callers of other runtimes, not shown
    bool ends_options = false; // with it, what follows the first operand belongs to somebody else: `run --image NAME ls -l`
};

using Options = std::span<const Option>;

// Where options may stand.
enum class OptionOrder {
    anywhere,        // also after operands, as runc takes them: `delete ID --force`
    before_operands, // what follows the first operand belongs to somebody else: `exec ID ls -l`
};

class Arguments {
public:
    // The name must be in the table that was parsed with.
    bool flag(std::string_view name) const;
    bool is_given(std::string_view name) const { return last(name) != nullptr; }
    std::string text(std::string_view name, std::string_view otherwise = "") const;
    std::optional<std::string> text_if_given(std::string_view name) const;
    std::vector<std::string> list(std::string_view name) const;
    unsigned number(std::string_view name) const; // 0 when not given

    // The options again, as words of a command line.
    std::vector<std::string> as_words() const;

    const std::vector<std::string>& operands() const { return m_operands; }
    bool wants_help() const { return m_wants_help; }

private:
    friend class Parser;
    struct Given {
        const Option* option;
        std::string value;
    };
    const Given* last(std::string_view name) const;
    bool options_end_at_operand() const;

    std::vector<Given> m_given;
    std::vector<std::string> m_operands;
    bool m_wants_help = false;
};

// What was read before an error stays in `arguments`: an error in a later option still goes to the log file of --log.
Result<> parse_options(Options options, OptionOrder order, std::span<char* const> words, Arguments& arguments);

// One row for each shown option, aligned, with "-h, --help" last.
std::string options_help(Options options);

} // namespace brig::command
