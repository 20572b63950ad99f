"""Templates of a ``pivot.yaml``: variables from everywhere, one stage for each value, and mappings as arguments."""

import shlex
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_core.errors import DefinitionError
from pivot_core.pivot_yaml.arguments import command_text
from pivot_core.pivot_yaml.declare import Declaration, DeclarationError, Declarations, read_declarations
from pivot_core.pivot_yaml.measure import Measure
from pivot_core.pivot_yaml.variables import NoFiles, Variables, VariableScope
from pivot_core.stages.command import fill_in
from pivot_core.stages.interpolation import Path


@attrs.frozen
class Text:
    """Data as if each key was on a line of its own: the line is the number of keys on the way to it."""

    data: Any
    name: str = "pivot.yaml"

    def line(self, path: Path = ()) -> int:
        return len(path)


class Files:
    """Files in memory."""

    def __init__(self, **files: Any) -> None:
        self.reads: list[str] = []
        self._files = {name.replace("__", "/").replace("_json", ".json"): data for name, data in files.items()}

    def read(self, path: str) -> Mapping[str, Any]:
        self.reads.append(path)
        if path not in self._files:
            raise DefinitionError(f"there is no file {path!r}", hint="look for it")
        found: Mapping[str, Any] = self._files[path]
        return found

    def default(self) -> Mapping[str, Any]:
        self.reads.append("params.yaml")
        found: Mapping[str, Any] = self._files.get("params", {})
        return found

    def where(self, path: str | None, keys: Path) -> str:
        return f"{path or 'params'}:{len(keys)}"


def read(
    stages: dict[str, Any], files: Files | None = None, given: Mapping[tuple[str, ...], Any] | None = None, **rest: Any
) -> Declarations:
    return read_declarations(Text({"pipeline": "p", "stages": stages, **rest}), given, files)


def declared(stages: dict[str, Any], files: Files | None = None, **rest: Any) -> dict[str, Declaration]:
    return {each.name: each for each in read(stages, files, **rest).stages}


def commands(stages: dict[str, Any], files: Files | None = None, **rest: Any) -> dict[str, Any]:
    return {name: each.command for name, each in declared(stages, files, **rest).items()}


def test_one_stage_for_each_value() -> None:
    found = declared(
        {
            "plain": {"foreach": ["us", 0.1], "do": {"cmd": "make ${item}", "outs": ["out/${item}"]}},
            "mapped": {"foreach": {"a.b": {"n": 1}}, "do": {"cmd": "${key} ${item.n}", "params": {"n": "${item.n}"}}},
            "models": {"foreach": "${models}", "do": {"cmd": "${item.name}", "wdir": "in/${item.name}"}},
            "none": {"foreach": [], "do": {"cmd": "x"}},
        },
        vars={"models": [{"name": "cnn"}, {"name": "tree"}]},
    )
    assert {name: each.command for name, each in found.items()} == {
        "plain@us": "make us",
        "plain@0-1": "make 0.1",
        "mapped@a-b": "a.b 1",
        "models@0": "cnn",
        "models@1": "tree",
    }
    assert list(found["plain@0-1"].outs) == ["out/0.1"]
    assert found["mapped@a-b"].params == {"n": 1}
    assert found["models@1"].options.get("wdir") == "in/tree"
    assert {each.location.line for each in found.values()} == {2}


def test_values_of_a_matrix_have_several_names() -> None:
    stage = {
        "cmd": "${model.name} ${item.model.name} ${item.rate} ${key}",
        "matrix": {"model": [{"name": "cnn"}, {"name": "tree"}], "rate": [0.1]},
    }
    assert commands({"fit": stage}) == {
        "fit@model0_0-1": "cnn cnn 0.1 model0-0.1",
        "fit@model1_0-1": "tree tree 0.1 model1-0.1",
    }
    kept = {"cmd": "${key} ${item}", "matrix": {"item": [1, 2]}}
    assert commands({"fit": kept}, vars={"key": "k"}) == {"fit@1": "k 1", "fit@2": "k 2"}


def test_variables_come_from_files_and_merge() -> None:
    files = Files(
        sub__a_json={"rows": "a.csv", "fit": {"rate": 1}}, b_json={"fit": {"deep": {"x": 2}}, "more": 4, "unused": 0}
    )
    variables = ["a.json", "../b.json:fit", {"size": 3, "out": "${rows}.out"}, "a.json", "../b.json:more,"]
    stage = {"cmd": "${fit.rate} ${fit.deep.x} ${size} ${out} ${more}"}
    found = read({"s": stage}, files, root="sub", vars=variables)
    assert found.stages[0].command == "1 2 3 a.csv.out 4"
    assert found.variables == {"rows", "fit", "size", "out", "more"}
    assert files.reads == ["sub/a.json", "b.json", "params.yaml"]


def test_what_is_not_defined_otherwise_is_in_the_params_file() -> None:
    files = Files(params={"lr": 0.1, "fit": {"rate": 1, "n": 2}, "other": 0})
    found = read({"s": {"cmd": "${lr} ${fit.rate}"}}, files, vars={"fit": {"rate": 3}})
    assert found.stages[0].command == "0.1 3"
    assert found.variables == {"fit", "lr"}
    with pytest.raises(DeclarationError, match="'fit' has no 'n'"):
        read({"s": {"cmd": "${fit.n}"}}, files, vars={"fit": {"rate": 3}})
    merged = {"cmd": "${fit.rate} ${fit.n} ${fit.deep.x}"}
    deeper = Files(params={"fit": {"rate": 1, "n": 2, "deep": {"x": 4}}, "deep": 1})
    assert commands({"s": merged}, deeper, vars=[{"fit": {"rate": 3, "deep": {"y": 1}}}]) == {"s": "3 2 4"}


def test_a_params_file_that_nothing_needs_is_not_read() -> None:
    files = Files(params={"lr": 0.1})
    assert commands({"s": {"cmd": "${lr} ${params.a}", "params": {"a": 1}}}, files, vars={"lr": 1}) == {
        "s": "1 ${params.a}"
    }
    assert files.reads == []


def test_stages_have_variables_of_their_own() -> None:
    files = Files(data__x__own_json={"n": 1}, data__y__own_json={"n": 2})
    stages = {
        "each": {
            "foreach": ["x", "y"],
            "do": {"wdir": "${item}", "vars": ["own.json", {"fit": {"b": "${a}${item}"}}], "cmd": "${n} ${fit}"},
        },
        "same": {"matrix": {"i": [1, 2]}, "vars": ["x/own.json"], "cmd": "${n}${i}"},
        "mapping": {"vars": {"n": 5}, "cmd": "-${n}"},
        "none": {"vars": [], "cmd": "${a}"},
    }
    found = read(stages, files, root="data", vars=[{"a": "A", "fit": {"a": 0}}])
    assert {each.name: each.command for each in found.stages} == {
        "each@x": "1 --a 0 --b Ax",
        "each@y": "2 --a 0 --b Ay",
        "same@1": "11",
        "same@2": "12",
        "mapping": "-5",
        "none": "A",
    }
    assert found.variables == {"a", "fit", "n"}


def test_given_values_replace_those_from_everywhere() -> None:
    files = Files(a_json={"rows": "a.csv", "fit": {"rate": 1, "n": 0}}, params={"lr": 0.1, "deep": {"x": 1}})
    stages = {
        "s": {"cmd": "${rows} ${fit.rate} ${fit.n} ${fit.m} ${lr} ${deep.x} ${own}", "vars": [{"own": 0}]},
        "t": {"cmd": "-${own}", "vars": {"own": {"a": 1}}},
    }
    given = {
        ("rows",): "b.csv",
        ("fit", "rate"): 2,
        ("lr",): 3,
        ("deep", "x"): 4,
        ("own",): 5,
        ("nothing", "like"): 6,
    }
    found = read(stages, files, given, vars=["a.json", {"fit": {"m": 7}}])
    assert [each.command for each in found.stages] == ["b.csv 2 0 7 3 4 5", "-5"]
    whole = read({"s": {"cmd": "-${fit}"}}, files, {("fit",): {"x": 1}}, vars=["a.json", {"fit": {"m": 7}}])
    assert whole.stages[0].command == "---x 1"
    inner = read({"s": {"cmd": "-${fit}"}}, files, {("fit", "m"): 8}, vars=["a.json", {"fit": {"m": 7}}])
    assert inner.stages[0].command == "---rate 1 --n 0 --m 8"
    again = read(
        {"s": {"vars": [{"fit": {"rate": 5, "z": 1}}], "cmd": "-${fit}"}}, files, {("fit", "rate"): 2}, vars=["a.json"]
    )
    assert again.stages[0].command == "---rate 2 --n 0 --z 1"
    with pytest.raises(DeclarationError, match="'fit' has no item 'x'"):
        read(stages, files, {("fit", "x"): 2}, vars=["a.json", {"fit": {"m": 7}}])
    with pytest.raises(DeclarationError, match="'lr' has no item 'x'"):
        read(stages, files, {("lr", "x"): 2}, vars=["a.json", {"fit": {"m": 7}}])


def test_a_command_prefers_what_is_its_own() -> None:
    files = Files(params={"params": {"a": 1, "b": 2}, "outs": {"x": "y"}})
    stages = {"s": {"cmd": "${params.a} ${params.b} ${outs.o} ${outs.x} ${deps.d}", "params": {"a": 3}, "outs": ["o"]}}
    assert commands(stages, files) == {"s": "${params.a} 2 ${outs.o} y ${deps.d}"}


def test_values_that_look_like_references_to_the_stage_are_text() -> None:
    found = commands({"s": {"cmd": "x ${v} $${params.n}", "params": {"n": 1}}}, Files(params={"v": "${params.n}"}))
    assert fill_in(found["s"], {}, {}, {"n": 1}) == "x ${params.n} ${params.n}"
    assert fill_in(found["s"], {}, {}) == "x $${params.n} $${params.n}"


def test_keys_are_filled_but_not_those_of_values() -> None:
    stages = {
        "s": {
            "cmd": "x",
            "outs": {"${name}": "${name}.txt"},
            "params": {"table": {"${name}": "${name}"}},
            "resources": {"${name}": 1},
        }
    }
    found = declared(stages, vars={"name": "n"})["s"]
    assert list(found.outs) == ["n"]
    assert found.params == {"table": {"${name}": "n"}}
    assert found.options.get("resources") == {"n": 1}


FILES = Files(a_json={"x": 1, "deep": {"x": 1}}, b_json={"x": 2, "deep": {"x": 2}}, params={"outs": 1})


@pytest.mark.parametrize(
    ("stages", "variables", "told", "hint"),
    [
        ({"s": {"foreach": [1]}}, {}, "2: 's' has no 'do'", "add 'do: …'"),
        (
            {"s": {"foreach": [1], "do": {"cmd": "x"}, "deps": []}},
            {},
            "3: the key 'deps' is not known in 's'",
            "below 'do'",
        ),
        ({"s": {"foreach": 3, "do": {"cmd": "x"}}}, {}, "3: 'foreach' of 's' must be a list or a mapping, not 3", ""),
        ({"s": {"foreach": "x", "do": {"cmd": "x"}}}, {}, "3: 'foreach' of 's' must be a list or a mapping", ""),
        ({"s": {"foreach": "${n}", "do": {"cmd": "x"}}}, {"n": "${m}", "m": 1}, "2: ${m} is not known", "move it up"),
        ({"s": {"foreach": "${n}", "do": {"cmd": "x"}}}, {"n": "${n}"}, "2: ${n} is not known", "refer to itself"),
        ({"s": {"foreach": "${n}", "do": {"cmd": "x"}}}, {"n": 1}, "3: 'foreach' of 's' must be a list", ""),
        ({"s": {"foreach": "${n}", "do": {"cmd": "x"}}}, {"n": "a${b}"}, "2: ${b} is not known", ""),
        ({"s": {"foreach": "-${n}", "do": {"cmd": "x"}}}, {"n": "${"}, "3: 'foreach' of 's' must be a list", ""),
        ({"s": {"matrix": {}, "cmd": "x"}}, {}, "4: 'matrix' has no dimensions", "name at least one"),
        ({"s": {"foreach": [1, 1], "do": {"cmd": "x"}}}, {}, "3: two values of 'foreach' have the name '1'", "names"),
        (
            {"s": {"foreach": [1], "do": {"cmd": "x", "matrix": {}}}},
            {},
            "4: 's' has both 'foreach' and 'matrix'",
            "a dimension of the matrix",
        ),
        (
            {"s": {"foreach": [1], "do": {"cmd": "x", "dep": []}}},
            {},
            "4: the key 'dep' is not known in 'do' of",
            "deps",
        ),
        ({"s": {"foreach": [1], "do": {"cmd": "${key}"}}}, {}, "4: ${key} is not known", "known here: item, outs"),
        ({"s": {"foreach": [1], "do": {"cmd": "x", "deps": ["${item}", 1]}}}, {}, "item 2 of 'deps'", ""),
        ({"s": {"foreach": [1], "do": {"cmd": "x", "retries": "${item.x}"}}}, {}, "4: ${item.x} is not known", ""),
        ({"s": {"foreach": [{}], "do": {"cmd": "x", "retries": "${item}"}}}, {}, "4: 'retries' of 's' must be", ""),
        ({"s": {"foreach": [1], "do": {"vars": [{"item": 2}], "cmd": "x"}}}, {}, "6: 'item' is the stage's own", ""),
        ({"s": {"matrix": {"a": [1]}, "vars": {"a": 2}, "cmd": "x"}}, {}, "4: 'a' is the stage's own", "rename it"),
        ({"s": {"vars": {"a": 2}, "cmd": "x"}}, {"a": 1}, "4: 'a' is defined in pivot.yaml:2 and in pivot.yaml:4", ""),
        (
            {"s": {"vars": ["a.json"], "wdir": "${x}", "cmd": "x"}},
            {"x": 1},
            "4: 'x' is defined in pivot.yaml:2 and",
            "",
        ),
        ({"s": {"vars": ["a.json"], "wdir": "${v}", "cmd": "x"}}, {"v": 1}, "3: 'wdir' of 's' must be a string", ""),
        ({}, ["a.json", "b.json"], "2: 'x' is defined in a.json and in b.json", "'file.yaml:a,b' takes only"),
        ({}, ["a.json:deep", "b.json:deep"], "2: 'deep.x' is defined in a.json and in b.json", ""),
        ({}, ["a.json:deep", "a.json"], "2: 'a.json' is named both wholly and by some of its names", "keep one"),
        ({}, ["a.json", "a.json:deep"], "2: 'a.json' is named both wholly and by some of its names", "keep one"),
        ({}, ["a.json:deep", "a.json:x,deep"], "2: 'deep' of 'a.json' is named twice", "remove one"),
        ({}, ["a.json:deap"], "2: 'a.json' has no 'deap'", "did you mean deep?"),
        ({}, ["a.json:z"], "2: 'a.json' has no 'z'", "it has: x, deep"),
        ({}, ["c.json"], "2: there is no file 'c.json'", "look for it"),
        ({}, ["${f}.json"], "2: ${f} is not known", ""),
        ({}, [{"f": {}}, "${f}"], "2: item 2 must be a file, or a mapping", ""),
        ({}, [{"deps": 1}], "3: 'deps' cannot be the name of a variable", "rename"),
        ({}, [1], "2: item 1 must be a string or a mapping, not 1", ""),
        ({"s": {"cmd": "x ${l}"}}, {"l": {"a": [[1]]}}, "3: ${l}: the items of the list 'a' must be plain", "one by"),
        ({"s": {"cmd": "x ${l}"}}, {"l": [1]}, "3: ${l} is a list, which cannot be part of a string", ""),
        ({"s": {"cmd": "x", "deps": ["x${l}"]}}, {"l": None}, "4: ${l} is null, which cannot be part", ""),
    ],
)
def test_errors_name_their_line(stages: dict[str, Any], variables: Any, told: str, hint: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        read(stages, FILES, vars=variables)
    assert str(raised.value).startswith(f"pivot.yaml:{told}" if told[0].isdigit() else "pivot.yaml:")
    assert told in str(raised.value)
    assert hint in (raised.value.hint or "")


def test_without_files_there_is_none() -> None:
    assert commands({"s": {"cmd": "x"}}, vars=[{"a": {"b": 1}}]) == {"s": "x"}
    assert NoFiles().where(None, ()) == ""
    with pytest.raises(DeclarationError, match=r"pivot.yaml:2: there is no file 'a.json'"):
        read({}, vars=["a.json"])


def test_large_files_count_once_where_they_are_the_same() -> None:
    files = Files(a_json={f"x{n}": n for n in range(9000)})
    stage = {"matrix": {"i": list(range(50))}, "vars": ["a.json"], "cmd": "-${x1}"}
    assert len(read({"s": stage}, files).stages) == 50
    with pytest.raises(DeclarationError, match="more than 300,000 values"):
        read({"s": {**stage, "vars": ["a.json", {"y": "${i}"}]}}, files)


def test_a_mapping_becomes_arguments() -> None:
    options = {
        "lr": 0.1,
        "name": "a b",
        "deep": {"x": 1, "none": {}},
        "verbose": True,
        "quiet": False,
        "cols": ["a", 2, True],
        "empty": [],
        "no": None,
        "$(id) x": 1,
    }
    text = "--lr 0.1 --name 'a b' --deep.x 1 --verbose --cols a 2 True --no None '--$(id) x' 1"
    assert command_text(options) == text
    assert commands({"s": {"cmd": ["run ${o}; ${n}", "x"]}}, vars={"o": options, "n": None}) == {
        "s": [f"run {text}; None", "x"]
    }


@settings(max_examples=30)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text() | st.lists(st.text(), min_size=1)))
def test_arguments_are_the_words_of_the_values(options: dict[str, Any]) -> None:
    expected = []
    for name, value in options.items():
        expected += [f"--{name}", *(value if isinstance(value, list) else [value])]
    assert shlex.split(command_text(options) or "") == expected


def test_a_stage_has_the_variables_that_it_uses_with_their_places() -> None:
    files = Files(a_json={"sets": {"x": {"n": 1, "unused": 2}}, "deep": {"er": [1, {"est": 2}]}}, params={"rate": 0.1})
    stages = {
        "each": {
            "foreach": "${sets}",
            "do": {
                "cmd": "${item.n} ${key} ${out} ${params.p} $${no}",
                "params": {"p": "${rate}"},
                "desc": "a ${rate}",
            },
        },
        "several": {
            "vars": [{"own": "${rate}"}],
            "cmd": ["${own} ${model.size} ${item.rate}", "${key} ${deep.er[1].est} ${deep.er[-1]} ${params.z}"],
            "matrix": {"model": [{"size": 5, "name": "m"}], "rate": "${deep.er}"},
            "wdir": "${given}",
        },
        "inline": {
            "foreach": [{"a": 1}, {"a": 2}],
            "do": {"cmd": "x", "outs": ["o${item.a}"], "deps": ["${item.a}.x"]},
        },
        "plain": {"cmd": "x"},
        "long": {"cmd": "${long} ${many} ${rate}"},
    }
    variables = [
        "a.json",
        {"base": "b", "model": {"f": 1}, "out": "${base}/${model.f}", "given": "no", "long": "x" * 500},
        {"many": {f"n{number}": number for number in range(80)}},
    ]
    found = {each.name: each for each in read(stages, files, {("given",): "w"}, vars=variables).stages}
    assert found["each@x"].variables == {
        "item.n": ("1", "a.json:3"),
        "out": ('"b/1"', "pivot.yaml:3"),
        "base": ('"b"', "pivot.yaml:3"),
        "model.f": ("1", "pivot.yaml:4"),
    }
    names = [name for name in found if name.startswith("several")]
    assert found[names[0]].variables == {
        "own": ("1", "pivot.yaml:5"),
        "model.size": ("5", "pivot.yaml:6"),
        "item.rate": ("1", "a.json:3"),
        "deep.er.1.est": ("2", "a.json:4"),
        "deep.er.-1.est": ("2", "a.json:4"),
        "given": ('"w"', "--var given"),
        "rate": ("1", "a.json:3"),
    }
    assert found["inline@1"].variables == {"item.a": ("2", "pivot.yaml:5")}
    assert found["plain"].variables == {}
    assert len(found["long"].variables) == 50
    assert read({"s": {"cmd": "x ${rate}"}}, files).stages[0].variables == {"rate": ("0.1", "params:1")}
    assert len(found["long"].variables["long"][0]) < 250


def test_items_of_what_may_be_a_secret_are_not_noted() -> None:
    stages: dict[str, Any] = {
        "list": {"foreach": "${passwords}", "do": {"cmd": "${item}"}},
        "mapping": {"foreach": {"token": "S", "other": "O"}, "do": {"cmd": "${item}"}},
        "matrix": {"matrix": {"a": ["${db.password}", "O"], "b": "${passwords}"}, "cmd": "${a} ${item.b}"},
    }
    variables = {"db": {"password": "S"}, "passwords": ["S"]}
    noted = {each.name: dict(each.variables) for each in read(stages, vars=variables).stages}
    assert noted == {
        "list@S": {},
        "mapping@token": {},
        "mapping@other": {"item": ('"O"', "pivot.yaml:4")},
        "matrix@S_S": {},
        "matrix@O_S": {"a": ('"O"', "pivot.yaml:5")},
    }


def test_all_variables_are_one_mapping() -> None:
    variables = Variables(Files(params={"d": 4}), {}, Measure(), str)
    known = variables.lookup(VariableScope({"a": 1, "b": 2}), {"a": 0}, {"b": 3, "c": 3})

    assert dict(known) == {"a": 0, "b": 2, "c": 3, "d": 4}
    assert (known.get("d"), known.get("e")) == (4, None)
    with pytest.raises(KeyError, match="e"):
        known["e"]
