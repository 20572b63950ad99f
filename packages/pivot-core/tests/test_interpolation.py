"""References in declared data: typed where they are the whole value, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.stages.interpolation import InterpolationError, has_references, interpolate, substitute, text_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,6}", fullmatch=True)


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # NaN, and 1 is neither 1.0 nor True


@given(NAMES, DATA)
def test_a_whole_reference_is_the_value_itself(name: str, value: Any) -> None:
    assert same(interpolate(f"${{{name}}}", {name: value}), value)
    assert same(interpolate([{"x": f"${{ {name} }}"}], {name: value}), [{"x": value}])


@given(DATA.filter(lambda data: not has_references(repr(data))))
def test_texts_without_references_stay(data: Any) -> None:
    assert same(interpolate(data, {"x": 1}), data)


@given(NAMES, st.booleans() | st.integers() | st.text(), st.text(alphabet="ab $:{}/"), st.text(alphabet="ab :/"))
def test_within_a_text_it_is_written_out(name: str, value: Any, before: str, after: str) -> None:
    before = before.replace("{", "").replace("$", "")
    if not (before or after):
        before = "-"
    assert interpolate(f"{before}${{{name}}}{after}", {name: value}) == f"{before}{text_of(value)}{after}"


@given(st.text())
def test_any_text_can_be_escaped(text: str) -> None:
    assert interpolate(text.replace("${", "$${"), {}) == text if "$${" not in text else True


def test_items_are_named_with_dots() -> None:
    scope = {"model": {"name": "tree", "sizes": [1, 2]}, "n": 0.5}
    assert interpolate("${model.name}-${n}.json", scope) == "tree-0.5.json"
    assert interpolate({"sizes": "${model.sizes}"}, scope) == {"sizes": [1, 2]}


def test_later_references_stay() -> None:
    text = "run ${params.rate} ${n} > $${HOME}/x"
    assert interpolate(text, {"n": 1}, later=("params",)) == "run ${params.rate} 1 > ${HOME}/x"
    assert substitute("a ${params.x.y} ${HOME} ${deps}", lambda *named: repr(named), ("params", "deps")) == (
        "a ('params', 'x.y') ${HOME} ${deps}"
    )


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("${rats}", "${rats} is not known", "did you mean ${rate}?"),
        ("${zzz}", "${zzz} is not known", "known here: rate, model"),
        ("${model.nam}", "${model.nam} is not known, since 'model' has no 'nam'", "did you mean ${model.name}?"),
        ("${rate.x}", "${rate.x} is not known, since 'rate' has no 'x'", "no names are known here"),
        ("x ${model}", "${model} is a mapping, which cannot be part of a string", "whole value"),
        ("${1+1}", "${1+1} is not a name", "${name}"),
        ("${}", "${} is not a name", "${name}"),
    ],
)
def test_errors_have_a_message_and_a_hint(text: str, told: str, hint: str) -> None:
    with pytest.raises(InterpolationError) as raised:
        interpolate({"a": [0, text]}, {"rate": 1, "model": {"name": "m"}}, ("stages",))
    assert str(raised.value) == told
    assert hint in (raised.value.hint or "")
    assert raised.value.path == ("stages", "a", 1)
