"""What may be in a ``pivot.yaml``, as a JSON Schema: the only description, which is also what is checked."""

import json
from typing import Any, Final

_REFERENCE: Final = {"type": "string", "pattern": r"\$\{", "description": "A ${name}, filled from vars or matrix."}


def _or_reference(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, _REFERENCE]}


_PATH: Final = {"type": "string", "minLength": 1}
_PATHS: Final = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}
_OUT: Final = {
    "type": "object",
    "properties": {
        "path": {"description": "Relative to the directory of the pipeline.", **_PATHS},
        "cache": {
            "description": "Whether its content is kept in the cache; else it is for git.",
            **_or_reference({"type": "boolean"}),
        },
        "directory": {
            "description": "Whether it is a directory; so is a path with a / at its end.",
            **_or_reference({"type": "boolean"}),
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}
_STAGE: Final = {
    "type": "object",
    "properties": {
        "python": {
            "type": "string",
            "minLength": 1,
            "description": "The function that runs, as module:function; modules are looked for beside this file.",
        },
        "cmd": {
            "type": "string",
            "minLength": 1,
            "description": "The shell command that runs, in the directory of the pipeline.",
        },
        "deps": {
            "description": "What it reads: for python by parameter; for cmd a list of paths, or a mapping to them.",
            "anyOf": [
                {"type": "object", "additionalProperties": _PATHS},
                {"type": "array", "items": _PATH},
                _REFERENCE,
            ],
        },
        "outs": {
            "description": "What it writes: for python by key of what is returned, of a single out 'return'; "
            "for cmd a list, or a mapping.",
            "anyOf": [
                {"type": "object", "additionalProperties": {"anyOf": [*_PATHS["anyOf"], _OUT]}},
                {"type": "array", "items": {"anyOf": [_PATH, _OUT]}},
                _REFERENCE,
            ],
        },
        "params": {
            "description": "Values of its parameters by name.",
            **_or_reference({"type": "object", "additionalProperties": True}),
        },
        "matrix": {
            "description": "Several stages from this one: by dimension the values, or values by name.",
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "array", "minItems": 1},
                    {"type": "object", "additionalProperties": True},
                    _REFERENCE,
                ]
            },
        },
        "env": {
            "description": "Environment variables on which its result rests; of their values a digest is kept.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "mutex": {
            "description": "Groups of which only one stage runs at a time.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "resources": {
            "description": "What it occupies while it runs, and how much of it.",
            **_or_reference(
                {"type": "object", "additionalProperties": _or_reference({"type": "integer", "minimum": 1})}
            ),
        },
        "timeout": {
            "description": "After how many seconds a run of it is ended and counts as failed.",
            **_or_reference({"type": "number"}),
        },
        "retries": {
            "description": "How often it is run again if it has failed.",
            **_or_reference({"type": "integer", "minimum": 0}),
        },
    },
    "oneOf": [{"required": ["python"]}, {"required": ["cmd"]}],
    "additionalProperties": False,
}

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "pivot.yaml",
    "description": "The stages of a pipeline of Pivot.",
    "type": "object",
    "properties": {
        "pipeline": {
            "type": "string",
            "minLength": 1,
            "description": "The name of the pipeline, unique in the project.",
        },
        "root": {
            "type": "string",
            "minLength": 1,
            "description": "The directory against which paths resolve and in which stages run.",
        },
        "vars": {
            "type": "object",
            "additionalProperties": True,
            "description": "Values for ${name}; each may refer to those before it.",
        },
        "stages": {"type": "object", "additionalProperties": _STAGE, "description": "The stages by name."},
    },
    "required": ["pipeline", "stages"],
    "additionalProperties": False,
}

STAGE: Final[dict[str, Any]] = _STAGE
"""The part that describes one stage."""


def text() -> str:
    """The schema as it is printed."""
    return f"{json.dumps(SCHEMA, indent=2)}\n"
