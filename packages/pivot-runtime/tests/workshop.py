"""A real project directory whose stages are functions of the test, run in this process."""

import os
import pathlib
from collections import deque
from collections.abc import Callable
from typing import Annotated, Any

from inline_executor import InlineExecutor

from pivot_cache.formats import lock_file
from pivot_cache.layout import Layout
from pivot_core.loaders import Text
from pivot_core.lock import CodeEntry, Inputs, StageLock
from pivot_core.pipeline import Pipeline
from pivot_core.stages.annotations import Dep, Out
from pivot_runtime.context import CommandContext
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.executors.base import Executor, Finished
from pivot_runtime.history import events
from pivot_runtime.loading.assembly import Assembly, LoadedFile, assembled
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.project.project import init
from pivot_runtime.running.edit_detection import CodeEdits
from pivot_runtime.running.repro import RunOptions
from pivot_runtime.running.run_result import RunResult
from pivot_runtime.running.runner import Runner


class Workshop:
    """A project under the hands of a test.

    Attributes:
        versions: By stage name: what stands for the stage's code; another version is an edit.
        events: The events of the last run.
        calls: The names of the stages that were really called, in all runs.
    """

    def __init__(self, root: pathlib.Path) -> None:
        init(root)
        self.root = root
        self.pipeline = Pipeline("p")
        self.versions: dict[str, int] = {}
        self.events: list[events.Event] = []
        self.calls: list[str] = []

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def context(self) -> CommandContext:
        """The context of a new command."""
        return CommandContext.find(self.root, os.environ)

    def write(self, name: str, text: str) -> pathlib.Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def add(self, name: str, func: Callable[..., Any]) -> None:
        self.pipeline.register(func, name=name)

    def copying(self, name: str, source: str, target: str, change: Callable[[str], str] = str) -> None:
        """Add a stage that makes a text of a text."""

        def stage(text: Annotated[str, Dep(source, Text())]) -> Annotated[str, Out(target, Text())]:
            self.calls.append(name)
            return change(text)

        self.add(name, stage)

    def assembly(self) -> Assembly:
        return assembled(self.root, [LoadedFile(self.root / "pipeline.py", self.loaded())], own=1)

    def loaded(self) -> Loaded:
        return Loaded(
            1,
            tuple(
                LoadedStage(spec, {"func:f": CodeEntry(f"{self.versions.get(spec.name, 0):032x}")})
                for spec in self.pipeline.specs(base="", root=str(self.root))
            ),
            {},
        )

    def run(
        self,
        *targets: str,
        wrap: Callable[[Executor], Executor] = lambda executor: executor,
        report: events.Reporter | None = None,
        **options: Any,
    ) -> RunResult:
        """Run in this process, one stage at a time unless ``jobs`` says otherwise."""
        self.events = []
        assembly = self.assembly()
        stages = {f"p.{name}": (stage, self.root) for name, stage in self.pipeline.stages.items()}
        with open_session(self.context, assembly) as session:
            return Runner(
                session,
                session.graph.select(session.graph.ancestors(session.resolve(targets))),
                lambda: wrap(InlineExecutor(stages)),
                lambda: CodeEdits(self.root, assembly.files),
                options=RunOptions(**{"jobs": 1, **options}),
                report=report or self.events.append,
            ).drive()

    def evaluate(self) -> dict[str, Evaluation]:
        """The answer of a read-only command."""
        with open_session(self.context, self.assembly()) as session:
            return session.evaluate(session.resolve(()))

    def told[E](self, kind: type[E]) -> list[E]:
        """The events of a kind in the last run."""
        return [event for event in self.events if isinstance(event, kind)]

    def lock(self, name: str) -> StageLock | None:
        return lock_file.read(self.layout.lock_file(f"p.{name}"))

    def locks(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.layout.stages_dir.iterdir()}

    def object_of(self, name: str, path: str) -> pathlib.Path:
        """Where the content of a stage's out is in the store."""
        lock = self.lock(name)
        assert lock is not None
        digest = next(artifact.digest for out, artifact in lock.outs.items() if out == path)
        return self.layout.objects_dir / digest[:2] / digest[2:]

    def damage(self, name: str, path: str) -> None:
        """Give an object other bytes as a failing disk would: nothing but the bytes tells."""
        file = self.object_of(name, path)
        before = file.stat()
        file.chmod(0o644)
        file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
        file.chmod(0o444)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def names(addresses: set[str]) -> set[str]:
    return {address.partition(".")[2] for address in addresses}


def parts_of(outcome: RunResult) -> dict[str, set[str]]:
    """The sets of an outcome that are not empty, by bare stage names."""
    kinds = ("cached", "restored", "ran", "torn", "failed", "blocked", "unstarted")
    return {kind: names(getattr(outcome, kind)) for kind in kinds if getattr(outcome, kind)}


class Deferred:
    """An executor that really has several stages started: each is run only when it is waited for."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self._started: deque[tuple[str, pathlib.Path, Inputs]] = deque()
        self.most = 0
        self.stopped: list[str] = []

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        self._started.append((address, log, inputs))
        self.most = max(self.most, len(self._started))

    def wait(self) -> Finished:
        self._inner.start(*self._started.popleft())
        return self._inner.wait()

    def stop(self) -> None:
        self.stopped += [address for address, *_ in self._started]
        self._started.clear()

    def kill(self) -> None:
        self._started.clear()
