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

// No link and no mount on top: it is of the file system of `directory`.
Result<Fd> open_unmounted(FdRef directory, const std::string& name, int flags)
{
    auto opened =
        open_at2(directory, name, static_cast<uint64_t>(flags), 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (opened || opened.error().kind() != ErrorKind::not_supported)
        return opened;
    // Without openat2: looked at before, so that nothing of another file system is opened, and after, as it may have changed.
    dev_t device = TRY(status_of(directory)).st_dev;
    Fd seen = TRY(open_at(directory, name, O_PATH | O_NOFOLLOW));
    struct stat before = TRY(status_of(seen));
    if (before.st_dev != device)
        return failure(ErrorKind::invalid, fmt::format("something is mounted on {}/{}", one_line(path_of(directory)), name));
    Fd file = TRY(open_at(directory, name, flags | O_NOFOLLOW));
    struct stat after = TRY(status_of(file));
    if (after.st_dev != device || after.st_ino != before.st_ino)
        return failure(ErrorKind::invalid, fmt::format("{}/{} changed while it was opened", one_line(path_of(directory)), name));
    return file;
}

Result<Fd> open_multiplexer(FdRef pts)
{
    if (TRY(file_system_type(pts)) != DEVPTS_SUPER_MAGIC)
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a devpts", one_line(path_of(pts))))
                           .with_hint("a terminal needs a mount of type devpts at /dev/pts in config.json"));
    Fd master = TRY(open_unmounted(pts, "ptmx", O_RDWR | O_NOCTTY));
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
