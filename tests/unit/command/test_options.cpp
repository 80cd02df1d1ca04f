#include "command/options.hpp"

#include <array>
#include <criterion/criterion.h>

using namespace brig;
using namespace brig::command;

namespace {

constexpr std::array table = {
    Option{"bundle", 'b', OptionType::text, "DIR", "the bundle"},
    Option{"detach", 'd', OptionType::flag, "", "return"},
    Option{"tty", 't', OptionType::flag, "", "terminal"},
    Option{"env", 'e', OptionType::list, "NAME=VALUE", "environment"},
    Option{"preserve-fds", 0, OptionType::number, "N", "descriptors"},
    Option{"criu", 0, OptionType::text, "FILE", ""},
};

using Words = std::vector<std::string>;

struct Parsed {
    Result<> outcome;
    Arguments arguments;
};

Parsed parse(Words words, OptionOrder order = OptionOrder::anywhere)
{
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    Parsed parsed;
    parsed.outcome = parse_options(table, order, pointers, parsed.arguments);
    return parsed;
}

void expect_error(const Words& words, const char* message)
{
    auto parsed = parse(words);
    cr_assert(!parsed.outcome, "no error for %s", words.front().c_str());
    cr_expect(parsed.outcome.error().message() == message, "%s", parsed.outcome.error().message().c_str());
    cr_expect(parsed.outcome.error().kind() == ErrorKind::invalid);
}

} // namespace

Test(options, every_spelling_of_a_value)
{
    for (const auto& words : std::vector<Words>{{"--bundle", "/b", "id"},
                                                {"--bundle=/b", "id"},
                                                {"-bundle", "/b", "id"},
                                                {"-bundle=/b", "id"},
                                                {"-b", "/b", "id"},
                                                {"-b=/b", "id"},
                                                {"--b", "/b", "id"}}) {
        auto parsed = parse(words);
        cr_assert(parsed.outcome.has_value(), "%s", words.front().c_str());
        cr_expect(parsed.arguments.text("bundle") == "/b", "%s", words.front().c_str());
        cr_expect(parsed.arguments.operands() == (Words{"id"}));
    }
}

Test(options, every_spelling_of_a_flag)
{
    for (const char* yes : {"-d", "--detach", "-detach", "--detach=true", "-d=1", "-d=t", "--detach=TRUE", "-detach=T"})
        cr_expect(parse({yes, "id"}).arguments.flag("detach"), "%s", yes);
    for (const char* no : {"--detach=false", "-d=0", "-d=f", "--detach=False", "-detach=FALSE", "-t"}) {
        auto parsed = parse({no, "id"});
        cr_expect(parsed.outcome && !parsed.arguments.flag("detach"), "%s", no);
    }
}

// "--detach true" is a flag and an operand, as in Go.
Test(options, flag_takes_no_value_from_the_next_word)
{
    auto parsed = parse({"--detach", "false"});
    cr_expect(parsed.arguments.flag("detach"));
    cr_expect(parsed.arguments.operands() == (Words{"false"}));
}

Test(options, last_text_counts_and_lists_keep_all)
{
    auto parsed = parse({"-b", "1", "-e", "A=1", "-b=2", "--env=B=x=y", "-e", "C", "--detach", "--detach=false"});
    cr_expect(parsed.arguments.text("bundle") == "2");
    cr_expect(parsed.arguments.list("env") == (Words{"A=1", "B=x=y", "C"}));
    cr_expect(!parsed.arguments.flag("detach"));
}

Test(options, value_may_look_like_an_option_or_be_empty)
{
    auto parsed = parse({"-b", "--detach", "-e", "", "--env="});
    cr_expect(parsed.arguments.text("bundle") == "--detach");
    cr_expect(!parsed.arguments.flag("detach"));
    cr_expect(parsed.arguments.list("env") == (Words{"", ""}));
}

Test(options, absent_ones_have_their_default)
{
    auto parsed = parse({"id"});
    cr_expect(parsed.arguments.text("bundle", ".") == ".");
    cr_expect(!parsed.arguments.text_if_given("bundle"));
    cr_expect(parse({"-b="}).arguments.text_if_given("bundle") == std::string());
    cr_expect(parsed.arguments.number("preserve-fds") == 0);
    cr_expect(parsed.arguments.list("env").empty());
}

Test(options, short_flags_are_grouped_when_all_are_flags)
{
    auto parsed = parse({"-dt", "id"});
    cr_expect(parsed.outcome && parsed.arguments.flag("detach") && parsed.arguments.flag("tty"));
    expect_error({"-db", "x"}, "flag provided but not defined: -db");
    expect_error({"--dt"}, "flag provided but not defined: -dt");
    expect_error({"-dx"}, "flag provided but not defined: -dx");
}

Test(options, numbers)
{
    cr_expect(parse({"--preserve-fds", "3"}).arguments.number("preserve-fds") == 3);
    for (const char* wrong : {"x", "-1", "", "1.5", "4294967296", "0x3"}) {
        auto parsed = parse({"--preserve-fds", wrong});
        cr_assert(!parsed.outcome, "%s", wrong);
        cr_expect(parsed.outcome.error().what().find("for flag -preserve-fds") != std::string::npos);
    }
}

Test(options, errors_have_the_words_of_go)
{
    expect_error({"--nope", "id"}, "flag provided but not defined: -nope");
    expect_error({"-x=1"}, "flag provided but not defined: -x");
    expect_error({"--bundle"}, "flag needs an argument: -bundle");
    expect_error({"-d=maybe"}, "invalid boolean value \"maybe\" for -d (write true or false)");
    expect_error({"--preserve-fds=x"}, "invalid value \"x\" for flag -preserve-fds (a number is needed)");
    expect_error({"-\n"}, "flag provided but not defined: -\\n");
}

Test(options, double_dash_ends_them)
{
    auto parsed = parse({"-d", "--", "--tty", "-1"});
    cr_expect(parsed.arguments.flag("detach") && !parsed.arguments.flag("tty"));
    cr_expect(parsed.arguments.operands() == (Words{"--tty", "-1"}));
    cr_expect(parse({"--", "--"}).arguments.operands() == (Words{"--"}));
}

// runc sorts the words of most verbs: `runc delete ID --force` works.
Test(options, may_follow_operands_where_the_verb_allows_it)
{
    auto parsed = parse({"id", "--detach", "KILL", "-b", "x", "-"});
    cr_expect(parsed.outcome && parsed.arguments.flag("detach"));
    cr_expect(parsed.arguments.operands() == (Words{"id", "KILL", "-"}));
    cr_expect(parse({"id", "-9"}).arguments.operands() == (Words{"id", "-9"}));
    expect_error({"id", "-x"}, "flag provided but not defined: -x");
}

Test(options, belong_to_the_command_after_the_first_operand_of_exec)
{
    auto parsed = parse({"-d", "id", "ls", "-t", "--", "--nope"}, OptionOrder::before_operands);
    cr_expect(parsed.outcome && parsed.arguments.flag("detach") && !parsed.arguments.flag("tty"));
    cr_expect(parsed.arguments.operands() == (Words{"id", "ls", "-t", "--", "--nope"}));
}

Test(options, help_is_known_everywhere)
{
    for (const char* word : {"-h", "--help", "-help"})
        cr_expect(parse({word}).arguments.wants_help(), "%s", word);
    cr_expect(!parse({"id"}).arguments.wants_help());
    cr_expect(!parse({"id", "-h"}, OptionOrder::before_operands).arguments.wants_help());
}

// So that an error in a later option still goes to the file of --log.
Test(options, what_came_before_an_error_is_kept)
{
    auto parsed = parse({"-b", "kept", "--nope"});
    cr_expect(!parsed.outcome);
    cr_expect(parsed.arguments.text("bundle") == "kept");
}

Test(options, help_text_lists_the_shown_ones)
{
    std::string text = options_help(table);
    cr_expect(text.find("  -b, --bundle DIR            the bundle\n") != std::string::npos, "%s", text.c_str());
    cr_expect(text.find("      --preserve-fds N        descriptors\n") != std::string::npos, "%s", text.c_str());
    cr_expect(text.find("  -h, --help") != std::string::npos);
    cr_expect(text.find("criu") == std::string::npos);
    for (size_t begin = 0; begin < text.size();) {
        size_t end = text.find('\n', begin);
        cr_expect(end - begin <= 80, "a long line: %s", text.substr(begin, end - begin).c_str());
        begin = end + 1;
    }
}
