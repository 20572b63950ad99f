"""The declarations of a ``pivot.yaml``: from parsed data to stages, and what is wrong with its line."""

import inspect
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.pipeline import Pipeline
from pivot_core.pivot_yaml.declare import Declaration, DeclarationError, read_declarations
from pivot_core.pivot_yaml.schema import SCHEMA, STAGE, text
from pivot_core.pivot_yaml.validate import ValidationError, check
from pivot_core.stages.annotations import Dep, DirectoryOut, Metric, Out, Plot
from pivot_core.stages.interpolation import Path
from pivot_core.stages.options import PlainOptions, StageOptions


@attrs.frozen
class Text:
    """Data as if each key was on a line of its own: the line is the number of keys on the way to it."""

    data: Any
    name: str = "pivot.yaml"

    def line(self, path: Path = ()) -> int:
        return len(path)


def stages(data: dict[str, Any], **rest: Any) -> dict[str, Declaration]:
    return {each.name: each for each in read_declarations(Text({"pipeline": "p", "stages": data, **rest})).stages}


def test_options_have_the_same_names_in_files_in_calls_and_for_type_checkers() -> None:
    plain, all_of_them = PlainOptions.__annotations__.keys(), StageOptions.__annotations__.keys()

    assert plain <= STAGE["properties"].keys()
    assert list(inspect.signature(Pipeline.register).parameters)[:3] == ["self", "func", "name"]
    assert set(list(inspect.signature(Pipeline.register).parameters)[3:]) == all_of_them
    assert plain <= all_of_them


def test_a_matrix_makes_variants_with_typed_values() -> None:
    found = stages(
        {
            "fit": {
                "python": "steps:fit",
                "matrix": {"size": "${sizes}"},
                "deps": {"rows": "data/${size}.json"},
                "outs": {"return": "${dir}/${size}.json"},
                "params": {"size": "${size}", "note": "n=${size}", "options": "${options}"},
            }
        },
        vars={"sizes": [1, 2], "top": "out", "dir": "${top}/fits", "options": {"deep": [True]}},
    )
    assert list(found) == ["fit@1", "fit@2"]
    two = found["fit@2"]
    assert (two.python, two.command) == ("steps:fit", None)
    assert two.deps == {"rows": "data/2.json"}
    assert two.outs == {"return": "out/fits/2.json"}
    assert two.params == {"size": 2, "note": "n=2", "options": {"deep": [True]}}
    assert two.places["note"] == "pivot.yaml:4"


def test_a_list_of_params_names_keys_of_files() -> None:
    keys = ["${name}", {"c.json": ["a.b"], "s.toml": None}]
    found = stages(
        {
            "one": {"cmd": "x", "params": keys},
            "two": {"cmd": "x", "file_params": keys, "params": {"count": 3}},
            "three": {"python": "a:b", "params": keys},
        },
        vars={"name": "rate"},
    )
    assert [each.options["file_params"] for each in found.values()] == [["rate", *keys[1:]]] * 3
    assert [each.params for each in found.values()] == [None, {"count": 3}, None]


def test_a_command_keeps_what_is_filled_later() -> None:
    found = stages(
        {
            "plot": {
                "cmd": "Rscript plot.R ${params.dpi} ${title} > ${outs.log}; echo $${HOME}",
                "deps": ["a.csv", "b.csv", {"path": "c.csv", "count": False}],
                "outs": {"log": {"path": "log.txt", "cache": False}, "plots": "plots/", "two": ["x", "y"]},
                "params": {"dpi": 300},
            }
        },
        vars={"title": "Rows"},
    )
    plot = found["plot"]
    assert plot.command == "Rscript plot.R ${params.dpi} Rows > ${outs.log}; echo ${HOME}"
    assert plot.deps == {"a.csv": "a.csv", "b.csv": "b.csv", "c.csv": Dep("c.csv", count=False)}
    assert plot.outs == {
        "log": Out("log.txt", cache=False),
        "plots": DirectoryOut("plots/"),
        "two": Out(["x", "y"]),
    }


@pytest.mark.parametrize(
    ("data", "told", "hint"),
    [
        (None, "pivot.yaml:0: there is no 'pipeline'", "add 'pipeline: …': the name of the pipeline"),
        ([], "pivot.yaml:0: this must be a mapping, not a list", None),
        ({"pipeline": "p", "stage": {}}, "pivot.yaml:1: the key 'stage' is not known", "did you mean stages?"),
        ({"pipeline": 3, "stages": {}}, "pivot.yaml:1: 'pipeline' must be a string, not 3", None),
        ({"fit": None}, "pivot.yaml:2: 'fit' must be a mapping, not nothing", None),
        ({"fit": {}}, "pivot.yaml:2: 'fit' has neither 'python' nor 'cmd'", "give it one of python, cmd"),
        ({"fit": {"python": "a:b", "cmd": "x"}}, "pivot.yaml:2: 'fit' has 'python' and 'cmd'", "give it one of"),
        ({"fit": {"cmd": "x", "dep": []}}, "pivot.yaml:3: the key 'dep' is not known in 'fit'", "did you mean deps?"),
        ({"fit": {"cmd": "x", "deps": "a"}}, "pivot.yaml:3: 'deps' of 'fit' must be a mapping or a list", None),
        ({"fit": {"cmd": "x", "outs": ["a", 3]}}, "pivot.yaml:4: item 2 of 'outs' must be a string or a mapping", None),
        (
            {"fit": {"cmd": "x", "outs": [{"path": "a", "cach": True}]}},
            "pivot.yaml:5: the key 'cach' is not known in item 1 of 'outs'",
            "did you mean cache?",
        ),
        (
            {"fit": {"cmd": "x", "resources": {"gpu": 0}}},
            "pivot.yaml:4: 'gpu' of 'resources' must be at least 1",
            None,
        ),
        ({"fit": {"cmd": ["a", {"echo b": "c"}]}}, "item 2 of 'cmd' must be a string, not a mapping", "in quotes"),
        ({"fit": {"cmd": "x", "after": "b"}}, "pivot.yaml:3: 'after' of 'fit' must be a list, not 'b'", "write [b]"),
        ({"fit": {"cmd": "x", "executor": 1}}, "pivot.yaml:3: 'executor' of 'fit' must be a string, not 1", None),
        ({"fit": {"cmd": ""}}, "pivot.yaml:3: 'cmd' of 'fit' must not be empty", None),
        (
            {"fit": {"cmd": "x", "resources": {"gpu": True}}},
            "'gpu' of 'resources' must be a whole number or a string, not True",
            None,
        ),
        ({"fit": {"cmd": "${a}"}}, "pivot.yaml:3: ${a} is not known", "below 'vars' or 'matrix'"),
        (
            {"fit": {"cmd": "x", "params": ["a"], "file_params": ["b"]}},
            "pivot.yaml:3: 'params' as a list and 'file_params' mean the same",
            "write one list",
        ),
        ({"fit": {"cmd": "x", "params": [{"a": 3}]}}, "'a' of 'params' must be a list or nothing, not 3", None),
        ({"fit": {"python": "a:b", "deps": ["x"]}}, "'deps' of a python stage must be a mapping", "parameter: path"),
        ({"fit": {"python": "a:b", "outs": ["x"]}}, "'outs' of a python stage must be a mapping", "'return'"),
        ({"fit": {"python": "a:b", "deps": {"k": {"path": "x"}}}}, "pivot.yaml:4: 'k' of 'deps' of a python", None),
        (
            {"fit": {"cmd": "x", "outs": {"k": {"path": "x", "metric": True, "temp": True}}}},
            "pivot.yaml:4: Metric('x', temp=True, cache=False): it is restored from the cache",
            None,
        ),
        ({"fit": {"cmd": "x", "deps": {"k": {"path": "s3://b/x"}}}}, "pivot.yaml:4: Dep('s3://b/x'): this is a", None),
        ({"fit": {"python": "a:b", "outs": {"k": {"path": "x"}}}}, "pivot.yaml:4: 'k' of 'outs' of a python", None),
        ({"fit": {"cmd": "x", "outs": {"k": ["x", "x"]}}}, "pivot.yaml:4: Out names 'x' twice", None),
        (
            {"fit": {"cmd": "x", "outs": [{"path": "x", "plot": {"kind": "lin"}}]}},
            "pivot.yaml:4: Plot('x', kind='lin'): there is no such kind",
            "did you mean line?",
        ),
        (
            {"fit": {"cmd": "x", "outs": [{"path": "x", "metric": True, "plot": True}]}},
            "pivot.yaml:4: an out cannot be both a metric and a plot",
            "remove 'metric'",
        ),
        (
            {"fit": {"cmd": "x", "outs": [{"path": "x/", "metric": True}]}},
            "pivot.yaml:4: an out cannot be both a metric and a directory",
            "remove 'metric'",
        ),
        (
            {"fit": {"cmd": "x", "outs": [{"path": "x", "directory": True, "plot": {"kind": "lin"}}]}},
            "pivot.yaml:4: Plot('plots', kind='lin'): there is no such kind",
            "did you mean line?",
        ),
        ({"fit": {"cmd": "x", "outs": ["x", {"path": "x"}]}}, "pivot.yaml:4: 'outs' names 'x' twice", "remove one"),
        ({"fit": {"cmd": "x", "matrix": {"a": []}}}, "pivot.yaml:4: 'a' of 'matrix' must not be empty", None),
        ({"fit": {"cmd": "x", "matrix": {"a": [1, 1]}}}, "pivot.yaml:4: two values of 'a' have", "name: value"),
        ({"fit": {"cmd": "x", "matrix": {"deps": [1]}}}, "pivot.yaml:4: 'deps' cannot be the name of a variable", None),
    ],
)
def test_errors_name_their_line(data: Any, told: str, hint: str | None) -> None:
    whole = data if not isinstance(data, dict) or "pipeline" in data else {"pipeline": "p", "stages": data}
    with pytest.raises(DeclarationError) as raised:
        read_declarations(Text(whole))
    assert told in str(raised.value)
    assert (hint or "") in (raised.value.hint or "")


def test_a_value_that_is_filled_must_have_the_right_type_too() -> None:
    with pytest.raises(DeclarationError, match=r"pivot.yaml:3: 'retries' of 'fit' must be a whole number"):
        stages({"fit": {"cmd": "x", "retries": "${many}"}}, vars={"many": "two"})


def test_variables_given_elsewhere_replace_those_of_the_file() -> None:
    data = Text(
        {"pipeline": "p", "vars": {"a": 1, "b": {"c": 2}, "d": "${a}"}, "stages": {"s": {"cmd": "${d} ${b.c}"}}}
    )
    given = {("a",): 3, ("b", "c"): 4, ("other", "x"): 5}
    assert read_declarations(data, given).stages[0].command == "3 4"
    for keys in (("b", "x"), ("a", "x")):
        with pytest.raises(DeclarationError, match=f"'{keys[0]}' has no item 'x'"):
            read_declarations(data, {keys: 1})


LARGE = {"x0": ["a"] * 100, **{f"x{n}": [f"${{x{n - 1}}}"] * 100 for n in range(1, 30)}}
DEEP = {"x0": {"a": 1}, **{f"x{n}": {"a": f"${{x{n - 1}}}"} for n in range(1, 300)}}
LONG = {"x0": "a" * 100, **{f"x{n}": f"${{x{n - 1}}}" * 100 for n in range(1, 30)}}


@pytest.mark.parametrize(
    ("data", "rest", "told"),
    [
        ({"s": {"cmd": "x"}}, {"vars": LARGE}, "2: with 'x2' this file contains more than 300,000 values"),
        ({"s": {"cmd": "x"}}, {"vars": LONG}, r"2: with \$\{x1\} this text has more than 100,000 characters"),
        ({"s": {"cmd": "x"}}, {"vars": DEEP}, "2: 'x199' is nested more than 200 levels deep"),
        (
            {"s": {"cmd": "x", "matrix": {each: list(range(100)) for each in "abcde"}}},
            {},
            "4: with 'c' there are more than 10,000 stages",
        ),
        (
            {"s": {"cmd": "x", "params": {"p": ["a"] * 100}, "matrix": {each: list(range(100)) for each in "ab"}}},
            {},
            "3: with 'params' of 's' this file contains more than 300,000 values",
        ),
        (
            {f"s{n}": {"cmd": "x", "matrix": {each: list(range(100)) for each in "ab"}} for n in range(100)},
            {},
            "2: with 's1' this file",
        ),
    ],
)
def test_short_files_that_expand_without_bound_are_refused(data: Any, rest: Any, told: str) -> None:
    with pytest.raises(DeclarationError, match=rf"pivot.yaml:{told}"):
        stages(data, **rest)


def test_outs_that_are_metrics() -> None:
    outs = [{"path": "a", "metric": True}, {"path": "b", "metric": True, "cache": True}, {"path": "c", "metric": False}]
    (found,) = stages({"s": {"cmd": "x", "outs": outs}}).values()
    assert list(found.outs.values()) == [Metric("a"), Metric("b", cache=True), Out("c")]


def test_outs_that_are_plots() -> None:
    drawn = {"kind": "line", "x": "step", "y": "loss", "title": "Loss"}
    outs = [
        "a",
        {"path": "b", "plot": True},
        {"path": "c", "cache": False, "plot": drawn},
        {"path": "d", "plot": False},
    ]
    (found,) = stages({"s": {"cmd": "x", "outs": outs}}).values()
    assert list(found.outs.values()) == [
        Out("a"),
        Plot("b"),
        Plot("c", cache=False, kind="line", x="step", y="loss", title="Loss"),
        Out("d"),
    ]


def test_outs_in_a_list_go_by_their_paths() -> None:
    (found,) = stages({"s": {"cmd": "x", "outs": ["a", {"path": ["b", "c"], "cache": False}, "d/"]}}).values()
    assert found.outs == {"a": Out("a"), "b c": Out(["b", "c"], cache=False), "d/": DirectoryOut("d/")}


TEXTS = st.sampled_from(["a/", "${x}", "$${x}", "a.json", "${item}"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | TEXTS
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
KEYS = st.sampled_from(
    ["python", "cmd", "deps", "outs", "params", "matrix", "env", "vars", "foreach", "do", "resources", "x"]
)


@given(st.dictionaries(KEYS, DATA), DATA)
def test_every_file_is_accepted_or_refused_with_a_line(stage: Any, variables: Any) -> None:
    """Never another error; and what is declared has the shape that the schema describes."""
    data = {"pipeline": "p", "vars": variables, "stages": {"fit": stage}}
    refused = ""
    try:
        found = read_declarations(Text(data)).stages
    except DeclarationError as error:
        refused, found = str(error), ()
    assert refused.startswith("pivot.yaml:" if refused else "")
    assert all(each.name.partition("@")[0] == "fit" for each in found)
    if not refused:
        check(data, SCHEMA)


def test_the_schema_is_one_that_editors_know() -> None:
    """Every object in it says what it is, and no word in it is one that `check` does not respect."""
    heeded = {"type", "properties", "additionalProperties", "required", "items", "minItems", "minLength", "minimum"}
    heeded |= {"pattern", "anyOf", "oneOf", "minProperties", "maxProperties"}

    def walk(node: Any, *, top: bool = False) -> None:
        if not isinstance(node, dict):
            return
        assert node.keys() <= heeded | {"description"} | ({"$schema", "title"} if top else set())
        for each in (*node.get("properties", {}).values(), *node.get("anyOf", ())):
            walk(each)
        walk(node.get("items"))
        walk(node.get("additionalProperties"))

    walk(SCHEMA, top=True)
    printed = json.loads(text())
    definitions = printed.pop("$defs")

    def whole(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return whole(definitions[node["$ref"].removeprefix("#/$defs/")])
            return {key: whole(each) for key, each in node.items()}
        return [whole(each) for each in node] if isinstance(node, list) else node

    assert whole(printed) == SCHEMA
    with pytest.raises(ValidationError):
        check({"pipeline": "p"}, SCHEMA)
