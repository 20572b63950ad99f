"""The reporter of a run: plain lines on stderr, one per stage, quiet neighbours on one line."""

from collections.abc import Mapping
from typing import Final

from pivot_cli.reporting.notices import warn_of_broken
from pivot_cli.terminal import console, formats
from pivot_cli.views import phrases
from pivot_core.decide import Decision
from pivot_runtime.artifacts.obstacles import ways_out
from pivot_runtime.history import events
from pivot_runtime.tracing.usage import ResourceUsage

_COLOURS: Mapping[str, str] = {
    "ran": "green",
    "restored": "green",
    "fetched": "blue",
    "cached": "bright_black",
    "running": "blue",
    "FAILED": "red",
    "BLOCKED": "yellow",
    "edited": "yellow",
    "again": "yellow",
}


_GRAVE: Final = (
    events.PipelinesBroken,
    events.RunStarted,
    events.StageUndeclared,
    events.StageInputsChanged,
    events.StageFailed,
    events.StageBlocked,
    events.UserFileSaved,
)
"""RunLines that are printed in any case, and the data for them."""


class RunLines:
    """Turns events into lines as they come."""

    def __init__(
        self, *, explain: bool = False, quiet: bool = False, costs: bool = False, output: bool = False
    ) -> None:
        """Make the reporter of one run.

        Args:
            explain: Say in full why each stage runs.
            quiet: Say only what goes wrong.
            costs: Say what each stage cost.
            output: The output of stages is reported immediately.
        """
        self._explain = explain
        self._quiet = quiet
        self._costs = costs
        self._output = output
        self._cached: list[str] = []
        self._names: Mapping[str, str] = {}
        self._order: Mapping[str, int] = {}
        self._width = 0

    def __call__(self, event: events.Event) -> None:
        """Take the next event."""
        if self._quiet and not isinstance(event, _GRAVE):
            return
        if isinstance(event, events.StageCached):
            self._cached.append(event.address)
            return
        self._flush_cached()
        self._say(event)

    def _say(self, event: events.Event) -> None:  # noqa: C901, PLR0912, PLR0915  # one arm per event
        match event:
            case events.WaitingForGuard(pid=pid, command=command, age=age):
                since = "is working" if age is None else f"has been working for {formats.seconds(age)}"
                console.note(f"waiting for '{command}' (process {pid}), which {since} on this project")
            case events.ImportSlow(seconds=seconds, where=where):
                console.importing(seconds, where)
            case events.PipelinesBroken(broken=broken):
                warn_of_broken(broken)
            case events.RunStarted(names=names, addresses=addresses):
                self._names = names
                self._order = {address: number for number, address in enumerate(addresses)}
                self._width = max((len(names[address]) for address in addresses), default=0)
            case events.InputsFetched(address=address, remote=remote, paths=paths, seconds=seconds):
                self._line("fetched", address, seconds, f"{phrases.listed(paths)}, from {remote!r}")
            case events.StageStarted(address=address, decision=decision):
                if self._explain:
                    self._explanation(address, decision)
            case events.StagesSpawned():
                _tell_spawned(event)
            case events.StageRan(address=address, decision=decision, seconds=seconds):
                cost = f"  ({_cost(event.usage)})" if self._costs and event.usage is not None else ""
                self._line("ran", address, seconds, f"{self._because(decision)}{cost}")
                for reason in event.incomplete:
                    console.note(f"the code that {self._name(address)!r} ran was not fully observed: {reason}")
            case events.StageRestored(address=address, decision=decision, seconds=seconds):
                self._line("restored", address, seconds, self._because(decision))
            case events.StageUndeclared():
                self._undeclared(event)
            case events.StageInputsChanged(address=address, seconds=seconds, changed=changed):
                what = phrases.listed([phrases.short_key(key) for key in changed])
                self._line("edited", address, seconds, f"not recorded, since this changed while it ran: {what}")
            case events.StageOutput(address=address, lines=printed):
                name = self._name(address)
                console.printed("".join(f"{name:<{self._width}} | {line}\n" for line in printed))
            case events.StageSilent(address=address, seconds=seconds, silent=silent):
                self._line("running", address, seconds, f"still running, no output for {formats.whole_seconds(silent)}")
            case events.StageRetried(address=address, seconds=seconds, summary=summary, left=left):
                more = f", {left} more if that fails" if left else ""
                self._line("again", address, seconds, f"{summary} (it is run once more{more})")
            case events.LeftoverProcessesKilled(address=address, commands=commands):
                what = phrases.listed(commands)
                console.note(f"stage {self._name(address)!r} left {what} running, which was ended with it")
            case events.StageFailed():
                self._failed(event)
            case events.StageBlocked():
                self._blocked(event)
            case events.UserFileSaved(path=path, saved_as=saved_as):
                console.note(
                    f"{path} was not what a recorded run wrote: replaced ('{phrases.bring_back(path)}' brings it "
                    f"back), and what was there is kept as {saved_as}"
                )
            case events.OutsRecached(paths=paths):
                console.note(f"the cache had lost {phrases.listed(paths)}: stored again")
            case events.Interrupted(running=running) if running:
                ending = phrases.listed([self._name(address) for address in running])
                console.note(f"interrupted: ending {ending}; once more to end at once")
            case _:
                pass

    def _undeclared(self, event: events.StageUndeclared) -> None:
        console.warning(f"stage {self._name(event.address)!r} uses files that it does not declare:")
        for each in event.found:
            way = f"add: {each.line}" if each.line else "write it elsewhere: a file has one writer"
            console.text(f"  {phrases.undeclared(each, self._names)}\n    {way}")

    def _failed(self, event: events.StageFailed) -> None:
        self._line("FAILED", event.address, event.seconds, event.summary)
        if event.detail:
            console.printed(event.detail)
        if event.output and not self._output:
            console.text(
                f"--- the end of what {self._name(event.address)!r} printed ({event.log}):\n{event.output}\n---"
            )
        console.error(f"stage {self._name(event.address)!r} failed: {event.summary}")
        if event.hint:
            console.hint(event.hint)

    def _blocked(self, event: events.StageBlocked) -> None:
        if event.missing:
            self._line("BLOCKED", event.address, None, f"missing {phrases.listed(event.missing)}")
            path = event.missing[0]
            how, way = "does not exist", "put the file there, or register a stage that writes it"
            if path in event.tracked:
                how = "is tracked, and not here as a whole"
                way = "'pivot checkout' restores it from the cache, 'pivot pull' fetches it from a remote"
            elif path in event.unreadable:
                how, way = f"cannot be read: {event.unreadable[path]}", "repair that, or declare another path"
            console.error(f"stage {self._name(event.address)!r} cannot run: {path} {how}")
            console.hint(way)
        elif event.taken:
            path, told = min(event.taken.items())
            self._line("BLOCKED", event.address, None, f"output path is taken: {phrases.listed(sorted(event.taken))}")
            console.error(f"stage {self._name(event.address)!r} cannot run: {path} is in its way: {told}")
            console.hint(ways_out(path, told))
        else:
            self._line("BLOCKED", event.address, None, f"depends on {self._name(event.failed_upstream)}")

    def _explanation(self, address: str, decision: Decision) -> None:
        console.text(f"{self._name(address)}: {phrases.reasons(decision)}")
        for change, key in phrases.keys(decision.changes).items():
            old, new = (phrases.value(change.reason, side) for side in (change.old, change.new))
            at = f"  {change.location}" if change.location is not None else ""
            console.text(f"  {key}  {old} -> {new}{at}")

    def _because(self, decision: Decision) -> str:
        return phrases.because(decision, self._names, ())

    def _flush_cached(self) -> None:
        if self._cached:  # in the order of the graph, whichever was looked at first
            names = [self._name(each) for each in sorted(self._cached, key=lambda each: self._order.get(each, 0))]
            console.text(f"{_state('cached')}  {phrases.listed(names)}")
            self._cached.clear()

    def _line(self, state: str, address: str, seconds: float | None, detail: str) -> None:
        took = "" if seconds is None else formats.seconds(seconds)
        console.text(f"{_state(state)}  {self._name(address):<{self._width}}  {took:>6}  {detail}".rstrip())

    def _name(self, address: str) -> str:
        return self._names.get(address, address)


def _tell_spawned(event: events.StagesSpawned) -> None:
    console.note(
        f"importing {event.file} leaves threads running ({'; '.join(event.threads)}), for which a forked process would "
        "wait in vain: its stages are spawned instead, and each imports the pipeline again"
    )
    console.hint("start threads, and use libraries that do, inside the stages: then these are forked, which is faster")


def _cost(usage: ResourceUsage) -> str:
    return f"{formats.seconds(usage.cpu)} of processor, {formats.size(usage.memory)} of memory"


def _state(state: str) -> str:
    return console.coloured(f"{state:<8}", _COLOURS[state])
