"""Helpers to test an OCI runtime as a black box, through its command line alone.

`BRIG` names the binary under test (build/brig by default); any OCI runtime will do, and the cases that are not marked
`brig_only` must also pass with `BRIG=runc`.  A test takes the fixtures `runtime` and `bundle` of plugin.py:

    def test_hostname(runtime, bundle):
        bundle.set("hostname", "here")
        assert runtime.report(bundle, "hostname") == "here"
"""
from .bundle import Bundle, default_spec
from .hooks import HookRecorder
from .requirements import brig_only, requires
from .runtime import Container, Result, Runtime
from .settings import is_reference, probe_path, runtime_binary
from .terminal import ConsoleSocket, Pty
from .waiting import wait_until

__all__ = ["Bundle", "ConsoleSocket", "Container", "HookRecorder", "Pty", "Result", "Runtime", "brig_only",
           "default_spec", "is_reference", "probe_path", "requires", "runtime_binary", "wait_until"]
