"""Events that begin a round under watch: only what was edited, whatever the round before has come to."""

import contextlib
import itertools
import os
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import attrs
import pytest

from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.project import init
from pivot_runtime.running import watch
from pivot_runtime.running.repro import RunOptions, repro
from pivot_runtime.running.run_result import RunResult
from pivot_runtime.sharing import remote_client, transfer

PIPELINE = """
import pathlib
from typing import Annotated
from pivot_core.stages.annotations import Dep, Out
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
from pivot_core.stages.annotations import Dep, Out
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
GREEDY = """
import pathlib
from typing import Annotated
from pivot_core.stages.annotations import Dep, Out
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline

pipeline = Pipeline("p")


def grow(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    with pathlib.Path("in.txt").open("a") as file:
        file.write("+")
    return text


pipeline.register(grow)
"""
READERS = """
def read(text: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("read.txt", Text())]:
    return text


def again(text: Annotated[str, Dep("read.txt", Text())]) -> Annotated[str, Out("again.txt", Text())]:
    return text


pipeline.register(read)
pipeline.register(again)
pipeline.register(grow)
"""
GOOD = "def change(text):\n    if text == 'bad':\n        raise ValueError(text)\n    return text\n"


MOST = 20
"""Rounds, whatever is tested."""


def prepared(root: pathlib.Path, **texts: str) -> None:
    """Make a project of files, given with ``_`` for the dot in their names."""
    init(root)
    for name, text in texts.items():
        (root / name.replace("_", ".")).write_text(text)
    (root / ".pivot/config.yaml").write_text("strict_io.level: off\nwatch.debounce: 1\n")


def watched(  # noqa: PLR0913  # the options of a watch
    root: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[], object],
    *,
    options: RunOptions | None = None,
    report: Reporter = no_report,
    waiting: Callable[[Collection[str]], None] = lambda _: None,
    snapshots: bool = True,
) -> None:
    """Watch a project; ``edit`` is called whenever nothing else has to be done, and ends it by an exception."""

    class Waiter:
        """Edits something instead of waiting for that."""

        def wait(self, _: Iterable[str], changed: Callable[[], bool], *__: object) -> None:
            assert not changed()
            while not changed():
                edit()

    @contextlib.contextmanager
    def reporting(_: Sequence[str], __: float) -> Iterator[Reporter]:
        yield report

    monkeypatch.setattr(watch, "Waiter", Waiter)
    watching = watch.Watch(
        attrs.evolve(CommandContext.find(root, os.environ), use_snapshots=snapshots),
        (),
        options or RunOptions(),
        command="pivot repro",
        reporting=reporting,
        waiting=waiting,
        polling=lambda _: None,
    )
    with pytest.raises(KeyboardInterrupt):
        list(itertools.islice(watching.rounds(), MOST))


def test_an_edit_beside_broken_code_begins_one_round_and_a_stage_fails_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, pipeline_py=PIPELINE, helper_py=GOOD, in_txt="one")
    edits = [
        ("in.txt", "bad"),
        ("in.txt", "two"),
        ("helper.py", "def change(:\n"),
        ("in.txt", "three"),
        ("helper.py", GOOD),
    ]
    pending = iter(edits)

    def edit() -> None:
        name, text = next(pending, ("", ""))
        if not name:
            raise KeyboardInterrupt
        (tmp_path / name).write_text(text)

    watched(tmp_path, monkeypatch, edit)
    assert (tmp_path / "tries").read_text() == "one bad two three "
    assert (tmp_path / "out.txt").read_text() == "three"


@pytest.mark.parametrize("snapshots", [True, False])
def test_without_snapshots_each_round_imports_the_pipeline(
    snapshots: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = "with open('imports', 'a') as imports:\n    imports.write('x')\n"
    prepared(tmp_path, pipeline_py=counted + PIPELINE, helper_py=GOOD, in_txt="one")
    imports: list[int] = []

    def edit() -> None:
        imports.append(len((tmp_path / "imports").read_text()))
        if len(imports) > 1:
            raise KeyboardInterrupt
        (tmp_path / "in.txt").write_text("two")

    watched(tmp_path, monkeypatch, edit, snapshots=snapshots)
    assert (tmp_path / "tries").read_text() == "one two "
    first, second = imports
    assert (second == first) == snapshots


def test_outs_only_on_the_remote_begin_no_round_and_are_fetched_for_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, pipeline_py=FORGETFUL, in_txt="a", more_txt="b")
    remote = MemoryRemote()
    monkeypatch.setattr(remote_client, "remote_of", lambda *_: ("origin", remote))
    assert repro(CommandContext.find(tmp_path, os.environ)).complete
    assert transfer.push(CommandContext.find(tmp_path, os.environ)).complete
    for file in (*(tmp_path / ".pivot/cache/files").glob("*/*"), tmp_path / "middle.txt", tmp_path / "out.txt"):
        file.unlink()
    waits: list[bool] = []

    def edit() -> None:
        waits.append((tmp_path / "middle.txt").exists())
        if len(waits) > 1:
            raise KeyboardInterrupt
        (tmp_path / "more.txt").write_text("c")

    watched(tmp_path, monkeypatch, edit, options=RunOptions(pull=True))
    assert waits == [False, True]
    assert (tmp_path / "out.txt").read_text() == "ac"


def test_a_failing_other_command_begins_no_round(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two watches of one project would wake each other forever by what a failing stage does to its outs."""
    prepared(tmp_path, pipeline_py=PIPELINE, helper_py=GOOD, in_txt="one")
    told: list[str] = []

    def edit() -> None:
        told.append((tmp_path / "tries").read_text().split()[-1])
        match len(told):
            case 1:
                (tmp_path / "in.txt").write_text("bad")
            case 2:  # as the other one does
                assert repro(CommandContext.find(tmp_path, os.environ)).failed == {"p.copy"}
            case 3:  # as somebody does who has repaired what cannot be seen
                os.utime(tmp_path / "in.txt")
            case 4:
                (tmp_path / "out.txt").write_text("by hand")
            case _:
                raise KeyboardInterrupt

    watched(tmp_path, monkeypatch, edit)
    # the first run, the edit, the other command, the touch, the out
    assert (tmp_path / "tries").read_text() == "one bad bad bad bad "
    assert told == ["one", *["bad"] * 4]


def test_edits_are_noticed_while_another_command_is_at_work(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes by that command are looked at when it has ended, which may take hours."""
    prepared(tmp_path, pipeline_py=PIPELINE, helper_py=GOOD, in_txt="one")
    context = CommandContext.find(tmp_path, os.environ)
    told: list[str] = []

    with contextlib.ExitStack() as other:

        def edit() -> None:
            told.append((tmp_path / "tries").read_text())
            match len(told):
                case 1:
                    other.enter_context(guarded(context.project.layout.guard_file, "another", lambda *_: None))
                    (tmp_path / "out.txt").write_text("half")
                case 2:
                    (tmp_path / "out.txt").write_text("one")
                    other.close()
                case 3:
                    other.enter_context(guarded(context.project.layout.guard_file, "another", lambda *_: None))
                    (tmp_path / "out.txt").write_text("half")
                case 4:  # an edit: the round that begins for it waits for the other one
                    (tmp_path / "in.txt").write_text("two")
                    other.close()
                case _:
                    raise KeyboardInterrupt

        watched(tmp_path, monkeypatch, edit)
    assert told == ["one "] * 4 + ["one two "]


def test_an_object_that_is_lost_begins_a_round_and_one_that_is_touched_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, pipeline_py=PIPELINE, helper_py=GOOD, in_txt="one")
    rounds: list[str] = []

    def counted(*arguments: Any, **options: Any) -> RunResult:
        rounds.append("")
        return repro(*arguments, **options)

    monkeypatch.setattr(watch, "repro", counted)
    told: list[int] = []

    def edit() -> None:
        (stored,) = (tmp_path / ".pivot/cache/files").glob("*/*")
        told.append(len(rounds))
        match len(told):
            case 1:
                os.utime(stored, ns=(0, stored.stat().st_mtime_ns))  # as a hard link to it does
            case 2:
                stored.unlink()
            case 3:
                stored.chmod(0o644)
                stored.write_bytes(b"")
            case _:
                assert stored.read_text() == "one"
                raise KeyboardInterrupt

    watched(tmp_path, monkeypatch, edit)
    assert told == [1, 1, 2, 3]
    assert (tmp_path / "tries").read_text() == "one "


def test_a_stage_that_changes_its_own_input_is_given_up_until_an_edit(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, pipeline_py=GREEDY, in_txt="a")
    inputs: list[str] = []
    given_up: list[Collection[str]] = []

    def edit() -> None:
        inputs.append((tmp_path / "in.txt").read_text())
        match len(inputs):
            case 1:
                (tmp_path / "in.txt").write_text("b")
            case 2:
                (tmp_path / "pipeline.py").write_text(GREEDY.replace('.write("+")', '.write("")'))
            case _:
                raise KeyboardInterrupt

    watched(tmp_path, monkeypatch, edit, waiting=given_up.append)
    assert inputs == ["a+++", "b+", "b+"]
    assert given_up == [{"p.grow"}, {"p.grow"}, set()]
    assert (tmp_path / "out.txt").read_text() == "b+"


def test_stages_that_read_what_a_given_up_stage_changes_wait_with_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = GREEDY.replace("pipeline.register(grow)", READERS)
    prepared(tmp_path, pipeline_py=pipeline, in_txt="a")
    inputs: list[str] = []

    def edit() -> None:
        inputs.append((tmp_path / "in.txt").read_text())
        if len(inputs) > 1:
            raise KeyboardInterrupt
        (tmp_path / "pipeline.py").write_text(pipeline.replace('.write("+")', '.write("")'))

    watched(tmp_path, monkeypatch, edit, options=RunOptions(jobs=1))
    assert inputs == ["a+++", "a+++"]
    assert (tmp_path / "again.txt").read_text() == "a+++"


def test_a_stop_during_a_run_ends_watch(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others of these tests end it while it waits."""
    prepared(tmp_path, pipeline_py=PIPELINE, helper_py=GOOD, in_txt="one")
    reported: list[type] = []

    def report(event: events.Event) -> None:
        reported.append(type(event))
        if isinstance(event, events.StageStarted):
            raise KeyboardInterrupt

    def edit() -> None:
        raise AssertionError("it does not wait")

    watched(tmp_path, monkeypatch, edit, report=report)
    assert reported.count(events.RunStarted) == reported.count(events.RunStopped) == 1
    assert not (tmp_path / "tries").exists()
