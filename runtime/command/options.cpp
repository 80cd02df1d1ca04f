#include "command/options.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace brig::command {

namespace {

// The words that Go's strconv.ParseBool takes.
std::optional<bool> parse_flag_value(std::string_view text)
{
    constexpr std::array<std::string_view, 6> yes = {"1", "t", "T", "true", "TRUE", "True"};
    constexpr std::array<std::string_view, 6> no = {"0", "f", "F", "false", "FALSE", "False"};
    if (std::find(yes.begin(), yes.end(), text) != yes.end())
        return true;
    if (std::find(no.begin(), no.end(), text) != no.end())
        return false;
    return std::nullopt;
}

const Option* find_option(Options options, std::string_view name)
{
    for (const auto& option : options)
        if (option.name == name || (option.letter != 0 && name.size() == 1 && name.front() == option.letter))
            return &option;
    return nullptr;
}

bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

Result<> check_value(const Option& option, std::string_view name, std::string_view value)
{
    if (option.type == OptionType::flag && !parse_flag_value(value))
        return failure(Error(ErrorKind::invalid, fmt::format("invalid boolean value {} for -{}", quoted(value), name))
                           .with_hint("write true or false"));
    if (option.type == OptionType::number) {
        auto number = parse_unsigned(value);
        if (!number || *number > std::numeric_limits<unsigned>::max())
            return failure(Error(ErrorKind::invalid, fmt::format("invalid value {} for flag -{}", quoted(value), name))
                               .with_hint("a number is needed"));
    }
    return {};
}

} // namespace

class Parser {
public:
    Parser(Options options, OptionOrder order, std::span<char* const> words, Arguments& arguments)
        : m_options(options), m_order(order), m_words(words), m_arguments(arguments)
    {
    }

    Result<> run()
    {
        while (!m_words.empty()) {
            std::string_view word = take();
            if (word == "--") {
                take_all_as_operands();
            } else if (word.size() < 2 || word.front() != '-' || is_operand(word)) {
                m_arguments.m_operands.emplace_back(word);
                if (m_order == OptionOrder::before_operands || m_arguments.options_end_at_operand())
                    take_all_as_operands();
            } else {
                TRY(read_option(word));
            }
        }
        return {};
    }

private:
    std::string_view take()
    {
        std::string_view word = m_words.front();
        m_words = m_words.subspan(1);
        return word;
    }

    void take_all_as_operands()
    {
        while (!m_words.empty())
            m_arguments.m_operands.emplace_back(take());
    }

    // "-1" after an operand is a signal that does not exist, not an option that does not.
    bool is_operand(std::string_view word) const { return !m_arguments.m_operands.empty() && is_digit(word[1]); }

    Result<> read_option(std::string_view word)
    {
        std::string_view body = word.substr(word.starts_with("--") ? 2 : 1);
        auto equals = body.find('=');
        std::string_view name = body.substr(0, equals);
        const Option* option = find_option(m_options, name);
        if (!option && (name == "help" || name == "h")) {
            m_arguments.m_wants_help = true;
            return {};
        }
        if (!option && read_group(word))
            return {};
        if (!option)
            return failure(ErrorKind::invalid, fmt::format("flag provided but not defined: -{}", one_line(name)));
        if (equals != std::string_view::npos)
            return add(*option, name, body.substr(equals + 1));
        if (option->type == OptionType::flag)
            return add(*option, name, "true");
        if (m_words.empty())
            return failure(ErrorKind::invalid, fmt::format("flag needs an argument: -{}", name));
        return add(*option, name, take());
    }

    Result<> add(const Option& option, std::string_view name, std::string_view value)
    {
        TRY(check_value(option, name, value));
        m_arguments.m_given.push_back({&option, std::string(value)});
        return {};
    }

    // "-it": only when every letter is a flag; anything else would make -name and -n -a -m -e the same.
    bool read_group(std::string_view word)
    {
        std::string_view letters = word.substr(1);
        for (char letter : letters) {
            const Option* option = find_option(m_options, std::string_view(&letter, 1));
            if (!option || option->type != OptionType::flag)
                return false;
        }
        for (char letter : letters)
            m_arguments.m_given.push_back({find_option(m_options, std::string_view(&letter, 1)), "true"});
        return true;
    }

    Options m_options;
    OptionOrder m_order;
    std::span<char* const> m_words;
    Arguments& m_arguments;
};

Result<> parse_options(Options options, OptionOrder order, std::span<char* const> words, Arguments& arguments)
{
    return Parser(options, order, words, arguments).run();
}

const Arguments::Given* Arguments::last(std::string_view name) const
{
    for (auto given = m_given.rbegin(); given != m_given.rend(); ++given)
        if (given->option->name == name)
            return &*given;
    return nullptr;
}

bool Arguments::options_end_at_operand() const
{
    return std::ranges::any_of(m_given, [](const Given& given) { return given.option->ends_options; });
}

std::vector<std::string> Arguments::as_words() const
{
    std::vector<std::string> words;
    for (const auto& given : m_given)
        words.push_back(fmt::format("--{}={}", given.option->name, given.value));
    return words;
}

bool Arguments::flag(std::string_view name) const
{
    const Given* given = last(name);
    return given && parse_flag_value(given->value).value_or(false);
}

std::string Arguments::text(std::string_view name, std::string_view otherwise) const
{
    const Given* given = last(name);
    return given ? given->value : std::string(otherwise);
}

std::optional<std::string> Arguments::text_if_given(std::string_view name) const
{
    const Given* given = last(name);
    if (!given)
        return std::nullopt;
    return given->value;
}

std::vector<std::string> Arguments::list(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& given : m_given)
        if (given.option->name == name)
            values.push_back(given.value);
    return values;
}

unsigned Arguments::number(std::string_view name) const
{
    const Given* given = last(name);
    return given ? static_cast<unsigned>(parse_unsigned(given->value).value_or(0)) : 0;
}

namespace {

constexpr size_t help_column = 30;
constexpr size_t help_width = 78;

std::string option_head(const Option& option)
{
    std::string head =
        option.letter != 0 ? fmt::format("  -{}, --{}", option.letter, option.name) : fmt::format("      --{}", option.name);
    return option.value.empty() ? head : fmt::format("{} {}", head, option.value);
}

// The text in the right column, broken at blanks.
std::string option_row(const Option& option)
{
    std::string row = option_head(option);
    if (row.size() + 2 > help_column)
        row += "\n" + std::string(help_column, ' ');
    else
        row += std::string(help_column - row.size(), ' ');
    size_t column = help_column;
    for (auto word : split(option.help, ' ')) {
        if (column > help_column && column + 1 + word.size() > help_width) {
            row += "\n" + std::string(help_column, ' ');
            column = help_column;
        }
        if (column > help_column) {
            row += ' ';
            ++column;
        }
        row += word;
        column += word.size();
    }
    return row + "\n";
}

} // namespace

std::string options_help(Options options)
{
    std::string text;
    for (const auto& option : options)
        if (!option.help.empty())
            text += option_row(option);
    return text + option_row({"help", 'h', OptionType::flag, "", "show this help"});
}

} // namespace brig::command
