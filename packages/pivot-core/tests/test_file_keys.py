"""Keys of values files: how stages declare them, and which values they select."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_core.errors import DefinitionError
from pivot_core.params import file_keys
from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep
from pivot_core.stages.command import command

TREES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
DATA = {"rate": 0.1, "model": {"layers": [64, {"size": 8}], "$ref": 1}, "off": None}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), {}),
        (["rate", "a.b", "rate"], {"params.yaml": ("rate", "a.b")}),
        ([{"c.json": ["x"], "s.toml": None}, {"c.json": ("y", "x")}], {"c.json": ("x", "y"), "s.toml": ()}),
        ([{"c.json": []}, {"c.json": ["x"]}, {"d.json": ["x"]}, {"d.json": None}], {"c.json": (), "d.json": ()}),
    ],
)
def test_keys_are_declared_by_file(given: Any, found: dict[str, tuple[str, ...]]) -> None:
    assert file_keys.parse(given) == found


@pytest.mark.parametrize(
    "given", ["rate", {"rate": 1}, 3, [3], [""], [{"": ["x"]}], [{"s3://b/c.json": ["x"]}], [{"a": "x"}], [{"a": [1]}]]
)
def test_other_declarations_are_refused(given: Any) -> None:
    with pytest.raises(DefinitionError, match="file_params"):
        file_keys.parse(given)
    with pytest.raises(StageError, match="file_params"):
        Pipeline("p").register(command("true"), name="s", file_params=given)


ITEMS = "'model.layers' is a list with 2 items, which are numbered from 0"


def test_values_are_selected_by_name() -> None:
    keys = ("rate", "model.layers.0", "model.layers.1.size", "off")

    found, missing = file_keys.select(
        DATA, "c/p.yaml", (*keys, "rat", "model.layer", "model.layers.7", "model.layers.x", "rate.x")
    )

    assert found == dict(zip((f"c/p.yaml:{key}" for key in keys), (0.1, 64, 8, None), strict=True))
    assert missing == {
        "c/p.yaml:rat": "it has no such key; did you mean rate?",
        "c/p.yaml:model.layer": "it has no such key; did you mean model.layers?",
        "c/p.yaml:model.layers.7": f"it has no such key; {ITEMS}",
        "c/p.yaml:model.layers.x": f"it has no such key; {ITEMS}",
        "c/p.yaml:rate.x": "it has no such key",
    }
    assert file_keys.labels("p", ("a", "b")) == ["p:a", "p:b"]


@settings(max_examples=40)
@given(st.data(), TREES)
def test_each_part_of_a_file_has_a_key(data: st.DataObject, tree: Any) -> None:
    part, parts = tree, list[str]()
    while isinstance(part, dict | list) and part and (not parts or data.draw(st.booleans())):
        step = data.draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        part, parts = part[step], [*parts, str(step)]
    key = ".".join(parts)

    found, missing = file_keys.select(tree, "p", (key, f"{key}.none") if key else ())

    assert found == {file_keys.label("p", key): part}
    assert list(missing) == ([f"p:{key}.none"] if key else [])


def test_a_whole_file_is_one_value_as_plain_data() -> None:
    found, missing = file_keys.select(DATA, "p.yaml", ())

    assert found["p.yaml"]["model"] == {"$dict": [["$ref", 1], ["layers", [64, {"size": 8}]]]}
    assert (list(found), missing, file_keys.labels("p.yaml", ())) == (["p.yaml"], {}, ["p.yaml"])


def test_the_files_are_deps_whose_content_does_not_count_unless_they_are_declared_as_such() -> None:
    pipeline = Pipeline("p")
    made = command("true", deps=[Dep("whole.json"), Dep("in.txt")])
    pipeline.register(made, name="s", file_params=["rate", {"whole.json": ["x"], "../c.toml": None}], wdir="sub")

    (spec,) = pipeline.specs(base="a", root="/project")

    assert spec.file_params == {"a/sub/params.yaml": ("rate",), "a/sub/whole.json": ("x",), "a/c.toml": ()}
    assert spec.deps == ("a/c.toml", "a/sub/in.txt", "a/sub/params.yaml", "a/sub/whole.json")
    assert spec.uncounted == ("a/c.toml", "a/sub/params.yaml")


def test_one_file_may_be_written_in_several_ways() -> None:
    pipeline = Pipeline("p")
    keys: list[Any] = [
        "a",
        {"./params.yaml": ["b", "a"], "sub/../params.yaml": ["c"], "c.json": ["a"]},
        {"./c.json": None},
    ]
    pipeline.register(command("true"), name="s", file_params=keys)

    (spec,) = pipeline.specs(base="", root="/p")

    assert spec.file_params == {"params.yaml": ("a", "b", "c"), "c.json": ()}


def test_a_file_outside_the_project_is_refused() -> None:
    pipeline = Pipeline("p")
    pipeline.register(command("true"), name="s", file_params=[{"../c.toml": None}])

    with pytest.raises(StageError, match=r"file_params: '\.\./c\.toml' is outside the project"):
        pipeline.specs(base="", root="/project")
