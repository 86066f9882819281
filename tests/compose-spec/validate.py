#!/usr/bin/python3
"""Holds compose files against the schema of the Compose Specification, which `docker compose` reads them by: SCHEMA FILE..."""

import json
import pathlib
import sys

import jsonschema
import yaml


def main(schema, *paths):
    validator = jsonschema.Draft201909Validator(json.loads(pathlib.Path(schema).read_text()))
    failed = 0
    for path in paths:
        errors = list(validator.iter_errors(yaml.safe_load(pathlib.Path(path).read_text())))
        for error in errors:
            print(f"{path}: {'.'.join(map(str, error.path))}: {error.message}")
        failed += bool(errors)
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
