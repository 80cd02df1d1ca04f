// Pseudo terminals: a pair made from a given devpts, sizes, raw mode.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <termios.h>

namespace brig::kernel {

struct TerminalPair {
    Fd master;
    Fd slave;            // by TIOCGPTPEER: no path that an image could swap (CVE-2025-52565)
    unsigned number = 0; // /dev/pts/<number>
};

struct TerminalSize {
    uint16_t rows = 0;
    uint16_t columns = 0;
};

// `pts` is a directory descriptor of a devpts mount; opens its ptmx and checks that it is the devpts multiplexer.
Result<TerminalPair> open_terminal(FdRef pts);
Result<> set_terminal_size(FdRef terminal, TerminalSize size);
Result<TerminalSize> terminal_size(FdRef terminal);
bool is_terminal(FdRef fd);
Result<struct termios> terminal_mode(FdRef terminal);
Result<> set_terminal_mode(FdRef terminal, const struct termios& mode);
Result<> set_raw_mode(FdRef terminal);
// Output processing as runc leaves it for a console that is handed over: ONLCR off.
Result<> clear_onlcr(FdRef terminal);

} // namespace brig::kernel
