#include "setup/terminal.hpp"

#include "kernel/files.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <fcntl.h>

namespace brig::setup {

Result<kernel::TerminalPair> create_terminal(FdRef root, const plan::Process& process)
{
    Fd pts = TRY_DURING("open /dev/pts of the container", kernel::open_in_root(root, "dev/pts", O_PATH | O_DIRECTORY));
    auto pair = TRY(kernel::open_terminal(pts));
    if (process.console_size)
        TRY(kernel::set_terminal_size(pair.master, {process.console_size->height, process.console_size->width}));
    // The group stays the devpts's own (gid=5, tty), which write(1) and mesg(1) rely on.
    TRY(kernel::change_owner(pair.slave, process.uid, static_cast<gid_t>(-1)));
    return pair;
}

Result<> adopt_terminal(FdRef slave)
{
    TRY(kernel::new_session());
    TRY(kernel::set_controlling_terminal(slave));
    for (int number = 0; number <= 2; number++)
        TRY(kernel::duplicate_onto(slave, number));
    return {};
}

Result<> send_terminal(FdRef console_socket, FdRef master, const std::string& name)
{
    return kernel::send_message(console_socket, name, {master.get()});
}

} // namespace brig::setup
