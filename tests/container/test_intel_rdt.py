"""linux.intelRdt, on a host with resctrl and on one without: done, or refused in words before anything is made."""
import os

import pytest

from brigtest import brig_only

pytestmark = brig_only("runc passes over intelRdt in silence on hosts without it")



@pytest.mark.parametrize("rdt", [{}, {"closID": "gold"}, {"l3CacheSchema": "L3:0=f"}, {"memBwSchema": "MB:0=50"},
                                 {"schemata": ["L3:0=f"]}, {"enableMonitoring": True}])
def test_host_without_resctrl(runtime, bundle, rdt):
    words = r"linux.intelRdt: no resctrl file system is mounted .*\(mount -t"
    if os.path.exists("/sys/fs/resctrl/schemata"):
        words = "linux.intelRdt"  # a class that is not there, or a schema of no use
    runtime.create_fails(bundle.set("linux.intelRdt", rdt), text=words)


@pytest.mark.parametrize("rdt,words", [
    ({"closID": ".."}, 'closID "..".* is not a name'), ({"closID": "a/b"}, "closID .* is not a name"),
    ({"closID": "mon_groups"}, "closID .* is not a name"), ({"memBwSchema": "L3:0=1"}, "memBwSchema must start with MB:"),
    ({"schemata": ["a\nb"]}, "schemata .* has a line break"),
])
def test_bad_values(runtime, bundle, rdt, words):
    runtime.create_fails(bundle.set("linux.intelRdt", rdt), text=f"linux.intelRdt.{words}")


@pytest.mark.parametrize("flag,value", [("--l3-cache-schema", "L3:0=f"), ("--mem-bw-schema", "MB:0=50")])
def test_update_of_a_container_without_a_class(runtime, bundle, flag, value):
    container = runtime.running(bundle)
    runtime.fails("update", flag, value, container.id, text=r"no class of Intel RDT .*linux.intelRdt")
    runtime.fails("update", flag, "nonsense", container.id, text=r"is not one line of schemata \(write it like")
