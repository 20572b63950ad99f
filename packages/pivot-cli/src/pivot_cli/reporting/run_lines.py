"""Lines of a run: one per stage on stderr, quiet neighbours on one line, and the summary at its end."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pivot_cache.errors import SHORTEN, TOO_LONG
from pivot_cli.error_topics import GENERAL, topic_of_failure
from pivot_cli.reporting.notices import note_outs_elsewhere, warn_of_broken
from pivot_cli.terminal import console, formats, imports
from pivot_cli.views import phrases
from pivot_core.decide import Decision, Reason
from pivot_core.errors import list_names
from pivot_core.files.patterns import is_pattern
from pivot_runtime.artifacts.obstacles import ways_out
from pivot_runtime.history import events

if TYPE_CHECKING:
    from pivot_runtime.running.repro import RunResult

_COLOURS: Mapping[str, str] = {
    "ran": "green",
    "restored": "green",
    "fetched": "blue",
    "cached": "bright_black",
    "frozen": "bright_black",
    "running": "blue",
    "FAILED": "red",
    "BLOCKED": "yellow",
    "edited": "yellow",
    "again": "yellow",
    "waiting": "yellow",
}


_GRAVE: Final = (
    events.PipelinesBroken,
    events.RunStarted,
    events.StageWaiting,
    events.StageUndeclared,
    events.StageInputsChanged,
    events.StageFailed,
    events.StageBlocked,
    events.UserFileSaved,
)
"""The events that are printed in any case, with their data."""


class RunLines:
    """Prints a line for each event immediately, and one line for neighbouring cached stages."""

    def __init__(
        self,
        *,
        explain: bool = False,
        quiet: bool = False,
        costs: bool = False,
        output: bool = False,
        tracebacks: bool = True,
    ) -> None:
        """Make the reporter of one run.

        Args:
            explain: Whether to print in full why each stage runs.
            quiet: Whether to print only problems.
            costs: Whether to print the resources that each stage used.
            output: Whether the output of stages is shown immediately.
            tracebacks: Whether to print the tracebacks of failures; a debugger shows them itself.
        """
        self._tracebacks = tracebacks
        self._explain = explain
        self._quiet = quiet
        self._costs = costs
        self._output = output
        self._cached: list[str] = []
        self._names: Mapping[str, str] = {}
        self._order: Mapping[str, int] = {}
        self._width = 0
        self._workers: dict[str, str] = {}

    def __call__(self, event: events.Event) -> None:
        """Print an event."""
        if isinstance(event, events.StagePlaced | events.StageMoved):
            self._workers[event.address] = event.worker
        if self._quiet and not isinstance(event, _GRAVE):
            return
        if isinstance(event, events.StageCached):
            self._cached.append(event.address)
            return
        self._flush_cached()
        handler = self._HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _waiting_for_guard(self, event: events.WaitingForGuard) -> None:
        since = "is working" if event.age is None else f"has been working for {formats.seconds(event.age)}"
        console.note(f"waiting for '{event.command}' (process {event.pid}), which {since} on this project")

    def _import(self, event: events.ImportSlow | events.PipelineImported) -> None:
        imports.report(event)

    def _pipelines_broken(self, event: events.PipelinesBroken) -> None:
        warn_of_broken(event.broken)

    def _run_started(self, event: events.RunStarted) -> None:
        self._names = event.names
        self._order = {address: number for number, address in enumerate(event.addresses)}
        self._width = max((len(event.names[address]) for address in event.addresses), default=0)

    def _inputs_fetched(self, event: events.InputsFetched) -> None:
        place = repr(event.remote) if event.remote else "the cache"
        source = f"{list_names(event.paths)}, from {place}"
        self._line("fetched", event.address, event.seconds, source)

    def _stage_started(self, event: events.StageStarted) -> None:
        if self._explain:
            self._explanation(event.address, event.decision)
            for each in event.changed_variables:
                old, new = (phrases.value(Reason.PARAM, side) for side in (each.old, each.new))
                at = f"  {each.place}" if each.place else ""
                console.text(formats.one_line(f"  var:{each.name}  {old} -> {new}{at}"))

    def _executor_connected(self, event: events.ExecutorConnected) -> None:
        capacity = f"{formats.counted(event.workers, 'worker')}, {formats.counted(event.threads, 'thread')}"
        dashboard = f"; dashboard: {event.dashboard}" if event.dashboard else ""
        console.note(f"stages run at {event.address} ({capacity}){dashboard}")

    def _waiting(self, event: events.StageWaiting) -> None:
        self._line("waiting", event.address, None, event.reason)

    def _moved(self, event: events.StageMoved) -> None:
        where = f"at {event.worker}" if event.worker else "at another worker"
        self._line("again", event.address, None, f"its worker {event.was} was lost: it runs again {where}")

    def _outs_elsewhere(self, event: events.OutsElsewhere) -> None:
        note_outs_elsewhere(event.count, event.remote)

    def _stages_spawned(self, event: events.StagesSpawned) -> None:
        console.note(
            f"importing {event.file} leaves threads running ({'; '.join(event.threads)}), for which a forked process "
            "would wait forever: its stages are spawned instead, and each imports the pipeline again"
        )
        console.hint(
            "start threads, and use libraries that do, inside the stages: then these are forked, which is faster"
        )

    def _ran(self, event: events.StageRan) -> None:
        cost = f"  ({_cost(event.usage.cpu, event.usage.memory)})" if self._costs and event.usage is not None else ""
        self._line("ran", event.address, event.seconds, f"{self._because(event.decision)}{cost}")
        for reason in event.incomplete:
            console.note(f"the code that {self._name(event.address)!r} ran was not fully observed: {reason}")

    def _restored(self, event: events.StageRestored) -> None:
        self._line("restored", event.address, event.seconds, self._because(event.decision))

    def _frozen(self, event: events.StageFrozen) -> None:
        if self._explain:
            self._explanation(event.address, event.decision)
        self._line("frozen", event.address, None, self._because(event.decision))

    def _inputs_changed(self, event: events.StageInputsChanged) -> None:
        changed = list_names([phrases.short_key(key) for key in event.changed])
        detail = f"not recorded, since this changed while it ran: {changed}"
        self._line("edited", event.address, event.seconds, detail)

    def _printed(self, event: events.StageOutput) -> None:
        name = self._name(event.address)
        console.stage_output("".join(f"{name:<{self._width}} | {line}\n" for line in event.lines))

    def _silent(self, event: events.StageSilent) -> None:
        detail = f"still running, no output for {formats.whole_seconds(event.silent)}"
        self._line("running", event.address, event.seconds, detail)

    def _retried(self, event: events.StageRetried) -> None:
        more = f"; retries left: {event.left}" if event.left else ""
        self._line("again", event.address, event.seconds, f"{event.summary} (it runs again{more})")

    def _leftovers_killed(self, event: events.LeftoverProcessesKilled) -> None:
        commands = list_names(event.commands)
        console.note(f"stage {self._name(event.address)!r} left {commands} running, which was ended with it")

    def _user_file_saved(self, event: events.UserFileSaved) -> None:
        console.note(
            f"{event.path} was not what a recorded run wrote: replaced ('{phrases.bring_back(event.path)}' brings it "
            f"back), and what was there is kept as {event.saved_as}"
        )

    def _outs_recached(self, event: events.OutsRecached) -> None:
        console.note(f"the cache had lost {list_names(event.paths)}: stored again")

    def _interrupted(self, event: events.Interrupted) -> None:
        if event.running:
            ending = list_names([self._name(address) for address in event.running])
            console.note(f"interrupted: ending {ending}; press Ctrl-C again to end at once")

    def _undeclared(self, event: events.StageUndeclared) -> None:
        console.warning(f"stage {self._name(event.address)!r} uses files that it does not declare:")
        for each in event.found:
            way = f"add: {each.line}" if each.line else "write to another path: only one stage may write a file"
            verb = "writes" if each.wrote else "reads"
            what = f"{formats.counted(each.count, 'file')} in {each.path}" if each.count > 1 else each.path
            whose = f", which {self._name(each.owner)!r} writes" if each.owner is not None else ""
            console.text(formats.one_per_line((f"  {verb} {what}{whose}", f"    {way}")))

    def _failed(self, event: events.StageFailed) -> None:
        self._line("FAILED", event.address, event.seconds, event.summary)
        if event.detail and self._tracebacks:
            console.stage_output(event.detail)
        if event.output and not self._output:
            console.text(
                f"--- the end of what {self._name(event.address)!r} printed ({event.log}):\n{event.output}\n---"
            )
        worker = self._workers.get(event.address)
        on = f" on {worker}" if worker and worker not in event.summary else ""
        console.error(f"stage {self._name(event.address)!r} failed{on}: {event.summary}")
        if event.hint:
            console.hint(event.hint)
        console.docs(topic_of_failure(event.summary, has_hint=event.hint is not None))

    def _blocked(self, event: events.StageBlocked) -> None:
        if event.frozen:
            self._line("BLOCKED", event.address, None, f"frozen, and missing {list_names(event.frozen)}")
            console.error(
                f"stage {self._name(event.address)!r} is frozen, and {event.frozen[0]} is neither here nor in the cache"
            )
            console.hint(
                "'pivot pull' fetches it from a remote; 'pivot unfreeze', or 'frozen' removed from its definition, "
                "lets the stage run"
            )
            console.docs("when-stages-run#frozen-stages")
        elif event.missing:
            self._line("BLOCKED", event.address, None, f"missing {list_names(event.missing)}")
            path = event.missing[0]
            how, way = "does not exist", "put the file there, or register a stage that writes it"
            if path in event.tracked:
                how = "is tracked, but not completely here"
                way = "'pivot checkout' restores it from the cache, 'pivot pull' fetches it from a remote"
            elif path in event.unreadable:
                problem = event.unreadable[path]
                way = SHORTEN if problem.endswith(TOO_LONG) else "repair it, or declare another path"
                how = f"cannot be read: {problem}"
            elif is_pattern(path):
                how, way = "matches no file", "put a file there that matches, or correct the pattern"
            console.error(f"stage {self._name(event.address)!r} cannot run: {path} {how}")
            console.hint(way)
            console.docs(f"{GENERAL}#blocked")
        elif event.taken:
            path, obstacle = min(event.taken.items())
            self._line("BLOCKED", event.address, None, f"output path is taken: {list_names(sorted(event.taken))}")
            how = "cannot be written" if obstacle.endswith(TOO_LONG) else "is in its way"
            console.error(f"stage {self._name(event.address)!r} cannot run: {path} {how}: {obstacle}")
            console.hint(ways_out(path, obstacle))
            console.docs(f"{GENERAL}#in-the-way")
        else:
            self._line("BLOCKED", event.address, None, f"depends on {self._name(event.failed_upstream)}")

    def _explanation(self, address: str, decision: Decision) -> None:
        console.text(formats.one_line(f"{self._name(address)}: {phrases.all_reasons(decision)}"))
        for change, key in phrases.keys(decision.changes).items():
            old, new = (phrases.value(change.reason, side) for side in (change.old, change.new))
            at = f"  {change.location}" if change.location is not None else ""
            console.text(formats.one_line(f"  {key}  {old} -> {new}{at}"))

    def _because(self, decision: Decision) -> str:
        return phrases.main_reason(decision, self._names, ())

    def _flush_cached(self) -> None:
        if self._cached:  # in the order of the graph, not of the decisions
            names = [self._name(each) for each in sorted(self._cached, key=lambda each: self._order.get(each, 0))]
            console.text(f"{_state('cached')}  {list_names(names)}")
            self._cached.clear()

    def _line(self, state: str, address: str, seconds: float | None, detail: str) -> None:
        took = "" if seconds is None else formats.seconds(seconds)
        rest = f"{self._name(address):<{self._width}}  {took:>6}  {detail}".rstrip()
        console.text(f"{_state(state)}  {formats.one_line(rest)}")

    def _name(self, address: str) -> str:
        return self._names.get(address, address)

    _HANDLERS: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        events.WaitingForGuard: _waiting_for_guard,
        events.ImportSlow: _import,
        events.PipelineImported: _import,
        events.PipelinesBroken: _pipelines_broken,
        events.RunStarted: _run_started,
        events.InputsFetched: _inputs_fetched,
        events.ExecutorConnected: _executor_connected,
        events.StageStarted: _stage_started,
        events.StageWaiting: _waiting,
        events.StageMoved: _moved,
        events.StagesSpawned: _stages_spawned,
        events.StageRan: _ran,
        events.StageFrozen: _frozen,
        events.StageRestored: _restored,
        events.StageUndeclared: _undeclared,
        events.StageInputsChanged: _inputs_changed,
        events.StageOutput: _printed,
        events.StageSilent: _silent,
        events.StageRetried: _retried,
        events.LeftoverProcessesKilled: _leftovers_killed,
        events.StageFailed: _failed,
        events.StageBlocked: _blocked,
        events.UserFileSaved: _user_file_saved,
        events.OutsRecached: _outs_recached,
        events.OutsElsewhere: _outs_elsewhere,
        events.Interrupted: _interrupted,
    }
    """Events without a method have no line."""


def _cost(cpu: float, memory: int) -> str:
    return f"{formats.seconds(cpu)} of processor time, {formats.size(memory)} of memory"


def _state(state: str) -> str:
    return console.coloured(f"{state:<8}", _COLOURS[state])


def summary(outcome: "RunResult") -> str:
    """Return the line at the end of a run."""
    parts = [
        f"{len(addresses)} {word}"
        for word, addresses in (
            ("failed", outcome.failed),
            ("blocked", outcome.blocked),
            ("not recorded", outcome.torn),
            ("not started", outcome.unstarted),
            ("ran", outcome.ran),
            ("restored", outcome.restored),
            ("frozen", outcome.frozen),
            ("cached", outcome.cached),
        )
        if addresses
    ]
    duration = formats.seconds(outcome.seconds)
    if not parts:
        return "Nothing to do: no stages are registered"
    if outcome.cached and len(parts) == 1:
        return f"Everything is up to date: {formats.counted(len(outcome.cached), 'stage')} cached ({duration})"
    return f"{'Done' if outcome.complete else 'Not done'}: {', '.join(parts)} ({duration})"
