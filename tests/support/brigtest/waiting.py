"""Waiting for a condition instead of for a time."""
import os
import select
import time


def wait_until(condition, what, seconds=30):
    """Return the first true value of condition(); fail with `what` when none comes in a generous time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.01)


def wait_for_exit(process, seconds):
    """True when the Popen object ended in time.  Popen.wait(timeout) itself polls with naps of up to 50 ms."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([fd], [], [], seconds)
    finally:
        os.close(fd)
    if ready:
        process.wait()
    return bool(ready)
