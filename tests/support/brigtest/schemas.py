"""The JSON schemas of the OCI runtime specification (tests/support/schemas)."""
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
