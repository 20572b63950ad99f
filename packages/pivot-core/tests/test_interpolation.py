"""References in declared data: typed where they are the whole value, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.stages.interpolation import InterpolationError, Left, has_references, interpolate, substitute, text_of

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
    if "$${" not in text and "\\${" not in text:
        assert interpolate(text.replace("${", "$${"), {}) == text
        assert interpolate(text.replace("${", "\\${"), {}) == text


def test_items_are_named_with_dots() -> None:
    scope = {"model": {"name": "tree", "sizes": [1, 2]}, "n": 0.5}
    assert interpolate("${model.name}-${n}.json", scope) == "tree-0.5.json"
    assert interpolate({"sizes": "${model.sizes}"}, scope) == {"sizes": [1, 2]}


def test_later_references_stay() -> None:
    text = "run ${params.rate} ${n} > $${HOME}/x"
    assert (
        interpolate(text, {"n": 1}, left=Left(lambda name: name.startswith("params.")))
        == "run ${params.rate} 1 > ${HOME}/x"
    )
    assert substitute("a ${params.x.y} ${HOME} ${deps}", lambda *named: repr(named), ("params", "deps")) == (
        "a ('params', 'x.y') ${HOME} ${deps}"
    )


@given(st.text(alphabet="$ab${}. ") | st.lists(st.sampled_from(["${", "$${", "$", "params.x", "deps.y", "}", " "])))
def test_values_and_escapes_are_not_substituted_later(value: str | list[str]) -> None:
    text = value if isinstance(value, str) else "".join(value)
    for template in ("${v}", "-${v}-"):
        filled = interpolate(template, {"v": text}, left=Left(first=("params", "deps")))
        assert substitute(filled, lambda *_: "WRONG", ("params", "deps")) == template.replace("${v}", text)
    assert interpolate("${v}", {"v": [text, 1]}, left=Left(first=("params",)))[1] == 1
    escaped = interpolate("$${params.x} \\${ params.x } $${HOME}", {}, left=Left(first=("params",)))
    assert escaped == "$${params.x} $${ params.x } ${HOME}"
    assert substitute(escaped, lambda *_: "WRONG", ("params",)) == "${params.x} ${ params.x } ${HOME}"
    assert substitute(escaped, lambda *_: "WRONG", ("params",), unescape=False) == escaped


SCOPE = {"rate": 1, "model": {"name": "m"}, "sizes": [1, {"n": 2}], "none": [], "text": "t"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${sizes[0]}", 1),
        ("${ sizes [ 1 ] .n }", 2),
        ("${sizes.1.n}", 2),
        ("${sizes[-1][n]}", 2),
        ("-${model[name]}", "-m"),
        ("\\${rate} $${rate} ${rate}", "${rate} ${rate} 1"),
        ("a$b\\$c{", "a$b\\$c{"),
        ("$${a${rate}} ${HOME:-${rate}}", "${a1} ${HOME:-1}"),
    ],
)
def test_items_and_escapes(text: str, expected: Any) -> None:
    assert interpolate(text, SCOPE) == expected


def test_keys_are_texts_of_references() -> None:
    assert interpolate({"${rate}": {"x${text}": 1}}, SCOPE, keys=True) == {"1": {"xt": 1}}
    assert interpolate({"${rate}": 1}, SCOPE) == {"${rate}": 1}
    for keys, told in (
        ({"1": 0, "${rate}": 1}, "the key '1' occurs for the second time"),
        ({"${model}": 1}, r"\$\{model\} is no text, which a key must be"),
    ):
        with pytest.raises(InterpolationError, match=told):
            interpolate(keys, SCOPE, keys=True)


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("${rats}", "${rats} is not known", "did you mean ${rate}?"),
        ("${zzz}", "${zzz} is not known", "known here: rate, model"),
        ("${model.nam}", "${model.nam} is not known, since 'model' has no 'nam'", "did you mean ${model.name}?"),
        ("${rate.x}", "${rate.x} is not known, since 'rate' has no 'x'", "'rate' is a plain value"),
        ("x ${model}", "${model} is a mapping, which cannot be part of a string", "whole value"),
        ("${1+1}", "${1+1} is not a name", "${name}"),
        ("${}", "${} is not a name", "${name}"),
        ("${HOME:-/tmp}", "${HOME:-/tmp} is not a name", "$${ stands for a literal ${"),
        ("${sizes[2]}", "${sizes[2]} is not known, since 'sizes' has no '2'", "its items are 0 to 1"),
        ("${none[0]}", "${none[0]} is not known, since 'none' has no '0'", "it is empty"),
        ("${a${rate}}", "${a${rate}} is a reference in the name of another one", "'foreach' over a mapping"),
        ("${sizes[${rate}]}", "${sizes[${rate}]} is a reference in the name of another one", "name the value itself"),
        (f"${{a{'.b     ' * 50}[}}", f"${{a{'.b     ' * 50}[}} is not a name", "${name}"),
        ("${text.x}", "${text.x} is not known, since 'text' has no 'x'", "'text' is a text"),
    ],
)
def test_errors_have_a_message_and_a_hint(text: str, told: str, hint: str) -> None:
    with pytest.raises(InterpolationError) as raised:
        interpolate({"a": [0, text]}, SCOPE, ("stages",))
    assert str(raised.value) == told
    assert hint in (raised.value.hint or "")
    assert raised.value.path == ("stages", "a", 1)
