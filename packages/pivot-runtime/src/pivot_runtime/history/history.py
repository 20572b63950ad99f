"""`pivot history` and `pivot show`: earlier runs, replayed from their journals."""

import contextlib
import fcntl
import json
import math
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_cache.files import safe_read
from pivot_core.values import Value
from pivot_runtime.errors import HistoryError
from pivot_runtime.history import event_json, journal
from pivot_runtime.project.project import Project
from pivot_runtime.tracing.usage import ResourceUsage

_ENDS: Mapping[str, str] = {
    "stage_ran": "ran",
    "stage_restored": "restored",
    "stage_cached": "cached",
    "stage_frozen": "frozen",
    "stage_inputs_changed": "inputs_changed",
    "stage_failed": "failed",
    "stage_blocked": "blocked",
}
_MOST_SECONDS: Final = 1e11
_MOST_BYTES: Final = 1e18
STATES = ("failed", "blocked", "inputs_changed", "interrupted", "running", "ran", "restored", "frozen", "cached")
"""The possible states of a stage, the most serious first."""


@attrs.frozen(eq=False, repr=False)
class PastStage(Value):
    """The result of one stage in a run.

    Attributes:
        address: The stage.
        name: The name that is shown, with the combination.
        state: Its state, one of `STATES`.
        began: The start of its work, in seconds after the run began.
        seconds: The duration; None if nothing had to be done, or it did not end.
        reasons: The reasons for the work, the most important first.
        changes: The changes behind the reasons, as pairs of reason and key.
        usage: The resources that it used, if known.
        problem: The problem, in one line.
        undeclared: Files that it used and does not declare.
        combination: The parameters of its combination, if the run is a sweep; else empty.
        worker: The worker of a cluster that ran it; empty if it ran here.
    """

    address: str
    name: str
    state: str
    began: float
    seconds: float | None = None
    reasons: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    usage: ResourceUsage | None = None
    problem: str = ""
    undeclared: tuple[str, ...] = ()
    combination: str = ""
    worker: str = ""


@attrs.frozen(eq=False, repr=False)
class PastPhase(Value):
    """Time in a run that the command itself took, or the import of a pipeline for it.

    Attributes:
        kind: ``waiting`` (for another command), ``loading`` (of all pipelines), ``importing`` (of one), ``fetching``
            (the inputs of a stage), ``storing`` (its outs), or ``recording`` (results, where that took long).
        subject: The other command, the file of the pipeline, or the name of the stage; else empty.
        began: The start, in seconds after the run began.
        seconds: The duration.
        libraries: The part of each library in an import.
    """

    kind: str
    subject: str
    began: float
    seconds: float
    libraries: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class PastRun(Value):
    """An earlier run, or the one that is running.

    Attributes:
        number: The number by which users name it.
        time: The start in seconds since the epoch.
        command: The command that the user called.
        state: Its state: ``done``, ``not done``, ``interrupted``, ``stopped``, ``running``, or ``died``.
        seconds: The duration, as far as is known.
        stages: The stages in the order in which they ended, and then those that did not.
        problem: The reason why it was stopped.
        phases: The phases by their start; none in the record of an older version.
    """

    number: int
    time: float
    command: str
    state: str
    seconds: float
    stages: tuple[PastStage, ...]
    problem: str = ""
    phases: tuple[PastPhase, ...] = ()

    def counts(self) -> dict[str, int]:
        """The number of stages in each state, the most serious first."""
        return {state: count for state in STATES if (count := sum(stage.state == state for stage in self.stages))}

    def time_in(self, *kinds: str) -> float | None:
        """The seconds in which it was in a phase of these kinds, which may overlap; None if it had none."""
        spans = sorted((each.began, each.began + each.seconds) for each in self.phases if each.kind in kinds)
        total = end = 0.0
        for start, until in spans:
            total += max(0.0, until - max(start, end))
            end = max(end, until)
        return total if spans else None


def runs(project: Project) -> Iterator[PastRun]:
    """The stored runs, the newest first, without unreadable ones."""
    place = project.layout.history_dir
    for number in reversed(journal.numbers(place)):
        with contextlib.suppress(HistoryError):
            yield _read(place, number)


def run(project: Project, number: int | None = None) -> PastRun:
    """One run; without a number, the newest.

    Raises:
        HistoryError: There is no such run, or it cannot be read.
    """
    place = project.layout.history_dir
    known = journal.numbers(place)
    if not known:
        raise HistoryError("no run has been recorded", hint="'pivot repro' records what it does")
    if number is not None and number not in known:
        raise HistoryError(
            f"there is no run {number}", hint=f"kept runs: {known[0]} to {known[-1]}; see 'pivot history'"
        )
    return _read(place, known[-1] if number is None else number)


def _read(place: pathlib.Path, number: int) -> PastRun:
    file = place / f"{number}.jsonl"
    try:
        with safe_read.open_regular(file) as opened:
            data = opened.read()
            alive = _held(opened.fileno())
    except OSError as error:
        raise HistoryError(f"run {number} cannot be read: {error.strerror}") from None
    found = replay(number, _lines(data), alive=alive)
    if found is None:
        raise HistoryError(f"run {number} cannot be understood", hint=f"remove {file}, or upgrade Pivot")
    return found


def _held(fd: int) -> bool:
    """Whether the process that writes a journal is alive."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The intact lines; a power cut may have damaged any of them."""
    for text in data.split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            line = json.loads(text)
            if isinstance(line, dict):
                yield line


def replay(number: int, lines: Iterable[Mapping[str, Any]], *, alive: bool) -> PastRun | None:
    """A run, replayed from the lines of its journal; None if required lines or fields are missing.

    Args:
        number: Its number.
        lines: The recorded lines, from the first one on.
        alive: Whether its process is alive.
    """
    replayed = _Replay()
    try:
        for line in lines:
            replayed.take(line)
        return replayed.run(number, alive=alive)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _number(value: Any, most: float = _MOST_SECONDS) -> float:
    """A plausible number.

    Raises:
        ValueError: The value is not a number, or is out of range.
    """
    number = float(value)
    if not 0 <= number <= most:  # nor NaN
        raise ValueError(value)
    return number


type _Key = tuple[int, str]
"""A stage: the number of its combination, 0 if the run is no sweep, and its address."""


class _Replay:
    def __init__(self) -> None:
        self._head: Mapping[str, Any] | None = None
        self._names: Mapping[str, str] = {}
        self._combinations: dict[int, str] = {}
        self._started: dict[_Key, Mapping[str, Any]] = {}
        self._placed: dict[_Key, tuple[str, float]] = {}
        """The worker of a cluster that runs a stage, and since when."""
        self._ended: dict[_Key, PastStage] = {}
        self._undeclared: dict[_Key, tuple[str, ...]] = {}
        self._phases: list[PastPhase] = []
        self._waiting: tuple[str, float] | None = None
        self._starting = ""
        """The stage that has just started, for whose process an import may follow."""
        self._imported: dict[str, float] = {}
        """When the import was over that a stage waited for."""
        self._state = ""
        self._problem = ""
        self._seconds = 0.0

    def take(self, line: Mapping[str, Any]) -> None:
        event = line["event"]
        self._seconds = max(self._seconds, _number(line.get("at", 0.0)))
        self._take_phase(line)
        self._take_place(line)
        match event:
            case "began":
                if line["format"] != event_json.FORMAT:
                    raise ValueError
                self._head = line
            case "run_started":
                self._names = line["names"]
            case "stage_started":
                self._starting = line["address"]
                self._started[self._key(line)] = line
            case "stage_undeclared":
                self._undeclared[self._key(line)] = tuple(str(each["path"]) for each in line["found"])
            case "interrupted":
                self._state = "interrupted"
            case "run_ended":
                self._state = "done" if line["complete"] else "not done"
            case "run_stopped":
                self._state = "interrupted" if line["reason"] == "interrupted" else "stopped"
                self._problem = str(line["reason"])
            case _ if event in _ENDS:
                self._end(line, _ENDS[event])

    def _take_phase(self, line: Mapping[str, Any]) -> None:
        match line["event"]:
            case "waiting_for_guard":
                self._waiting = str(line["command"]), _number(line["at"])
            case "pipelines_loaded":
                self._loaded(line)
            case "pipeline_imported":
                self._phase("importing", str(line["file"]), line["began"], line["seconds"], line["libraries"])
                if self._starting:
                    self._imported[self._starting] = _number(line["at"])
            case "inputs_fetched":
                self._phase_until_now("fetching", line, line["seconds"])
            case "run_ended":
                for each in line.get("recording", ()):
                    self._phase("recording", "", each["began"], each["seconds"])
            case event if event in _ENDS:
                if line.get("storing"):
                    self._phase_until_now("storing", line, line["storing"])
                self._starting = ""

    def _take_place(self, line: Mapping[str, Any]) -> None:
        if line["event"] in ("stage_placed", "stage_moved"):
            self._placed[self._key(line)] = str(line["worker"]), _number(line["at"])

    def _loaded(self, line: Mapping[str, Any]) -> None:
        began, (command, since) = _number(line["began"]), self._waiting or ("", math.inf)
        if began > since:
            self._phase("waiting", command, since, began - since)
        self._phase("loading", "", began, line["seconds"])

    def _phase_until_now(self, kind: str, line: Mapping[str, Any], seconds: Any) -> None:
        name = self._names.get(line["address"], line["address"])
        self._phase(kind, name, max(0.0, _number(line["at"]) - _number(seconds)), seconds)

    def _phase(
        self, kind: str, subject: str, began: Any, seconds: Any, libraries: Mapping[str, Any] | None = None
    ) -> None:
        parts = {str(name): _number(part) for name, part in (libraries or {}).items()}
        self._phases.append(PastPhase(kind, subject, _number(began), _number(seconds), parts))

    def _end(self, line: Mapping[str, Any], state: str) -> None:
        key = self._key(line)
        started = self._started.pop(key, None)
        seconds = line.get("seconds")
        at = _number(line["at"])
        began = self._start(key, started) if started is not None else at - _number(seconds or 0.0)
        why = started if started is not None else line
        self._ended[key] = PastStage(
            key[1],
            self._name(key),
            state,
            began=max(0.0, began),
            seconds=None if seconds is None else _number(seconds),
            reasons=tuple(why.get("reasons", ())),
            changes=tuple((change["reason"], change["key"]) for change in why.get("changes", ())),
            usage=None
            if line.get("cpu") is None
            else ResourceUsage(_number(line["cpu"]), int(_number(line["memory"], _MOST_BYTES))),
            problem=self._wrong(line),
            undeclared=self._undeclared.get(key, ()),
            combination=self._combinations.get(key[0], ""),
            worker=self._placed.get(key, ("", 0.0))[0],
        )

    def _key(self, line: Mapping[str, Any]) -> _Key:
        number = int(line.get("combination", 0))
        if number:
            self._combinations[number] = str(line["params"])
        return number, line["address"]

    def _name(self, key: _Key) -> str:
        number, address = key
        name = self._names.get(address, address)
        return f"{name} ({self._combinations[number]})" if number in self._combinations else name

    def _start(self, key: _Key, started: Mapping[str, Any]) -> float:
        """When a stage's process began: after the import that it waited for, or when a worker of a cluster was free."""
        if key in self._placed:
            return self._placed[key][1]
        return self._imported.get(started["address"], _number(started["at"]))

    def _wrong(self, line: Mapping[str, Any]) -> str:
        match line["event"]:
            case "stage_failed":
                return str(line["summary"])
            case "stage_inputs_changed":
                return f"changed while it ran: {', '.join(line['changed'])}"
            case "stage_blocked":
                return self._why_blocked(line)
        return ""

    def _why_blocked(self, line: Mapping[str, Any]) -> str:
        for how, paths in (
            ("frozen, and missing", line.get("frozen")),
            ("missing", line["missing"]),
            ("output path is taken:", sorted(line["taken"])),
        ):
            if paths:
                return f"{how} {', '.join(paths)}"
        return f"depends on {self._names.get(line['failed_upstream'], line['failed_upstream'])}"

    def run(self, number: int, *, alive: bool) -> PastRun | None:
        head = self._head
        if head is None:
            return None
        state = self._state or ("running" if alive else "died")
        open_ = "running" if state == "running" else "interrupted"
        left = [
            PastStage(
                key[1],
                self._name(key),
                open_,
                self._start(key, line),
                reasons=tuple(line["reasons"]),
                combination=self._combinations.get(key[0], ""),
                worker=self._placed.get(key, ("", 0.0))[0],
            )
            for key, line in self._started.items()
        ]
        return PastRun(
            number,
            _number(head["time"]),
            str(head["command"]),
            state,
            self._seconds,
            (*self._ended.values(), *left),
            self._problem if state == "stopped" else "",
            tuple(sorted(self._phases, key=lambda phase: phase.began)),
        )
