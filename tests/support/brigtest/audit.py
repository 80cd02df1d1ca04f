"""What an audit file says."""
import json


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]
