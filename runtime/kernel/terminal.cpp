#include "kernel/terminal.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

namespace brig::kernel {

namespace {

// The multiplexer's device number is fixed in the kernel (Documentation/admin-guide/devices.txt).
constexpr unsigned multiplexer_major = 5;
constexpr unsigned multiplexer_minor = 2;

Result<Fd> open_multiplexer(FdRef pts)
{
    if (TRY(file_system_type(pts)) != DEVPTS_SUPER_MAGIC)
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a devpts", one_line(path_of(pts))))
                           .with_hint("a terminal needs a mount of type devpts at /dev/pts in config.json"));
    // No link and no mount on top: what the file system check above saw is what is opened.
    Fd master = TRY(open_at2(pts, "ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
    struct stat status = TRY(status_of(master));
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(multiplexer_major, multiplexer_minor))
        return failure(ErrorKind::invalid, fmt::format("{}/ptmx is not the terminal multiplexer but device {}:{}",
                                                       one_line(path_of(pts)), major(status.st_rdev), minor(status.st_rdev)));
    return master;
}

} // namespace

Result<TerminalPair> open_terminal(FdRef pts)
{
    TerminalPair pair;
    pair.master = TRY(open_multiplexer(pts));
    int locked = 0;
    if (::ioctl(pair.master.get(), TIOCSPTLCK, &locked) < 0)
        return BRIG_CALL_FAILED("ioctl TIOCSPTLCK");
    int slave = ::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return BRIG_CALL_FAILED("ioctl TIOCGPTPEER");
    pair.slave = Fd(slave);
    if (::ioctl(pair.master.get(), TIOCGPTN, &pair.number) < 0)
        return BRIG_CALL_FAILED("ioctl TIOCGPTN");
    return pair;
}

Result<> set_terminal_size(FdRef terminal, TerminalSize size)
{
    struct winsize window = {size.rows, size.columns, 0, 0};
    if (::ioctl(terminal.get(), TIOCSWINSZ, &window) < 0)
        return BRIG_CALL_FAILED("ioctl TIOCSWINSZ {} rows {} columns", size.rows, size.columns);
    return {};
}

Result<TerminalSize> terminal_size(FdRef terminal)
{
    struct winsize window = {};
    if (::ioctl(terminal.get(), TIOCGWINSZ, &window) < 0)
        return BRIG_CALL_FAILED("ioctl TIOCGWINSZ");
    return TerminalSize{window.ws_row, window.ws_col};
}

bool is_terminal(FdRef fd)
{
    struct termios mode;
    return ::tcgetattr(fd.get(), &mode) == 0;
}

Result<struct termios> terminal_mode(FdRef terminal)
{
    struct termios mode = {};
    if (::tcgetattr(terminal.get(), &mode) < 0)
        return BRIG_CALL_FAILED("tcgetattr");
    return mode;
}

Result<> set_terminal_mode(FdRef terminal, const struct termios& mode)
{
    if (::tcsetattr(terminal.get(), TCSANOW, &mode) < 0)
        return BRIG_CALL_FAILED("tcsetattr");
    return {};
}

Result<> set_raw_mode(FdRef terminal)
{
    struct termios mode = TRY(terminal_mode(terminal));
    ::cfmakeraw(&mode);
    return set_terminal_mode(terminal, mode);
}

Result<> clear_onlcr(FdRef terminal)
{
    struct termios mode = TRY(terminal_mode(terminal));
    mode.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
    return set_terminal_mode(terminal, mode);
}

} // namespace brig::kernel
