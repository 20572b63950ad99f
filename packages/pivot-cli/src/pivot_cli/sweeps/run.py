"""Runs a sweep for `pivot repro --compare`: a line for each combination, and at its end the table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pivot_cli import signals
from pivot_cli.reporting.run import Verbosity
from pivot_cli.sweeps import results
from pivot_cli.terminal import console, formats
from pivot_core.errors import list_names
from pivot_runtime.context import CommandContext
from pivot_runtime.sweeps import events
from pivot_runtime.sweeps.events import SweepCombination
from pivot_runtime.sweeps.sweep import SweepOptions, SweepResult, plan, sweep

if TYPE_CHECKING:
    from pivot_cli.reporting.jsonl import JsonLines

_COLOURS: Final = {"ran": "green", "cached": "bright_black", "FAILED": "red", "running": "blue"}
_STAGE_LINES: Final = {"stage_ran": "ran", "stage_restored": "restored", "stage_cached": "cached"}


def print_plan(
    context: CommandContext,
    params: Sequence[str],
    targets: Sequence[str],
    options: SweepOptions,
    *,
    jsonl: bool,
    command: str,
) -> None:
    """Print the combinations, and the stages that would run."""
    found, names = plan(context, params, targets, options)
    if not jsonl:
        console.data(results.plan_text(found, names))
        return
    stream = _json_lines(command, context.began)
    stream.write(results.event_line(events.SweepStarted(found, names), context.began))
    stream.close()


def run_sweep(
    context: CommandContext,
    params: Sequence[str],
    targets: Sequence[str],
    options: SweepOptions,
    verbosity: Verbosity,
    command: str,
) -> int:
    """Run a sweep, print its events and its table; return the exit code."""
    stream = _json_lines(command, context.began) if verbosity.jsonl else None
    lines = _SweepLines(verbosity)
    ended: list[events.CombinationEnded] = []

    def report(event: events.SweepEvent) -> None:
        if isinstance(event, events.CombinationEnded):
            ended.append(event)
        if stream is not None:
            stream.write(results.event_line(event, context.began))
        lines(event)

    try:
        with signals.raise_on_termination():
            result = sweep(context, params, targets, options, report)
    except KeyboardInterrupt:
        _print_finished(ended, lines.count, verbosity)
        raise
    if stream is not None:
        stream.close()
    if verbosity.summary:
        console.data(f"{results.sweep_table(result.ended)}\n{_summary(result)}")
    return 0 if result.complete else 1


def _print_finished(ended: Sequence[events.CombinationEnded], count: int, verbosity: Verbosity) -> None:
    """Print the table of the combinations that had ended before an interruption, and how to go on."""
    finished = sorted((each for each in ended if each.id), key=lambda each: each.combination.number)
    if finished and verbosity.summary:
        console.data(results.sweep_table(finished))
    if count:
        done = f"{len(finished)} of {formats.counted(count, 'combination')}"
        console.note(f"{done} recorded: the same command goes on with the rest")


def _json_lines(command: str, began: float) -> "JsonLines":
    from pivot_cli.reporting.jsonl import JsonLines  # lazy

    return JsonLines(command, began=began)


class _SweepLines:
    """Prints a line for each combination, and problems of its stages."""

    def __init__(self, verbosity: Verbosity) -> None:
        self._quiet = verbosity.quiet
        self._stages = verbosity.explain or verbosity.verbose
        self._names: Mapping[str, str] = {}
        self._width = 0
        self._shown: set[str] = set()
        self.count = 0

    def __call__(self, event: events.SweepEvent) -> None:
        match event:
            case events.SweepStarted():
                self._started(event)
            case events.CombinationStarted(combination=combination) if not self._quiet:
                self._line("running", combination, None, list_names([self._names[each] for each in combination.stages]))
            case events.CombinationEvent(combination=combination, line=line):
                self._stage(combination, line)
            case events.CombinationEnded():
                self._ended(event)
            case events.SweepInterrupted(running=running) if running:
                ending = list_names([results.label(each) for each in running])
                console.note(f"interrupted: ending {ending}; press Ctrl-C again to end at once")

    def _started(self, event: events.SweepStarted) -> None:
        self._names = event.names
        self.count = len(event.combinations)
        self._width = max((len(results.label(each)) for each in event.combinations), default=0)

    def _stage(self, combination: SweepCombination, line: Mapping[str, Any]) -> None:
        name = self._names.get(str(line.get("address", "")), "")
        if line["event"] == "stage_failed" and line["detail"]:
            text = f"{line['detail']}\n{line['output']}"
            if text not in self._shown:  # other combinations may fail likewise
                self._shown.add(text)
                console.stage_output(line["detail"])
                if line["output"]:
                    console.text(f"--- the end of what {name!r} printed:\n{line['output']}\n---")
        elif line["event"] == "stage_undeclared":
            paths = list_names([each["path"] for each in line["found"]])
            console.warning(f"stage {name!r} uses files that it does not declare: {paths}")
        elif self._stages and not self._quiet and line["event"] in _STAGE_LINES:
            reasons = ", ".join(line.get("reasons", ()))
            detail = f"{name} {_STAGE_LINES[line['event']]}{f': {reasons}' if reasons else ''}"
            self._line("", combination, line.get("seconds"), detail)

    def _ended(self, event: events.CombinationEnded) -> None:
        if event.state == "failed" and event.problem == events.INTERRUPTED:
            return
        if event.state == "failed":
            self._line("FAILED", event.combination, event.seconds, event.problem)
            if event.hint:
                console.hint(event.hint)
        elif not self._quiet:
            self._line(event.state, event.combination, event.seconds if event.state == "ran" else None, "")

    def _line(self, state: str, combination: SweepCombination, seconds: float | None, detail: str) -> None:
        took = "" if seconds is None else formats.seconds(seconds)
        rest = f"{results.label(combination):<{self._width}}  {took:>6}  {detail}".rstrip()
        mark = console.coloured(f"{state:<8}", _COLOURS[state]) if state else " " * 8
        console.text(f"{mark}  {formats.one_line(rest)}")


def _summary(result: SweepResult) -> str:
    count = Counter(each.state for each in result.ended)
    parts = ", ".join(f"{count[state]} {state}" for state in ("failed", "ran", "cached") if count[state])
    done = "Done" if result.complete else "Not done"
    return f"{done}: {parts} ({formats.seconds(result.seconds)})"
