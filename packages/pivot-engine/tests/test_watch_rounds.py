"""What begins a round under watch: only what was edited, whatever the round before has come to."""

import contextlib
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from pivot_cache.testing import MemoryRemote
from pivot_engine import sync, watch
from pivot_engine.events import Reporter, silent
from pivot_engine.project import Project, init
from pivot_engine.repro import Options, repro

PIPELINE = """
import pathlib
from typing import Annotated
from pivot_core.annotations import Dep, Out
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline
import helper

pipeline = Pipeline("p")


def copy(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    with pathlib.Path("tries").open("a") as file:
        file.write(f"{text} ")
    return helper.change(text)


pipeline.register(copy)
"""
FORGETFUL = """
import pathlib
from typing import Annotated
from pivot_core.annotations import Dep, Out
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline

pipeline = Pipeline("p")


@pipeline.register
def first(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("middle.txt", Text())]:
    return text


@pipeline.register
def second(
    text: Annotated[str, Dep("middle.txt", Text())], more: Annotated[str, Dep("more.txt", Text())]
) -> Annotated[str, Out("out.txt", Text())]:
    return text + more
"""
GOOD = "def change(text):\n    if text == 'bad':\n        raise ValueError(text)\n    return text\n"


def test_what_broken_code_does_not_read_begins_one_round_and_a_stage_fails_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(tmp_path)
    for name, text in (
        ("pipeline.py", PIPELINE),
        ("helper.py", GOOD),
        ("in.txt", "one"),
        (".pivot/config.yaml", "strict_io: off\nwatch.debounce: 1\n"),
    ):
        (tmp_path / name).write_text(text)
    edits = [
        ("in.txt", "bad"),
        ("in.txt", "two"),
        ("helper.py", "def change(:\n"),
        ("in.txt", "three"),
        ("helper.py", GOOD),
    ]
    pending = iter(edits)

    class Waiter:
        """Edits the next file as soon as nothing else has to be done."""

        def wait(self, _: Iterable[str], changed: Callable[[], bool], *__: object) -> None:
            assert not changed()
            name, text = next(pending, ("", ""))
            if not name:
                raise KeyboardInterrupt
            (tmp_path / name).write_text(text)
            assert changed()

    @contextlib.contextmanager
    def reporting(_: Sequence[str]) -> Iterator[Reporter]:
        yield silent

    monkeypatch.setattr(watch, "Waiter", Waiter)
    watching = watch.Watch(
        Project.find(tmp_path),
        (),
        Options(),
        command="pivot repro",
        reporting=reporting,
        waiting=lambda: None,
        polling=lambda _: None,
    )
    with pytest.raises(KeyboardInterrupt):
        list(itertools.islice(watching.rounds(), len(edits) * 4))
    assert (tmp_path / "tries").read_text() == "one bad two three "
    assert (tmp_path / "out.txt").read_text() == "three"


def test_what_only_the_remote_has_begins_no_round_and_is_fetched_for_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(tmp_path)
    for name, text in (("pipeline.py", FORGETFUL), ("in.txt", "a"), ("more.txt", "b")):
        (tmp_path / name).write_text(text)
    (tmp_path / ".pivot/config.yaml").write_text("strict_io: off\nwatch.debounce: 1\n")
    remote = MemoryRemote()
    monkeypatch.setattr(sync, "remote_of", lambda *_: ("origin", remote))
    assert repro(Project.find(tmp_path)).complete
    assert sync.push(Project.find(tmp_path)).complete
    for file in (*(tmp_path / ".pivot/cache/files").glob("*/*"), tmp_path / "middle.txt", tmp_path / "out.txt"):
        file.unlink()
    waits: list[bool] = []

    class Waiter:
        def wait(self, _: Iterable[str], changed: Callable[[], bool], *__: object) -> None:
            waits.append((tmp_path / "middle.txt").exists())
            if len(waits) > 1:
                raise KeyboardInterrupt
            (tmp_path / "more.txt").write_text("c")
            assert changed()

    @contextlib.contextmanager
    def reporting(_: Sequence[str]) -> Iterator[Reporter]:
        yield silent

    monkeypatch.setattr(watch, "Waiter", Waiter)
    watching = watch.Watch(
        Project.find(tmp_path),
        (),
        Options(pull=True),
        command="pivot repro",
        reporting=reporting,
        waiting=lambda: None,
        polling=lambda _: None,
    )
    with pytest.raises(KeyboardInterrupt):
        list(itertools.islice(watching.rounds(), 9))
    assert waits == [False, True]
    assert (tmp_path / "out.txt").read_text() == "ac"
