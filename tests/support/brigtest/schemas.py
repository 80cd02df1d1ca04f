"""The JSON schemas of the OCI runtime specification (tests/support/schemas)."""
import copy
import functools
import json

import jsonschema

from . import settings

FOLDER = settings.SUPPORT / "schemas"


@functools.cache
def validator(name):
    """Of config, state or features.  References between the files are relative to their folder."""
    path = FOLDER / f"{name}-schema.json"
    schema = json.loads(path.read_text())
    resolver = jsonschema.RefResolver(path.as_uri(), schema)
    return jsonschema.Draft4Validator(schema, resolver=resolver)


def errors(name, document):
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator(name).iter_errors(document)]


def samples(name, kind):
    """(name, text) of the sample files of the specification; kind is good or bad."""
    return [(path.name, path.read_text()) for path in sorted((FOLDER / "samples" / name / kind).glob("*.json"))]


class Place:
    """A place of a document that the schema describes: `process.args[]`, `linux.netDevices{}.name`."""

    def __init__(self, steps, schema, parents):
        self.steps = steps  # member names; "[]" is an element of a list, "{}" one of a map
        self.schema = schema
        self._parents = parents  # (steps, schema) of what is around it, outermost first

    @property
    def text(self):
        text = "".join(step if step in ("[]", "{}") else f".{step}" for step in self.steps)
        return text.lstrip(".")

    def is_below(self, texts):
        return any(self.text == text or self.text.startswith((f"{text}.", f"{text}[", f"{text}{{")) for text in texts)

    def outer_collections(self):
        """Paths of the lists and maps around it."""
        return [self.steps[:index] for index, step in enumerate(self.steps) if step in ("[]", "{}")]

    def required(self):
        """(path, {name: schema}) of the members that must stand beside it or around it."""
        for steps, schema in self._parents:
            names = {name: schema["properties"][name] for name in schema.get("required", [])
                     if name in schema.get("properties", {})}
            if names and steps:
                yield steps, names


def _resolved(schema, file):
    while "$ref" in schema:
        name, _, pointer = schema["$ref"].partition("#")
        file = name or file
        schema = _document(file)
        for part in pointer.strip("/").split("/"):
            schema = schema[part] if part else schema
    return schema, file


@functools.cache
def _document(file):
    return json.loads((FOLDER / file).read_text())


def _flattened(schema, file):
    """The schema with the members of its parts put in; all references of the first level are resolved."""
    schema, file = _resolved(schema, file)
    combined = [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, [])]
    flat = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf")}
    flat["properties"] = {name: _resolved(member, file) for name, member in schema.get("properties", {}).items()}
    flat["required"] = list(schema.get("required", []))
    for part in combined:
        inner, _ = _flattened(part, file)
        flat["properties"] = {**inner["properties"], **flat["properties"]}
        flat["required"] += inner["required"]
        flat.setdefault("type", inner.get("type", "object"))
    if not flat["properties"]:
        del flat["properties"]
    return flat, file


def places(name):
    """Every Place that NAME-schema.json and the files it refers to describe, but for the document itself."""
    found = []

    def visit(schema, file, steps, parents):
        flat, file = _flattened(schema, file)
        members = {key: member for key, (member, _) in flat.get("properties", {}).items()}
        plain = {**flat, "properties": members}
        if steps:
            found.append(Place(steps, plain, parents))
        around = parents + [(steps, plain)]
        for key, (member, of_file) in flat.get("properties", {}).items():
            visit(member, of_file, steps + [key], around)
        if isinstance(flat.get("items"), dict):
            visit(flat["items"], file, steps + ["[]"], around)
        maps = list(flat.get("patternProperties", {}).values()) + [flat.get("additionalProperties")]
        for value in maps:
            if isinstance(value, dict):
                visit(value, file, steps + ["{}"], around)

    visit(_document(f"{name}-schema.json"), f"{name}-schema.json", [], [])
    unique = {}
    for place in found:
        unique.setdefault(place.text, place)
    return list(unique.values())


def example(schema):
    """Some value of the right type."""
    schema = _resolved(schema, "defs.json")[0] if "$ref" in schema else schema
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("minItems"):
        return [example(schema["items"])]
    kinds = {"string": "/x", "integer": 1, "boolean": True, "array": [], "object": {}}
    return "c" if schema.get("pattern") == "^[cbup]$" else copy.deepcopy(kinds[schema.get("type", "object")])
