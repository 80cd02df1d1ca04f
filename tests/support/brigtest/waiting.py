"""Waiting for a condition instead of for a time."""
import time


def wait_until(condition, what, seconds=20):
    """Return the first true value of condition(); fail with `what` when none comes in a generous time.

    Orphans are reaped on the way, as a shim would, for an unreaped process keeps a pid namespace alive.
    """
    from .leaks import reap_orphans
    end = time.monotonic() + seconds
    while True:
        reap_orphans()
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.01)
