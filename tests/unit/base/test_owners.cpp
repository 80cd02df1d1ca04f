#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/rollback.hpp"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string>

using namespace brig;

static bool is_open(int number)
{
    return fcntl(number, F_GETFD) >= 0;
}

Test(fd, closes_once)
{
    int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
    {
        Fd owner(number);
        cr_expect(owner.valid() && owner.get() == number && is_open(number));
        Fd moved(std::move(owner));
        cr_expect(!owner.valid() && moved.get() == number && is_open(number));
        FdRef lent(moved);
        cr_expect(lent.get() == number && lent.valid());
    }
    cr_expect(!is_open(number));
}

Test(fd, assignment_and_release)
{
    Fd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
    Fd second(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int closed = first.get();
    int kept = second.get();
    first = std::move(second);
    cr_expect(!is_open(closed) && is_open(kept) && first.get() == kept);
    int released = first.release();
    cr_expect(released == kept && !first && is_open(released));
    Fd(released).reset();
    cr_expect(!is_open(released));
    cr_expect(!Fd().valid() && !FdRef(-1).valid());
}

Test(rollback, undoes_in_reverse_unless_kept)
{
    std::string order;
    {
        Rollback rollback;
        rollback.add([&] { order += "a"; });
        rollback.add([&] { order += "b"; });
    }
    cr_expect(order == "ba");
    {
        Rollback rollback;
        rollback.add([&] { order += "c"; });
        rollback.keep();
    }
    cr_expect(order == "ba");
    Rollback rollback;
    rollback.add([&] {
        rollback.add([&] { order += "e"; });
        order += "d";
    });
    rollback.run();
    rollback.run();
    cr_expect(order == "bade", "%s", order.c_str());
}

Test(log, threshold)
{
    std::string lines;
    Log log(LogLevel::warning, [&](LogLevel, std::string_view line) { lines += line; });
    log.debug("debug ");
    log.warning("warning ");
    log.write(LogLevel::error, "error");
    cr_expect(lines == "warning error");
    cr_expect(!Log().enabled(LogLevel::error), "a log without a sink is silent");
    Log().warning("nothing happens");
}
