"""Source texts for explanations are read and stored together, not for each stage."""

import pathlib

import attrs
import pytest

from pivot_core.decide import FactChange, Reason
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import CodeEntry, Inputs, StageLock
from pivot_core.spec import Location, StageSpec
from pivot_fingerprint import source_digest
from pivot_runtime.evaluating.source_texts import SourceTexts
from pivot_runtime.loading.loaded import LoadedStage

FILE = "code.py"
TEXT = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / FILE).write_text(TEXT)
    return tmp_path


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def stage(name: str, digest: str, start: int) -> LoadedStage:
    spec = StageSpec(name, "p", "", Location(FILE, start))
    return LoadedStage(
        spec, {f"func:{name}": CodeEntry(digest, Location(FILE, start))}, spans={f"func:{name}": (start, start + 1)}
    )


F, G = stage("f", "1" * 32, 1), stage("g", "2" * 32, 5)


def stored(root: pathlib.Path) -> dict[str, str]:
    return dict(SourceTexts(root / "texts.sqlite", root).recall(["1" * 32, "2" * 32]))


def test_texts_are_stored_at_the_end_at_the_latest(root: pathlib.Path) -> None:
    texts = SourceTexts(root / "texts.sqlite", root)
    texts.remember(F)
    texts.remember(G)
    texts.close()

    assert stored(root) == {"1" * 32: "def f():\n    return 1\n", "2" * 32: "def g():\n    return 2\n"}


def test_texts_are_stored_once_a_second(root: pathlib.Path) -> None:
    """A run that is killed loses no more than those of its last second."""
    clock = Clock()
    texts = SourceTexts(root / "texts.sqlite", root, clock)
    texts.remember(F)
    clock.now = 0.9
    texts.remember(G)
    assert stored(root) == {}
    clock.now = 1.0
    texts.remember(G)
    assert stored(root).keys() == {"1" * 32, "2" * 32}


def test_variables_are_those_of_the_run_that_a_lock_records(root: pathlib.Path) -> None:
    texts = SourceTexts(root / "texts.sqlite", root)

    def at(value: str, digest: str, **more: tuple[str, str]) -> LoadedStage:
        spec = StageSpec("s", "p", "", Location(FILE, 1), file_params={ArtifactPath("a.json"): ("k",)})
        variables = {"x": (value, f"{FILE}:{value}"), **more}
        return LoadedStage(attrs.evolve(spec, variables=variables), {"command": CodeEntry(digest)}, params={"n": 1})

    def lock(digest: str) -> StageLock:
        inputs = Inputs(1, {"command": CodeEntry(digest)}, {"n": 1, "a.json:k": digest})
        return StageLock(inputs, {})

    texts.remember(at("1", "a", gone=("0", "")))
    texts.remember(at("2", "b"))
    texts.close()
    now = at("2", "b", new=("3", "f"))
    (gone, new, x) = texts.changed_variables(now, lock("a"))
    assert (gone.name, gone.old, gone.new, gone.place) == ("gone", "0", None, "")
    assert (new.name, new.old, new.new, new.place) == ("new", None, "3", "f")
    assert (x.name, x.old, x.new, x.place) == ("x", "1", "2", f"{FILE}:2")
    assert [each.name for each in texts.changed_variables(now, lock("b"))] == ["new"]
    assert texts.changed_variables(now, lock("c")) == texts.changed_variables(now, None) == ()
    assert texts.changed_variables(F, lock("a")) == ()


def test_a_source_is_read_once(root: pathlib.Path) -> None:
    """A run over many stages of one file does not read it for each of them."""
    texts = SourceTexts(root / "texts.sqlite", root)
    texts.remember(F)
    (root / FILE).unlink()
    texts.remember(G)
    texts.close()

    assert stored(root)["2" * 32] == "def g():\n    return 2\n"


def test_a_source_that_cannot_be_read_has_no_texts(root: pathlib.Path) -> None:
    (root / FILE).unlink()
    texts = SourceTexts(root / "texts.sqlite", root)
    texts.remember(F)
    texts.close()

    assert stored(root) == {}


def test_code_whose_lines_are_unknown_is_found_in_its_file(root: pathlib.Path) -> None:
    """So are whole modules and code that a run was observed to use, unless it was edited after the run."""
    seen = {f"func:m:{name}": CodeEntry(source_digest(TEXT, name) or "", Location(FILE, 9)) for name in ("f", "g")}
    seen["func:m:g"] = CodeEntry("2" * 32, Location(FILE, 9))
    spec = StageSpec("s", "p", "", Location(FILE, 1))
    stage = LoadedStage(spec, {"module:m:*": CodeEntry("3" * 32, Location(FILE, 0))})
    texts = SourceTexts(root / "texts.sqlite", root)
    texts.remember(stage, seen)
    texts.close()

    assert SourceTexts(root / "texts.sqlite", root).recall(["2" * 32]) == {}
    (root / FILE).write_text(TEXT.replace("return 1", "return 3"))
    changes = [FactChange(Reason.CODE, key, each.digest, "new") for key, each in {**seen, **stage.code}.items()]
    edits = SourceTexts(root / "texts.sqlite", root).edits(stage, changes, seen)
    found = {key: diff for key, edit in edits.items() if (diff := edit.diff()) is not None}
    assert found.keys() == {"func:m:f", "module:m:*"}
    assert all("-    return 1\n+    return 3\n" in each for each in found.values())
    assert "def g" in found["module:m:*"]


def test_an_edit_has_both_texts_as_far_as_they_are_known(root: pathlib.Path) -> None:
    texts = SourceTexts(root / "texts.sqlite", root)
    texts.remember(F)
    texts.close()
    (root / FILE).write_text(TEXT.replace("return 1", "return 3"))
    known = FactChange(Reason.CODE, "func:f", "1" * 32, "3" * 32)
    forgotten = FactChange(Reason.CODE, "func:g", "9" * 32, "2" * 32)
    added = FactChange(Reason.CODE, "func:g", None, "2" * 32)
    gone = FactChange(Reason.CODE, "func:h", "1" * 32, None)
    no_code = FactChange(Reason.PARAM, "rate", "1", "2")

    def edits(stage: LoadedStage, *changes: FactChange) -> dict[str, tuple[str | None, str | None, bool]]:
        found = SourceTexts(root / "texts.sqlite", root).edits(stage, changes)
        return {key: (each.before, each.now, each.diff() is not None) for key, each in found.items()}

    f, g = "def f():\n    return 1\n", "def g():\n    return 2\n"
    assert edits(F, known, gone, no_code) == {
        "func:f": (f, f.replace("1", "3"), True),
        "func:h": (f, None, True),
    }
    assert edits(G, forgotten) == edits(G, added) == {"func:g": (None, g, False)}
