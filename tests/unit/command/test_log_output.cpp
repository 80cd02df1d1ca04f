#include "command/log_output.hpp"

#include "base/json.hpp"
#include "kernel/files.hpp"

#include <criterion/criterion.h>
#include <cstdlib>
#include <unistd.h>

using namespace brig;
using namespace brig::command;

namespace {

constexpr std::string_view noon = "2026-01-02T12:00:00Z";

// A file of the test's own, gone with it.
struct TemporaryFile {
    char path[32] = "/tmp/brig-log-XXXXXX";
    TemporaryFile() { ::close(::mkstemp(path)); }
    ~TemporaryFile() { ::unlink(path); }
    std::string text() const { return *kernel::read_file(kernel::working_directory, path, 1 << 20); }
};

// What a call writes to stderr.
template<typename Call> std::string captured_stderr(Call call)
{
    TemporaryFile file;
    int former = ::dup(2);
    auto opened = kernel::open_at(kernel::working_directory, file.path, O_WRONLY | O_APPEND);
    ::dup2(opened->get(), 2);
    call();
    ::dup2(former, 2);
    ::close(former);
    return file.text();
}

} // namespace

Test(log_output, json_line_is_what_containerd_reads)
{
    std::string line = log_line(LogFormat::json, LogLevel::error, "a \"b\"\n", noon);
    cr_expect(line.back() == '\n' && line.find('\n') == line.size() - 1);
    auto json = Json::parse(line.substr(0, line.size() - 1));
    cr_assert(json.has_value());
    cr_expect(json->view().member("level").string() == "error");
    cr_expect(json->view().member("msg").string() == "a \"b\"\n");
    cr_expect(json->view().member("time").string() == noon);
}

Test(log_output, text_line_is_what_logrus_writes)
{
    cr_expect(log_line(LogFormat::text, LogLevel::warning, "a \"b\"\nc", noon)
              == "time=\"2026-01-02T12:00:00Z\" level=warning msg=\"a \\\"b\\\"\\nc\"\n");
}

Test(log_output, time_has_the_local_offset)
{
    ::setenv("TZ", "UTC", 1);
    std::string utc = log_time();
    cr_expect(utc.size() == noon.size() && utc.back() == 'Z', "%s", utc.c_str());
    ::setenv("TZ", "XXX+3:30", 1); // west of Greenwich
    ::tzset();
    std::string west = log_time();
    cr_expect(west.substr(19) == "-03:30", "%s", west.c_str());
    ::setenv("TZ", "XXX-2", 1);
    ::tzset();
    cr_expect(log_time().substr(19) == "+02:00");
}

Test(log_output, file_is_appended_to)
{
    TemporaryFile file;
    for (int round = 0; round < 2; ++round) {
        LogOutput output({file.path, LogFormat::json, LogLevel::info});
        output.write(LogLevel::warning, "w");
        output.write(LogLevel::debug, "not at this level");
    }
    std::string text = file.text();
    size_t second = text.find('\n') + 1;
    cr_expect(Json::parse(text.substr(0, second - 1)).has_value());
    cr_expect(Json::parse(text.substr(second, text.size() - second - 1)).has_value(), "%s", text.c_str());
}

Test(log_output, errors_go_to_stderr_too_and_warnings_do_not)
{
    TemporaryFile file;
    std::string told = captured_stderr([&] {
        LogOutput output({file.path, LogFormat::json, LogLevel::info});
        output.write(LogLevel::warning, "w");
        output.write(LogLevel::error, "e");
    });
    cr_expect(told == "brig: e\n", "%s", told.c_str());
}

Test(log_output, without_a_file_all_goes_to_stderr)
{
    std::string told = captured_stderr([&] {
        LogOutput output({"", LogFormat::text, LogLevel::info});
        output.log().warning("w");
        output.write(LogLevel::error, "e");
    });
    cr_expect(told == "brig: warning: w\nbrig: e\n", "%s", told.c_str());
}

// go-runc decodes stdout and stderr of `state` and `ps` together.
Test(log_output, clean_stderr_has_errors_only)
{
    std::string told = captured_stderr([&] {
        LogOutput output({"", LogFormat::text, LogLevel::debug});
        output.keep_stderr_clean();
        output.log().warning("w");
        output.log().debug("d");
    });
    cr_expect(told.empty(), "%s", told.c_str());
}

Test(log_output, log_that_cannot_be_opened_is_told_once)
{
    std::string told = captured_stderr([&] {
        LogOutput output({"/no/such/folder/log", LogFormat::json, LogLevel::info});
        output.write(LogLevel::warning, "w");
        output.write(LogLevel::error, "e");
    });
    cr_expect(told.find("open the log of --log") != std::string::npos);
    cr_expect(told.find("open the log of --log") == told.rfind("open the log of --log"));
    cr_expect(told.find("brig: e\n") != std::string::npos, "%s", told.c_str());
}

Test(log_output, log_that_cannot_be_opened_stops_a_verb)
{
    cr_expect(!LogOutput({"/no/such/folder/log", LogFormat::json, LogLevel::info}).open());
    cr_expect(LogOutput({"", LogFormat::json, LogLevel::info}).open().has_value());
}

Test(log_output, only_utf8_is_written)
{
    for (const char* good : {"plain", "\u00fc\u20ac\U0001f980", "", "\x7f", "\ud7ff\ue000\U0010ffff"})
        cr_expect(valid_utf8(good) == good, "%s", good);
    cr_expect(valid_utf8("a\xc3") == "a\\xc3");
    cr_expect(valid_utf8("\xff\xfe.") == "\\xff\\xfe.");
    cr_expect(valid_utf8("\xc0\xaf") == "\\xc0\\xaf", "overlong");
    cr_expect(valid_utf8("\xe0\x80\x80") == "\\xe0\\x80\\x80", "overlong");
    cr_expect(valid_utf8("\xed\xa0\x80") == "\\xed\\xa0\\x80", "half a surrogate pair");
    cr_expect(valid_utf8("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80", "above U+10FFFF");
    cr_expect(valid_utf8("\xe2\x82") == "\\xe2\\x82", "cut off");
}
