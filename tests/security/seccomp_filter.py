"""Reading the seccomp filters that a process really has, and what they say to a given call."""

import json
import struct
import subprocess

from brigtest import settings

PROFILE = settings.CHECKOUT / "policies" / "seccomp" / "default.json"

ARCHITECTURES = {"x86_64": 0xC000003E, "i386": 0x40000003, "arm": 0x40000028, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

ALLOW, LOG, TRACE, USER_NOTIFY, ERRNO, TRAP, KILL_THREAD, KILL_PROCESS = (
    0x7FFF0000, 0x7FFC0000, 0x7FF00000, 0x7FC00000, 0x00050000, 0x00030000, 0x00000000, 0x80000000)
# The kernel takes the strictest answer of all filters.
STRICTNESS = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIFY, TRACE, LOG, ALLOW]

_JUMPS = {0x10: lambda a, k: a == k, 0x20: lambda a, k: a > k, 0x30: lambda a, k: a >= k, 0x40: lambda a, k: a & k != 0}
_ARITHMETIC = {0x00: lambda a, k: a + k, 0x10: lambda a, k: a - k, 0x40: lambda a, k: a | k, 0x50: lambda a, k: a & k,
               0x60: lambda a, k: a << k, 0x70: lambda a, k: a >> k, 0xA0: lambda a, k: a ^ k}


def shipped_profile():
    return json.loads(PROFILE.read_text(encoding="ascii"))


def installed_filters(dump_program, pid):
    result = subprocess.run([dump_program, str(pid)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [[tuple(map(int, word.split(","))) for word in line.split()] for line in result.stdout.splitlines()]


def answer(filters, architecture, number, *arguments):
    """(action, data) of the whole stack of filters for one system call."""
    arguments = (list(arguments) + [0] * 6)[:6]
    data = struct.pack("<iIQ6Q", number if number < 1 << 31 else number - (1 << 32), ARCHITECTURES[architecture], 0,
                       *(argument & (1 << 64) - 1 for argument in arguments))
    answers = [_run(instructions, data) for instructions in filters]
    strictest = min(answers, key=lambda value: STRICTNESS.index(value & 0xFFFF0000))
    return strictest & 0xFFFF0000, strictest & 0xFFFF


def _run(instructions, data):
    """A classic BPF machine, as far as seccomp's verifier lets one through."""
    accumulator = index_register = 0
    memory = [0] * 16
    counter = 0
    while True:
        code, if_true, if_false, k = instructions[counter]
        counter += 1
        kind = code & 0x07
        operand = index_register if code & 0x08 else k
        if kind == 0x00:
            accumulator = _load(code, k, data, memory)
        elif kind == 0x01:
            index_register = _load(code, k, data, memory)
        elif kind in (0x02, 0x03):
            memory[k] = accumulator if kind == 0x02 else index_register
        elif kind == 0x04:
            accumulator = -accumulator if code & 0xF0 == 0x80 else _ARITHMETIC[code & 0xF0](accumulator, operand)
            accumulator &= 0xFFFFFFFF
        elif kind == 0x05:
            counter += k if code & 0xF0 == 0 else if_true if _JUMPS[code & 0xF0](accumulator, operand) else if_false
        elif kind == 0x06:
            return accumulator if code & 0x18 == 0x10 else k
        elif code & 0xF8 == 0x80:
            accumulator = index_register
        else:
            index_register = accumulator


def _load(code, k, data, memory):
    mode = code & 0xE0
    if mode == 0x20:
        return struct.unpack_from("<I", data, k)[0]
    return {0x00: k, 0x60: memory[k % 16], 0x80: len(data)}[mode]
