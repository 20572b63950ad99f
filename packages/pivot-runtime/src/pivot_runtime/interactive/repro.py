"""`pivot.repro`: brings stages up to date from a notebook or a script, and returns the result of each."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from pivot_core.progress import no_progress
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import RunFailedError
from pivot_runtime.freshness import noop_cache
from pivot_runtime.history import events
from pivot_runtime.interactive.call import PathLike, called, turn
from pivot_runtime.interactive.lookup import reason_of, text_of
from pivot_runtime.interactive.results import ReproResult, StageResult
from pivot_runtime.running.repro import RunOptions
from pivot_runtime.running.repro import repro as run_stages
from pivot_runtime.running.runner import RunResult


def repro(  # noqa: PLR0913  # one parameter per option
    *targets: PathLike,
    params: Mapping[str, object] | None = None,
    force: bool = False,
    keep_going: bool | None = None,
    jobs: int | None = None,
    all_pipelines: bool = False,
    pull: bool = False,
    check: bool = True,
    progress: bool = False,
    root: PathLike | None = None,
) -> ReproResult:
    """Run the stages whose code or inputs changed, as the command ``pivot repro`` does.

    For example::

        pivot.repro("train", params={"train.rate": 0.1})

    Stages run in processes of their own, as always; nothing of this process is in them, neither its variables nor its
    modules. If another command works on the project, the call waits for it and says so on stderr. Ctrl-C, or the
    button that interrupts a notebook, ends the running stages.

    Args:
        targets: Names or addresses of stages, patterns, or paths of outs; without any, the stages of the pipeline.
        params: Values of parameters by ``stage.name``, for this run.
        force: Run every stage, even if it is cached.
        keep_going: After a failure, run the stages that do not depend on it; by default as configured.
        jobs: The number of stages that run at once; by default as configured.
        all_pipelines: Include all pipelines of the project.
        pull: Use results on the default remote.
        check: Raise an error unless all stages are up to date at the end.
        progress: Report each stage on stderr, with its output.
        root: A directory in the project; by default the current one.

    Raises:
        RunFailedError: With ``check``, a stage failed, or could not run; its ``result`` is the result.
        PivotError: There is no project, its pipeline cannot be loaded, a target is unknown, or a stage makes the call.
    """
    names = [text_of(target) for target in targets]
    plain = root is None and not (params or force or pull or progress)
    asked = ("pivot.repro()", "all" if all_pipelines else "", *names) if plain else ()
    with called("pivot.repro", root, params) as context:
        kept = _kept(context, asked) if asked else None
        if kept is not None:
            return kept
        collector = Collector(_write if progress else no_progress)
        options = RunOptions(
            jobs=jobs,
            force=force,
            keep_going=keep_going,
            all_pipelines=all_pipelines,
            pull=pull,
            show_output=progress,
        )
        command = f"pivot.repro({', '.join(map(repr, names))})"
        with turn():
            done = run_stages(context, names, options=options, command=command, report=collector)
        result = collector.result(done)
        if asked and done.idle and not done.frozen and context.notices.silent:
            _keep(context, asked, result, done)
        if check and not result.ok:
            raise _error(result)
        return result


def _kept(context: CommandContext, asked: Sequence[str]) -> ReproResult | None:
    """The result of the last such call, if it found nothing to do and nothing has changed since."""
    found = noop_cache.find(asked, context.environment, time.monotonic_ns())
    if found is None:
        return None
    try:
        stages = {name: StageResult(name, address, "cached") for name, address in json.loads(found.out)}
    except ValueError:
        return None
    return ReproResult(stages, time.monotonic() - context.began, ok=True)


def _keep(context: CommandContext, asked: Sequence[str], result: ReproResult, done: RunResult) -> None:
    text = json.dumps([[stage.name, stage.address] for stage in result.stages.values()])
    answer = noop_cache.CachedOutput(text, "", 0)
    noop_cache.keep(asked, context.environment, answer, read_set=context.read_set, traces=done.load_traces)


def _error(result: ReproResult) -> RunFailedError:
    """The error for a run, with all that is known of its failures as notes."""
    wrong = [stage for stage in result.stages.values() if not stage.ok]
    main = next((stage for stage in wrong if stage.outcome == "failed"), wrong[0])
    error = RunFailedError(f"{main.name} {main.outcome}: {main.reason}" if main.reason else str(main), result)
    for stage in wrong:
        if stage.outcome == "failed":
            error.add_note(f"{stage}\n{stage.detail}".rstrip())
    return error


class Collector:
    """Collects the results of stages from the events of a run."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        """Call ``on_line`` with the result of each stage, and with its output."""
        self._on_line = on_line
        self._names: Mapping[str, str] = {}
        self._stages: dict[str, StageResult] = {}

    def __call__(self, event: events.Event) -> None:
        """Collect the result that an event reports."""
        match event:
            case events.RunStarted():
                self._names = event.names
            case events.StageStarted():
                self._on_line(f"{self._name(event.address)}: running ({reason_of(event.decision)})")
            case events.ExecutorConnected():
                self._on_line(f"stages run at {event.address}{f' ({event.dashboard})' if event.dashboard else ''}")
            case events.StageWaiting():
                self._on_line(f"{self._name(event.address)}: waiting ({event.reason})")
            case events.StageMoved():
                self._on_line(f"{self._name(event.address)}: running again, since its worker {event.was} was lost")
            case events.StageOutput():
                for line in event.lines:
                    self._on_line(f"{self._name(event.address)} | {line}")
            case events.WaitingForGuard():
                _write(f"waiting for '{event.command}' (process {event.pid}), which works on this project")
            case events.ImportSlow():
                self._on_line(f"importing {event.file} for {event.seconds:.0f} s")
            case _:
                self._end(event)

    def result(self, done: RunResult) -> ReproResult:
        """The result of the run that has ended."""
        for address in sorted(done.unstarted):
            self._note(address, "not started")
        stages = {stage.name: stage for stage in self._stages.values()}
        return ReproResult(stages, done.seconds, ok=done.complete)

    def _end(self, event: events.Event) -> None:
        match event:
            case events.StageCached():
                self._note(event.address, "cached")
            case events.StageRestored():
                self._note(event.address, "restored", reason_of(event.decision), event.seconds)
            case events.StageRan():
                self._note(event.address, "ran", reason_of(event.decision), event.seconds)
            case events.StageInputsChanged():
                self._note(event.address, "changed", f"edited meanwhile: {', '.join(event.changed)}", event.seconds)
            case events.StageFailed():
                self._note(event.address, "failed", event.summary, event.seconds, _detail(event))
            case events.StageBlocked():
                self._note(event.address, "blocked", self._why_blocked(event))
            case _:
                pass

    def _note(self, address: str, outcome: str, reason: str = "", seconds: float = 0.0, detail: str = "") -> None:
        stage = StageResult(self._name(address), address, outcome, reason, seconds, detail)
        self._stages[address] = stage
        self._on_line(str(stage))

    def _why_blocked(self, event: events.StageBlocked) -> str:
        if event.failed_upstream:
            return f"{self._name(event.failed_upstream)} failed"
        if event.missing:
            return f"missing: {', '.join(event.missing)}"
        if event.frozen:
            return f"frozen, and missing: {', '.join(event.frozen)}"
        return ", ".join(f"{path} is taken: {what}" for path, what in event.taken.items())

    def _name(self, address: str) -> str:
        return self._names.get(address, address)


def _write(line: str) -> None:
    sys.stderr.write(f"pivot: {line}\n")
    sys.stderr.flush()


def _detail(event: events.StageFailed) -> str:
    """The last output of a failed stage, its traceback and the hint."""
    output = "" if event.output.strip() in event.detail else event.output.rstrip()
    log = f"all output: {event.log}" if event.log else ""
    return "\n".join(filter(None, (output, event.detail.rstrip(), event.hint and f"hint: {event.hint}", log)))
