"""Finds the value of a stage that a name or a path means, and its state."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from pivot_core.decide import Decision, FactChange, Reason
from pivot_core.errors import DiscoveryError, PathError, list_names, suggest
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.lock import Artifact
from pivot_core.spec import OutValue
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import StaleSnapshotError, TargetError
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.project import targets

_ABSENT: Final = frozenset({Reason.OUT_MISSING, Reason.OUT_LOST})


@attrs.frozen(eq=False, repr=False)
class Subject(Value):
    """The value of a stage, or other data, that a target means.

    Attributes:
        name: Its displayed name.
        paths: The paths of the outs, or of a file in one of them, or of other data of the project.
        value: The value of the stage; None if no stage writes the path.
        address: The stage; ``""`` if no stage writes the path.
    """

    name: str
    paths: tuple[ArtifactPath, ...]
    value: OutValue | None = None
    address: str = ""


class Lookup:
    """The pipelines of a call, with the project's stores.

    Attributes:
        session: The session.
        assembly: The pipelines.
    """

    def __init__(self, context: CommandContext, session: Session, assembly: Assembly) -> None:
        """Look for targets in a session."""
        self.session = session
        self.assembly = assembly
        self._context = context

    def subject(self, target: str) -> Subject:
        """Return the meaning of a target: a stage, a stage and the key of a value, or a path; the stage comes first.

        Raises:
            TargetError: It means nothing, or a stage that returns several values.
        """
        return self._of_stage(target) or self._of_value(target) or self._of_path(target) or self._refuse(target)

    def evaluation(self, address: str) -> Evaluation:
        """Return the state of a stage."""
        return self.session.evaluate([address])[address]

    def recorded(self, path: ArtifactPath) -> Artifact | None:
        """Return the recorded content of a path, or of a file in a recorded directory; None if it is unknown."""
        found = records.read(self._context).by_path.values()
        return self._at(path, {record.path: record.artifact for record in found})

    def best(self, path: ArtifactPath, evaluation: Evaluation) -> Artifact | None:
        """Return the content of an out that a run would restore, or else that its last run recorded."""
        if evaluation.decision.restore is not None:
            return self._at(path, evaluation.decision.restore.outs)
        return None if evaluation.lock is None else self._at(path, evaluation.lock.outs)

    def _at(self, path: ArtifactPath, found: Mapping[ArtifactPath, Artifact]) -> Artifact | None:
        if path in found:
            return found[path]
        around = next((each for each in found if is_within(path, each)), None)
        return None if around is None else self.session.artifact_in(found[around], path[len(around) + 1 :])

    def _values(self) -> Iterator[tuple[str, OutValue]]:
        for address in self.session.graph.stages:
            for value in self.session.stages[address].values:
                yield address, value

    def _of_stage(self, target: str) -> Subject | None:
        found = self._stages(target)
        if len(found) > 1:
            raise TargetError(
                f"{target!r} means several stages: {list_names(found)}", hint="name one stage; a pattern means many"
            )
        for address in found:
            values = self.session.stages[address].values
            if len(values) != 1:
                keys = list_names([f"{target}.{value.key}" for value in values], 10)
                problem = "several values" if values else "no values"
                raise TargetError(
                    f"stage {target!r} returns {problem}", hint=f"name one of them: {keys}" if keys else None
                )
            return Subject(self._name(address, values[0]), values[0].paths, values[0], address)
        return None

    def _of_value(self, target: str) -> Subject | None:
        for position in (number for number, letter in enumerate(target) if letter == "."):
            stage, key = target[:position], target[position + 1 :]
            for address in self._stages(stage) if stage else ():
                for value in self.session.stages[address].values:
                    if value.key == key:
                        return Subject(self._name(address, value), value.paths, value, address)
        return None

    def _stages(self, name: str) -> Sequence[str]:
        return sorted(targets.named(name, self.session.graph))

    def _of_path(self, target: str) -> Subject | None:
        try:
            named = self._context.project.path(target)
        except PathError:
            return None
        if not named:
            return None
        path = ArtifactPath(named)
        for address, value in self._values():
            for out in value.paths:
                if is_within(path, out):
                    name = self._context.project.from_cwd(path)
                    return Subject(name, (path,), attrs.evolve(value, shape="one"), address)
        known = path in records.read(self._context).by_path or self.session.artifact_at(path) is not None
        return Subject(self._context.project.from_cwd(path), (path,)) if known else None

    def _refuse(self, target: str) -> Subject:
        names = [self._name(address, value) for address, value in self._values()]
        paths = [self._context.project.from_cwd(path) for _, value in self._values() for path in value.paths]
        known = [*names, *paths, *self.session.graph.stages]
        hint = suggest(target, known, most=3) or f"known values: {list_names(names, 10) or 'none'}"
        raise TargetError(f"no stage, output or file is named {target!r}", hint=hint)

    def _name(self, address: str, value: OutValue) -> str:
        short = self.session.graph.short_names().get(address, address)
        return short if value.key == "return" else f"{short}.{value.key}"


def with_lookup[T](context: CommandContext, work: Callable[[Lookup], T]) -> T:
    """Load the pipeline of the call's directory and do the work; if it does not know a target, load all pipelines.

    Raises:
        PivotError: A pipeline cannot be loaded, or the work raises the error.
    """
    try:
        return _with_lookup(context, work, LoadOptions(quiet=True))
    except (DiscoveryError, TargetError):
        return _with_lookup(context, work, LoadOptions(quiet=True, all_pipelines=True, may_be_empty=lambda: True))


def _with_lookup[T](context: CommandContext, work: Callable[[Lookup], T], options: LoadOptions) -> T:
    def attempt(options: LoadOptions) -> T:
        with load_pipelines(context, options) as assembly, open_session(context, assembly, as_next_run=True) as session:
            return work(Lookup(context, session, assembly))

    try:
        return attempt(options)
    except StaleSnapshotError:
        return attempt(attrs.evolve(options, force_import=True))


def is_current(decision: Decision) -> bool:
    """Whether the recorded outs of a stage are those of its code and inputs, wherever they are; or it is frozen."""
    others = set(decision.reasons) - {Reason.FROZEN}
    return decision.holds or (bool(others) and others <= _ABSENT)


def reason_of(decision: Decision) -> str:
    """Return the most important reason of a decision with its subjects; empty if there is none."""
    if not decision.reasons:
        return ""
    reason = decision.reasons[0]
    subjects = list(dict.fromkeys(_subject(change) for change in decision.changes if change.reason is reason))
    return f"{reason.value}: {list_names(subjects)}" if subjects else reason.value


def _subject(change: FactChange) -> str:
    return change.key.rpartition(":")[2] if change.reason is Reason.CODE else change.key


def text_of(target: str | os.PathLike[str]) -> str:
    """Return a target as text; a path of a path object is not the name of a stage."""
    text = os.fspath(target)
    return text if isinstance(target, str) else os.path.join(os.curdir, text)
