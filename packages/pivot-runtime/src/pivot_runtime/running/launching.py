"""The executor of a run, as its options and the configuration want it."""

from pivot_runtime.evaluating.session import Session
from pivot_runtime.executors.host_executor import Executor, HostExecutor
from pivot_runtime.executors.options import RunOptions
from pivot_runtime.executors.strict_io import StrictIO
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.loading.assembly import Assembly
from pivot_runtime.loading.threads_at_import import Spawning


def executor(assembly: Assembly, session: Session, options: RunOptions, report: Reporter) -> Executor:
    """The executor of the stages; what they print is reported if the options say so."""
    watching = StrictIO(session, report, trace=options.trace_io).watching
    if options.in_process:
        from pivot_runtime.executors.in_process import InProcessExecutor  # noqa: PLC0415  # for the few who debug

        return InProcessExecutor(session.project, assembly, watching, options.debugger)

    def shown(address: str, lines: tuple[str, ...]) -> None:
        report(events.StageOutput(address, lines))

    files = {stage.spec.address: each.file for each in assembly.files for stage in each.loaded.stages}
    spawning = Spawning(session.project.layout)

    def spawned(address: str, threads: tuple[str, ...]) -> None:
        file = str(files[address].relative_to(session.project.root))
        if spawning.found(file, threads):
            report(events.StagesSpawned(file, threads))

    def silent(address: str, seconds: float, quiet: float) -> None:
        report(events.StageSilent(address, seconds, quiet))

    settings = session.stores.settings
    output, silence = shown if options.show_output else None, (float(settings.silence_seconds), silent)
    start, sole = settings.worker_start, options.sole
    return HostExecutor(assembly.host_of, watching, output, spawned, silence, start=start, sole=sole)
