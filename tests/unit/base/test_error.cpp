#include "base/error.hpp"
#include "base/result.hpp"

#include <cerrno>
#include <criterion/criterion.h>
#include <set>

using namespace brig;

Test(error, message_has_steps_outermost_first)
{
    auto error =
        Error::system_call(ENOENT, "openat(\"rootfs\")").during("open root").during("create c1").with_hint("give a directory");
    cr_expect(error.message() == "create c1: open root: openat(\"rootfs\"): no such file or directory (give a directory)", "%s",
              error.message().c_str());
    cr_expect(error.kind() == ErrorKind::system && error.code() == ENOENT);
    cr_expect(error.steps().size() == 2 && error.steps()[0] == "open root");
}

// The engines match these words, in Go's spelling.
Test(error, errno_texts_are_those_of_go)
{
    struct Row {
        int code;
        const char* text;
    };
    for (const auto& row : std::vector<Row>{{EACCES, "x: permission denied"},
                                            {EPERM, "x: operation not permitted"},
                                            {ENOTDIR, "x: not a directory"},
                                            {EISDIR, "x: is a directory"},
                                            {ESRCH, "x: no such process"},
                                            {EIO, "x: input/output error"},
                                            {99999, "x: unknown error 99999"}})
        cr_expect(Error::system_call(row.code, "x").message() == row.text, "%s",
                  Error::system_call(row.code, "x").message().c_str());
}

Test(error, a_call_that_the_kernel_lacks_names_the_kernel_that_has_it)
{
    auto missing = Error::system_call(ENOSYS, "clone3 flags 0x100");
    cr_expect(missing.kind() == ErrorKind::not_supported);
    cr_expect(missing.message()
              == "clone3 flags 0x100: function not implemented (not supported: clone3 needs Linux 5.7 and a "
                 "system-call filter that lets it through)");
    cr_expect(Error::system_call(ENOSYS, "ioctl x").message() == "ioctl x: function not implemented");
    cr_expect(Error::system_call(EPERM, "clone3 flags 0x100").kind() == ErrorKind::system);
}

Test(error, kinds_have_names)
{
    std::set<std::string_view> names;
    for (auto kind : {ErrorKind::internal, ErrorKind::invalid, ErrorKind::not_found, ErrorKind::already_exists,
                      ErrorKind::wrong_state, ErrorKind::not_supported, ErrorKind::system, ErrorKind::timed_out})
        cr_expect(names.insert(error_kind_name(kind)).second);
    auto error = Error(ErrorKind::internal, "x").with_kind(ErrorKind::not_found).with_code(ENOENT);
    cr_expect(error.kind() == ErrorKind::not_found && error.code() == ENOENT);
}

static Result<int> half(int number)
{
    if (number % 2 != 0)
        return failure(ErrorKind::invalid, "odd");
    return number / 2;
}

static int evaluations = 0;

static std::string step()
{
    evaluations++;
    return "halving";
}

static Result<int> quarter(int number)
{
    int first = TRY(half(number));
    return TRY_DURING(step(), half(first));
}

Test(result, try_gives_the_value_or_returns_the_error)
{
    cr_expect(*quarter(8) == 2);
    cr_expect(evaluations == 0, "the step costs nothing on success");
    cr_expect(quarter(7).error().message() == "odd");
    cr_expect(quarter(6).error().message() == "halving: odd");
    cr_expect(evaluations == 1);
}
