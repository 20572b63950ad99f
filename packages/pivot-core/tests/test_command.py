"""Commands as stages: what they declare, the words in them, and what is filled in."""

import pathlib
import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.errors import DefinitionError
from pivot_core.files.patterns import literal
from pivot_core.loaders import PathOnly
from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep, DirectoryOut, Metric, Out
from pivot_core.stages.command import command, fill_in, values, words

ARGUMENTS = st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), min_size=1).filter(
    lambda arguments: all(set(each) - set("<>&|") for each in arguments if each)  # a quoted sign of the shell
)


def test_a_command_is_a_stage_under_a_name() -> None:
    pipeline = Pipeline("demo")
    made = command(
        """
        Rscript fit.R \\
          rows.csv
        """,
        deps=[pathlib.Path("rows.csv"), Dep("all.csv", count=False)],
        outs=["model.rds", DirectoryOut("plots"), Out("scores.json", cache=False)],
    )
    assert pipeline.register(made, name="fit", variant="a", mutex=["r"]) is made
    (spec,) = pipeline.specs(base="sub", root="/p")

    assert made.steps == (made.text,)
    assert made.text == "Rscript fit.R \\\n  rows.csv"
    assert spec.address == "demo.fit@a"
    assert spec.location.file == __file__
    assert spec.deps == ("sub/all.csv", "sub/rows.csv")
    assert spec.uncounted == ("sub/all.csv",)
    assert [(out.path, out.directory, out.cache) for out in spec.outs] == [
        ("sub/model.rds", False, True),
        ("sub/plots", True, True),
        ("sub/scores.json", False, False),
    ]


def test_parameters_are_typed_by_their_values() -> None:
    pipeline = Pipeline("demo")
    made = command(
        "x ${params.rate} ${params.n} ${params.deep.er}", params={"rate": 0.5, "n": 1, "deep": {"er": "a b"}}
    )
    pipeline.register(made, name="fit", params={"n": 2})
    stage = pipeline.stages["fit"].with_params()
    given = values(stage.values["params"])

    assert dict(given) == {"rate": 0.5, "n": 2, "deep": {"er": "a b"}}
    assert fill_in(made.text, {}, {}, given) == "x 0.5 2 'a b'"
    assert fill_in(made.text, {}, {}) == made.text
    pipeline.register(made, name="bad", params={"rate": "fast"})
    with pytest.raises(DefinitionError, match="rate must be float"):
        pipeline.stages["bad"].with_params()


@pytest.mark.parametrize(
    ("name", "told"),
    [("deep.no", "but there is no 'no'"), ("n.er", "but there is no 'er'"), ("deep", "'deep' is dict")],
)
def test_values_that_cannot_be_part_of_a_command_are_refused(name: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        fill_in(f"x ${{params.{name}}}", {}, {}, {"n": 1, "deep": {"er": 2}})
    with pytest.raises(DefinitionError, match=r"the parameter 'n' contains the character U\+0000"):
        fill_in("x ${params.n}", {}, {}, {"n": "a\0"})
    assert fill_in("x ${params.all}", {}, {}, {"all": ["a b", True]}) == "x 'a b' true"


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("${params.rat}", "among its params is no 'rat'", r"did you mean \$\{params.rate\}"),
        ("${deps.x}", "among its deps is no 'x'", "it has: raw"),
        ("${outs.x}", "among its outs is no 'x'", "it has: none"),
    ],
)
def test_names_in_a_command_must_be_declared(text: str, told: str, hint: str) -> None:
    with pytest.raises(StageError, match=told) as raised:
        Pipeline("demo").register(command(text, deps={"raw": "raw.csv"}, params={"rate": 1}), name="fit")
    assert raised.match("stage 'fit'")
    assert __import__("re").search(hint, raised.value.hint or "")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(DefinitionError, match="must be a nonempty string"):
        command("  ")
    for wrong, told in (("x\0", "0000"), (["x", "\ud800"], "D800")):
        with pytest.raises(DefinitionError, match=rf"a command contains the character U\+{told}"):
            command(wrong)
    with pytest.raises(DefinitionError, match="deps must be a list"):
        command("x", deps="a.csv")
    with pytest.raises(DefinitionError, match="cannot be the name of a parameter"):
        Pipeline("demo").register(command("x", params={"a-b": 1}), name="fit")


@given(ARGUMENTS)
def test_every_word_that_the_shell_sees_is_found(arguments: list[str]) -> None:
    named = {each for each in arguments if any(map(str.isalnum, each)) and not each.startswith("-")}
    assert named <= set(words("cat " + " ".join(map(shlex.quote, arguments))))


@given(st.text())
def test_any_text_has_words(text: str) -> None:
    assert all(words(text))


@pytest.mark.parametrize("rest", ["", " # it's"])
def test_words_are_found_around_the_shells_own_signs(rest: str) -> None:
    """Also where the text is too odd to be taken apart as the shell does it."""
    text = "python fit.py -v --in=data/a.csv <b.txt 2>&1 | sort>c.txt >> l.txt 2> e.txt && (./run.sh;cat d.txt)"
    found = set(words(text + rest))
    assert {"fit.py", "data/a.csv", "b.txt", "./run.sh", "d.txt"} <= found
    assert found.isdisjoint({"c.txt", "l.txt", "e.txt", "-v"})


@given(ARGUMENTS)
def test_paths_are_quoted_for_the_shell(arguments: list[str]) -> None:
    names = list(dict.fromkeys(each for each in arguments if each and "://" not in each))  # a URL is no path
    if not names:
        return
    made = command("printf '%s\\0' ${deps.all}", deps={"all": names})
    text = fill_in(made.text, made.deps, made.outs)
    said = subprocess.run(["bash", "-c", text], capture_output=True, check=True).stdout
    assert said.decode(errors="surrogateescape").split("\0")[:-1] == [literal(each) for each in names]


def test_an_out_is_named_once() -> None:
    with pytest.raises(DefinitionError, match="outs names 'x' twice"):
        command("touch x", outs=["x", Out("x", cache=False)])


def test_several_commands_count_in_their_order() -> None:
    one, two = command(["a", " b ${params.n}\n"], params={"n": 1}), command(["b", "a"])

    assert one.steps == ("a", "b ${params.n}")
    assert one.text == "$ a\n$ b ${params.n}"
    assert len({one.text, two.text, command("a\nb").text}) == 3
    assert list(words(one.text)) == ["a", "b", "${params.n}"]
    with pytest.raises(StageError, match="among its params is no 'm'"):
        Pipeline("p").register(command(["a", "${params.m}"]), name="x")


@pytest.mark.parametrize("wrong", [[], ["a", ""], ["a", 1], 1, None])
def test_each_command_is_a_text(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="a command must be a nonempty string, or a list of such"):
        command(wrong)


def test_a_command_writes_its_outs_itself_whatever_loader_they_have() -> None:
    found = command("x", outs=[Metric("m.json"), Out("o")]).outs
    assert found == {"m.json": Metric("m.json", PathOnly()), "o": Out("o")}
