"""The JSON Schema of a ``pivot.yaml``, which both documents and validates it."""

import json
from typing import Any, Final

_REFERENCE: Final = {"type": "string", "pattern": r"\$\{", "description": "A ${name}, substituted from variables."}


def _or_reference(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, _REFERENCE]}


_PATH: Final = {"type": "string", "minLength": 1}
_PATHS: Final = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}
_DURATION: Final = {"anyOf": [{"type": "number"}, {"type": "string", "minLength": 1}]}
_AMOUNT: Final = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 1}]}
_BOOLEAN: Final = {"anyOf": [{"type": "boolean"}, _REFERENCE]}
_TEXT: Final = {"type": "string"}


def _facts(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    needs = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needs, "additionalProperties": False}


def _facts_of(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping from any names to such values."""
    return {"type": "object", "additionalProperties": value}


def _by_path(properties: dict[str, Any]) -> dict[str, Any]:
    """A mapping from one path to its facts, if it has any."""
    facts = {"anyOf": [_facts(properties), {"type": "null"}]}
    return {"type": "object", "additionalProperties": facts, "minProperties": 1, "maxProperties": 1}


def _paths_and(properties: dict[str, Any]) -> dict[str, Any]:
    """A list of paths, each alone, with facts, or as the key of a mapping."""
    return {
        "type": "array",
        "items": {"anyOf": [_PATH, _facts({**_ITS_PATH, **properties}, "path"), _by_path(properties)]},
    }


_ITS_PATH: Final = {"path": {"description": "Relative to the directory of the pipeline.", **_PATHS}}
_DEP: Final = {
    "count": {
        "description": "Whether another content is a reason to run the stage again.",
        **_BOOLEAN,
    },
}
_CHART: Final[dict[str, Any]] = {
    "kind": {"description": "The kind of chart: line, scatter, bar or confusion.", **_TEXT},
    "x": {"description": "The column of the horizontal axis, by default the number of the row.", **_TEXT},
    "y": {"description": "The column or columns of the vertical axis, by default all numbers.", **_PATHS},
    "group": {"description": "A column whose values are drawn in different colours.", **_TEXT},
    "title": {"description": "The title; by default the path.", **_TEXT},
    "x_label": {"description": "The name of the horizontal axis.", **_TEXT},
    "y_label": {"description": "The name of the vertical axis.", **_TEXT},
}
_PLOT: Final[dict[str, Any]] = {
    **_CHART,
    "template": {"description": "The kind of chart by the name of a template of DVC, such as linear.", **_TEXT},
    "header": {"description": "Whether the first line of the file has the names of the columns.", "type": "boolean"},
}
_META: Final = {
    "description": "Any data for the reader, which count as nothing.",
    **_or_reference({"type": "object", "additionalProperties": True}),
}
_FLAGS: Final[dict[str, Any]] = {
    "cache": {"description": "Whether its content is stored in the cache; otherwise, it is for git.", **_BOOLEAN},
    "directory": {"description": "Whether it is a directory, as is a path that ends with a /.", **_BOOLEAN},
    "persist": {
        "description": "Whether a copy of the last content is in place when the command starts.",
        **_BOOLEAN,
    },
    "temp": {
        "description": "Whether it is removed from the workspace once every stage that reads it is up to date.",
        **_BOOLEAN,
    },
    "desc": {"description": "Its meaning, for the reader.", **_TEXT},
    "meta": _META,
    "type": {"description": "Its kind, for the reader, in one word.", **_TEXT},
    "labels": {"description": "Words about it, for the reader.", "type": "array", "items": _TEXT},
    "push": {"description": "Nothing but true: all outs in the cache are pushed.", **_BOOLEAN},
    "remote": {"description": "Not supported: 'pivot push -r' takes a remote.", **_TEXT},
}
_OUT: Final[dict[str, Any]] = {
    **_FLAGS,
    "metric": {
        "description": "Whether 'pivot metrics' shows its values; then it is for git, unless cache is true.",
        "type": "boolean",
    },
    "plot": {
        "description": "Whether 'pivot plots' draws it, or how; this does not count as a change.",
        "anyOf": [{"type": "boolean"}, _facts(_CHART)],
    },
}
_ONE_OUT: Final = _facts({**_ITS_PATH, **_OUT}, "path")
_FILE_PARAMS: Final = {
    "type": "array",
    "items": {
        "anyOf": [
            _PATH,
            {
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "array", "items": _PATH}, {"type": "null"}]},
            },
        ]
    },
}
_VARS: Final = {
    "anyOf": [
        {"type": "object", "additionalProperties": True},
        {"type": "array", "items": {"anyOf": [_PATH, {"type": "object", "additionalProperties": True}]}},
    ]
}
_STAGE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "vars": {
            "description": "Further values for ${name} in this stage; in a list, a string is a file with values.",
            **_VARS,
        },
        "python": {
            "type": "string",
            "minLength": 1,
            "description": "The function that runs, as module:function; modules are searched for beside this file.",
        },
        "cmd": {
            "description": "The shell command that runs, or a list of commands that run one after the other.",
            "anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}],
        },
        "wdir": {
            "description": "The directory in which it runs, and to which its paths are relative; by default the root.",
            **_PATH,
        },
        "notebook": {
            "type": "string",
            "minLength": 1,
            "description": "The Jupyter notebook whose code cells run, in the directory of the pipeline.",
        },
        "executed": {
            "description": "The path of the executed copy of the notebook, which is an out.",
            "anyOf": [_PATH, _ONE_OUT],
        },
        "deps": {
            "description": "Its deps: for python, paths by parameter; for cmd, a list of paths, or paths by name.",
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": {"anyOf": [*_PATHS["anyOf"], _facts({**_ITS_PATH, **_DEP}, "path")]},
                },
                _paths_and(_DEP),
                _REFERENCE,
            ],
        },
        "outs": {
            "description": "Its outs: for python, paths by key of the result ('return' for a single out); "
            "for cmd, a list, or paths by name.",
            "anyOf": [
                {"type": "object", "additionalProperties": {"anyOf": [*_PATHS["anyOf"], _ONE_OUT]}},
                _paths_and(_OUT),
                _REFERENCE,
            ],
        },
        "metrics": {
            "description": "Outs that are metrics: paths, or flags by path; in the cache unless cache is false.",
            **_or_reference(_paths_and(_FLAGS)),
        },
        "plots": {
            "description": "Outs that are plots, also directories: paths, or flags and options of a chart by path.",
            **_or_reference(_paths_and({**_FLAGS, **_PLOT})),
        },
        "params": {
            "description": "Values of its parameters by name; or a list like that of file_params.",
            "anyOf": [{"type": "object", "additionalProperties": True}, _FILE_PARAMS, _REFERENCE],
        },
        "file_params": {
            "description": "Parameters in files: keys of params.yaml, and keys by file, or a file with nothing for all "
            "of it.",
            **_or_reference(_FILE_PARAMS),
        },
        "uncounted_params": {
            "description": "Parameters whose values do not count as inputs.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "matrix": {
            "description": "Creates several stages: for each dimension its values, or values by name.",
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
            "description": "Environment variables that its result depends on; only digests of their values are kept.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "mutex": {
            "description": "Groups in which only one stage runs at a time.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "resources": {
            "description": "The resources that it uses while it runs, and how much of each: a number, or as in 8 GiB.",
            **_or_reference({"type": "object", "additionalProperties": _AMOUNT}),
        },
        "timeout": {
            "description": "After how many seconds, or which duration (90s, 15m, 12h, 1d), a run is ended and fails.",
            **_DURATION,
        },
        "retries": {
            "description": "How often it runs again after a failure.",
            **_or_reference({"type": "integer", "minimum": 0}),
        },
        "always": {
            "description": "Whether it runs in every run, even if nothing has changed.",
            **_or_reference({"type": "boolean"}),
        },
        "always_changed": {"description": "The same as always.", **_or_reference({"type": "boolean"})},
        "frozen": {
            "description": "Whether it never runs, even if something has changed.",
            **_or_reference({"type": "boolean"}),
        },
        "after": {
            "description": "Stages that it runs after although it reads none of their outs: names, or addresses.",
            **_or_reference({"type": "array", "items": {"type": "string", "minLength": 1}}),
        },
        "priority": {
            "description": "Of stages that could start, those with the highest priority do; by default 0.",
            **_or_reference({"type": "integer"}),
        },
        "executor": {
            "type": "string",
            "description": "Where it runs: local keeps it on the machine of the command when others run on a cluster.",
        },
        "desc": {"type": "string", "description": "Its purpose, for the reader; by default its docstring."},
        "meta": _META,
        "ttl": {
            "description": "For how many seconds, or which duration (90s, 15m, 12h, 1d), its result counts.",
            **_DURATION,
        },
    },
    "oneOf": [{"required": ["python"]}, {"required": ["cmd"]}, {"required": ["notebook"]}],
    "additionalProperties": False,
}

_FOREACH: Final = {
    "type": "object",
    "properties": {
        "foreach": {
            "description": "The values, one for each stage: in 'do', ${item} is the value, and ${key} its name.",
            "anyOf": [{"type": "array"}, {"type": "object", "additionalProperties": True}, _REFERENCE],
        },
        "do": {"description": "The stage, which is created for each value; it has no matrix.", **_STAGE},
    },
    "required": ["foreach", "do"],
    "additionalProperties": False,
}
_DRAWN: Final = {
    **_PLOT,
    "x": {"description": "The column of the horizontal axis, or that by path.", "anyOf": [_TEXT, _facts_of(_TEXT)]},
    "y": {
        "description": "The column or columns of the vertical axis, or those by path.",
        "anyOf": [*_PATHS["anyOf"], _facts_of(_PATHS)],
    },
}
_DRAWN_BY_NAME: Final = _facts_of({"anyOf": [_facts(_DRAWN), {"type": "null"}]})

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "pivot.yaml",
    "description": "The stages of a Pivot pipeline.",
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
            "description": "The directory in which stages run, and to which paths are relative.",
        },
        "vars": {
            "description": "Values for ${name}; each may refer to those before it. A string in a list is a file.",
            **_VARS,
        },
        "stages": {
            "type": "object",
            "additionalProperties": {"anyOf": [_FOREACH, _STAGE]},
            "description": "The stages by name.",
        },
        "metrics": {
            "type": "array",
            "items": _PATH,
            "description": "Outs that are metrics, or files in outs, relative to the directory of this file.",
        },
        "plots": {
            "description": "Outs that are plots, or files and directories in outs, relative to the "
            "directory of this file: paths, options of a chart by path, or by a name with the columns by path.",
            "anyOf": [{"type": "array", "items": {"anyOf": [_PATH, _DRAWN_BY_NAME]}}, _DRAWN_BY_NAME],
        },
    },
    "required": ["pipeline", "stages"],
    "additionalProperties": False,
}

STAGE: Final[dict[str, Any]] = _STAGE
"""The part for one stage."""

FOREACH: Final[dict[str, Any]] = _FOREACH
"""The part for a stage with ``foreach``."""


def text() -> str:
    """The schema in its printed form, in which the keys of a stage are described once."""
    described = {json.dumps(value): name for name, value in _STAGE["properties"].items()}

    def short(node: Any) -> Any:
        if isinstance(node, dict):
            name = described.get(json.dumps(node))
            return {key: short(each) for key, each in node.items()} if name is None else {"$ref": f"#/$defs/{name}"}
        return [short(each) for each in node] if isinstance(node, list) else node

    definitions = {
        name: {key: short(each) for key, each in value.items()} for name, value in _STAGE["properties"].items()
    }
    return f"{json.dumps({**short(SCHEMA), '$defs': definitions}, indent=2)}\n"
