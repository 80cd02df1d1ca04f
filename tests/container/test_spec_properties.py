"""No property of the specification passes unseen: a value of the wrong type is refused wherever the schema has a place.

The cases come from the JSON schemas, so that a property that a later version adds fails here until somebody reads it.
"""
import copy
import re

import pytest

from brigtest import brig_only, default_spec, schemas

pytestmark = brig_only("Go's decoder takes null, floats and other spellings for some")

# Sections of other platforms, and properties for Windows alone: the specification binds other runtimes by them.
OTHER_PLATFORMS = {"windows", "solaris", "vm", "zos", "freebsd", "process.commandLine"}

PROPERTIES = {place.text: place for place in schemas.places("config") if not place.is_below(OTHER_PLATFORMS)}

WRONG = {
    "string": [5, True, [], {}, 1.5],
    "integer": ["1", True, [], {}, 0.5, 1e30],
    "boolean": ["true", 1, [], {}],
    "array": ["x", 5, True, {}],
    "object": ["x", 5, True, []],
}

# What the schema refuses and brig takes, with the reason.
ACCEPTED = [
    ("linux.devices[].fileMode", 512, "engines give all bits of st_mode"),
    ("linux.rootfsPropagation", "", "Go programs write empty strings for what is absent"),
]


def wrong_values(schema):
    kind = schema.get("type", "object")
    yield from WRONG[kind]
    if kind == "integer":
        if "minimum" in schema:
            yield schema["minimum"] - 1
        if "maximum" in schema:
            yield schema["maximum"] + 1
    if "enum" in schema:
        yield "no-such-word"
        yield ""
    if kind == "array" and "minItems" in schema:
        yield []


# A member of another place: what the check of it needs to get as far as the property itself.
CONTEXT = {
    "linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
    "linux.memoryPolicy": {"mode": "MPOL_LOCAL"},
    "linux.personality": {"domain": "LINUX"},
    "process.scheduler": {"policy": "SCHED_OTHER"},
    "process.ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
}


def put(document, steps, value):
    """Set what a path of member names, "[]" and "{}" leads to; lists and maps on the way have one element."""
    place = document
    for step, following in zip(steps, steps[1:] + [None]):
        empty = [] if following == "[]" else {}
        if step == "[]":
            if len(place) == 0:
                place.append(empty)
            key = 0
        else:
            key = "name0" if step == "{}" else step
        if following is None:
            place[key] = value
            return
        if step != "[]" and not isinstance(place.get(key), type(empty)):
            place[key] = empty
        elif step == "[]" and not isinstance(place[0], type(empty)):
            place[0] = empty
        place = place[key]


def spec_with(place, value):
    document = default_spec()
    # A list or map of the default configuration would be edited instead of one of our own.
    for outer in place.outer_collections():
        if outer:
            put(document, outer, [] if place.steps[len(outer)] == "[]" else {})
    for outer, required in place.required():
        for name, schema in required.items():
            if outer + [name] != place.steps:
                put(document, outer + [name], schemas.example(schema))
    for section, members in CONTEXT.items():
        if place.text.startswith(section + "."):
            for name, example in members.items():
                if not place.text.startswith(f"{section}.{name}"):
                    put(document, section.split(".") + [name], example)
    put(document, place.steps, copy.deepcopy(value))
    return document


@pytest.mark.parametrize("text", PROPERTIES)
def test_wrong_type_is_refused(runtime, bundle, text):
    """By create, before anything is made, in words that name the property."""
    place = PROPERTIES[text]
    name = next(step for step in reversed(place.steps) if step not in ("[]", "{}"))
    for value in wrong_values(place.schema):
        if any((text, value) == row[:2] for row in ACCEPTED):
            continue
        bundle.spec = spec_with(place, value)
        result = runtime.create_fails(bundle, id="refused", text=rf"config\.json.*({re.escape(name)}|64 bits)")
        assert not (runtime.root / "refused").exists(), result


def test_there_are_properties():
    """The walk through the schemas finds what it has to."""
    assert len(PROPERTIES) > 250
    for text in ("hooks.poststop[].timeout", "linux.netDevices{}.name", "linux.seccomp.syscalls[].args[].valueTwo",
                 "linux.timeOffsets.boottime.secs", "linux.resources.rdma{}.hcaHandles", "process.execCPUAffinity.final"):
        assert text in PROPERTIES
