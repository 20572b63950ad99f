"""`pivot repro`: skip, restore or run every stage that the targets depend on, and record it."""

import contextlib
import functools
import gc
import importlib
import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import attrs

from pivot_core.spec import LOCAL
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import StaleSnapshotError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.history.journal import Journal
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.project.guard import guarded

if TYPE_CHECKING:
    from pivot_cache.layout import Layout
    from pivot_core.graph import Graph
    from pivot_core.spec import StageSpec
    from pivot_runtime.cluster.cluster_run import ClusterRun
    from pivot_runtime.cluster.view import LeftOutsView
    from pivot_runtime.evaluating.session import Session
    from pivot_runtime.executors.base import Debugger, Executor
    from pivot_runtime.executors.host_executor import HostExecutor
    from pivot_runtime.running.edit_detection import CodeEdits
    from pivot_runtime.running.run_result import RunResult  # noqa: TC004  # named below for type checkers only
    from pivot_runtime.running.runner import Runner
    from pivot_runtime.running.turns import Turns

__all__ = ["RunOptions", "RunResult", "repro"]

_RUNNING: Final = (
    "sqlite3",
    "pivot_runtime.project.spawned_pipelines",
    "pivot_runtime.loading.varying_values",
    "pivot_runtime.running.runner",
    "pivot_runtime.running.outs",
    "pivot_runtime.running.run_records",
    "pivot_runtime.running.stage_run",
    "pivot_runtime.running.edit_detection",
    "pivot_runtime.artifacts.stash",
    "pivot_runtime.executors.strict_io",
    "pivot_runtime.executors.host_executor",
    "pivot_runtime.history.event_json",
    "pivot_runtime.evaluating.source_texts",
    "pivot_cache.objects.ingest",
    "pivot_cache.state.run_cache",
)
"""Modules that are needed only after the load, and imported while another process imports the pipeline."""


@attrs.frozen(eq=False, repr=False)
class RunOptions(Value):
    """How a run is done.

    Attributes:
        jobs: Stages at once; None for what is configured, else for what the machine grants.
        force: Run every stage, whatever the decision would be.
        keep_going: After a failure, run what does not depend on it; None for what is configured.
        all_pipelines: Load every pipeline of the project.
        only_targets: Work on the targets only, with what they depend on as it is on disk.
        pull: Artifacts of the default remote count as here, and are fetched where a stage that runs reads them.
        wait: Wait for another command that works on the project.
        show_output: Report what stages print immediately.
        trace_io: Watch with strace what stages open.
        ignore_errors: After a failure, go on with the stages that depend on it, and leave its outs if it wrote all.
        no_commit: Store and record nothing; `pivot commit` can do that later.
        owns_children: This process has no children but those of the run.
        in_process: Run the stages in this process, one after the other.
        debugger: With `in_process`: given the place in the user's code where a stage has failed.
        turns: Where several processes run stages for one command: asked before each stage that runs; stages run one
            after the other then, and all their outs are stored in the cache.
        executor: The address of the cluster on which stages run, or `LOCAL`; None for what is configured.
        fetch_outs: Bring the outs of stages that ran on a cluster into the workspace.
    """

    jobs: int | None = None
    force: bool = False
    keep_going: bool | None = None
    all_pipelines: bool = False
    only_targets: bool = False
    pull: bool = False
    wait: bool = True
    show_output: bool = False
    trace_io: bool = False
    ignore_errors: bool = False
    no_commit: bool = False
    owns_children: bool = False
    in_process: bool = False
    debugger: "Debugger | None" = None
    turns: "Turns | None" = None
    executor: str | None = None
    fetch_outs: bool = False

    @property
    def effective_executor(self) -> str | None:
        """The executor of this run; None for what is configured."""
        return LOCAL if self.in_process or self.no_commit or self.turns is not None else self.executor


def repro(
    context: CommandContext,
    targets: Iterable[str] = (),
    *,
    options: RunOptions | None = None,
    command: str = "pivot repro",
    report: Reporter = no_report,
) -> "RunResult":
    """Make the targets, and all that they depend on, true.

    Raises:
        PivotError: The pipeline cannot be loaded, a target is not known, or the cache cannot be written.
        KeyboardInterrupt: The user interrupted; started stages are ended and count as never run.
    """
    options = options or RunOptions()
    try:
        return _repro(context, targets, options, command, report, force_import=False)
    except StaleSnapshotError:  # a load did not give what the last one gave, though nothing known of has changed
        return _repro(context, targets, options, command, report, force_import=True)


def _repro(  # as `repro`
    context: CommandContext,
    targets: Iterable[str],
    options: RunOptions,
    command: str,
    report: Reporter,
    *,
    force_import: bool,
) -> "RunResult":
    layout = context.project.layout
    journal = Journal(layout, command, report, began=context.began)
    teller, report = report, journal
    with (
        guarded(layout.guard_file, command, events.report_waiting(report), wait=options.wait) as guard,
        contextlib.nullcontext(time.monotonic()) as began,
        load_pipelines(
            context,
            LoadOptions(
                all_pipelines=options.all_pipelines,
                force_import=force_import,
                on_import=report,
                guard=guard,
                runs_stages=not options.in_process,
                while_importing=functools.partial(_import_running, own_process=context.startup_state is not None),
                while_loading=functools.partial(lock_files.read_ahead, context),
            ),
        ) as assembly,
        _open_session(context, assembly) as session,
        contextlib.ExitStack() as ending,
    ):
        if context.arguments or (context.overrides and command.endswith(")")):
            journal.name_command(functools.partial(_command_line, context, assembly, command))
        report(events.PipelinesLoaded(began - context.began, time.monotonic() - began))
        if assembly.broken:
            report(events.PipelinesBroken(assembly.broken))
        wanted = session.resolve(targets)
        graph = session.graph.select(wanted if options.only_targets else session.graph.ancestors(wanted))

        def code_edits() -> "CodeEdits":
            from pivot_runtime.running.edit_detection import CodeEdits  # lazy

            return CodeEdits(context.project.root, assembly.files, context.overrides)

        cluster = _cluster_run(session, graph, options, report)
        if cluster is not None:
            ending.callback(cluster.close)
        left = None if cluster is not None or options.pull else _left_view(session, graph)
        finish = None if left is None else functools.partial(left.finish, report)

        def executor() -> "Executor":
            if cluster is None:
                return _make_executor(assembly, session, options, teller)
            return _routed_executor(cluster, assembly, session, options, teller, ending)

        _remove_leftovers(layout)
        view = left if cluster is None else cluster.view
        runner = _runner(options)(
            session,
            graph,
            executor,
            code_edits,
            options=options,
            report=report,
            view=view,
            cluster=cluster,
            finish=finish if cluster is None else cluster.finish,
        )
        result = runner.drive()
        _prune_left(layout)
        result.load_traces = assembly.load_traces
        if result.complete and not (result.idle or options.only_targets or options.no_commit):
            _record(session, graph.stages, result.seconds)
        return result


def _command_line(context: CommandContext, assembly: Assembly, call: str) -> str:
    """The command line for the record of the run, or the call of a notebook or script."""
    from pivot_runtime.history.command_line import masked, masked_call  # lazy

    stages = ((stage.spec.pipeline, stage.spec.name, stage.params) for stage in assembly.stages.values())
    if not context.arguments:
        return masked_call(call, context.overrides, stages)
    return masked(context.arguments, context.overrides, stages)


def _remove_leftovers(layout: "Layout") -> None:
    """Remove the copies of the project that killed sweeps and reruns have left, if there are any."""
    for home in (layout.sweeps_dir, layout.rerun_dir):
        try:
            os.rmdir(home)
        except FileNotFoundError:
            continue
        except OSError:
            from pivot_runtime.inspecting.scratch import remove_leftovers  # lazy

            remove_leftovers(home)


def _record(session: "Session", stages: "Mapping[str, StageSpec]", seconds: float) -> None:
    """Record the parameters and metrics of stages that are now up to date, if they have any."""
    from pivot_runtime.results.comparable import is_worthwhile, metric_paths  # lazy

    if is_worthwhile(stages.values(), (session.stages[address].params for address in stages)):
        from pivot_runtime.results import recording  # lazy

        recording.record_run(session.stores, stages, metric_paths(stages.values()), seconds=seconds)


def _runner(options: RunOptions) -> "type[Runner]":
    if options.turns is not None:
        from pivot_runtime.running.turns import TurnRunner  # lazy

        return TurnRunner
    from pivot_runtime.running.runner import Runner  # lazy

    return Runner


def _import_running(*, own_process: bool) -> None:
    """Import modules; in the process of another program, which has its own objects, do nothing else."""
    if all(name in sys.modules for name in _RUNNING):
        return
    for name in _RUNNING:
        importlib.import_module(name)
    if own_process:
        gc.freeze()  # the collector need not walk all modules again and again while the stages become objects


def _open_session(context: CommandContext, assembly: Assembly) -> contextlib.AbstractContextManager["Session"]:
    from pivot_runtime.evaluating.session import open_session  # lazy

    return open_session(context, assembly)


def _cluster_run(session: "Session", graph: "Graph", options: RunOptions, report: Reporter) -> "ClusterRun | None":
    """The part of the run that is on a cluster, if the options or the configuration name one."""
    address = options.effective_executor or session.stores.settings.executor
    if address is None or address == LOCAL:
        return None
    from pivot_runtime.cluster.cluster_run import ClusterRun  # lazy

    return ClusterRun(
        session,
        graph,
        address,
        report,
        jobs=options.jobs,
        fetch_outs=options.fetch_outs,
        keep_failed=options.ignore_errors,
    )


def _left_view(session: "Session", graph: "Graph") -> "LeftOutsView | None":
    """The view in which outs count as present that earlier runs have left on a cluster, if they have left any."""
    if not session.stores.layout.left_outs_file.exists():
        return None
    from pivot_runtime.cluster.view import left_view  # lazy

    return left_view(session, graph)


def _prune_left(layout: "Layout") -> None:
    if layout.left_outs_file.exists():
        from pivot_cache.state import left_outs  # lazy

        left_outs.prune(layout)


def _routed_executor(  # as `_make_executor`, and what ends with the run
    cluster: "ClusterRun",
    assembly: Assembly,
    session: "Session",
    options: RunOptions,
    report: Reporter,
    ending: contextlib.ExitStack,
) -> "Executor":
    """The executor of a run some of whose stages are sent to a cluster; the others run here."""
    from pivot_runtime.cluster.cluster_executor import ClusterExecutor  # lazy
    from pivot_runtime.executors.routed import RoutedExecutor  # lazy
    from pivot_runtime.executors.strict_io import StrictIO  # lazy

    def on_output(address: str, lines: tuple[str, ...]) -> None:
        report(events.StageOutput(address, lines))

    sent = ClusterExecutor(
        cluster,
        session,
        assembly,
        watching=StrictIO(session, report, trace=options.trace_io).watching,
        on_output=on_output if options.show_output else None,
        report=cluster.report,
    )
    ending.callback(sent.close)
    return RoutedExecutor(lambda: _host_executor(assembly, session, options, report), sent, cluster.takes)


def _make_executor(assembly: Assembly, session: "Session", options: RunOptions, report: Reporter) -> "Executor":
    """The executor on this machine that the options select."""
    if options.in_process:
        from pivot_runtime.executors.in_process import InProcessExecutor  # lazy
        from pivot_runtime.executors.strict_io import StrictIO  # lazy

        watching = StrictIO(session, report, trace=options.trace_io).watching
        return InProcessExecutor(session.context, assembly, watching, options.debugger)
    return _host_executor(assembly, session, options, report)


def _host_executor(assembly: Assembly, session: "Session", options: RunOptions, report: Reporter) -> "HostExecutor":
    """The executor that runs stages as children of hosts; with `show_output`, it reports their output."""
    from pivot_runtime.executors.host_executor import HostExecutor  # lazy
    from pivot_runtime.executors.strict_io import StrictIO  # lazy
    from pivot_runtime.project.spawned_pipelines import SpawnedPipelines  # lazy

    watching = StrictIO(session, report, trace=options.trace_io).watching

    def on_output(address: str, lines: tuple[str, ...]) -> None:
        report(events.StageOutput(address, lines))

    files = {
        stage.spec.address: file
        for each in assembly.files
        for file in [str(each.file.relative_to(session.project.root))]
        for stage in each.loaded.stages
    }
    spawning = SpawnedPipelines(session.project.layout)

    def spawned(address: str, threads: tuple[str, ...]) -> None:
        if spawning.found(files[address], threads):
            report(events.StagesSpawned(files[address], threads))

    def silent(address: str, seconds: float, quiet: float) -> None:
        report(events.StageSilent(address, seconds, quiet))

    settings = session.stores.settings
    return HostExecutor(
        assembly.host_of,
        watching,
        on_output if options.show_output else None,
        spawned,
        (float(settings.silence_seconds), silent),
        when_idle=assembly.store,
        start=settings.worker_start,
        owns_children=options.owns_children,
    )
