"""A stage run in a new interpreter, for pipelines that do not survive a fork."""

import faulthandler
import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pivot_cache.layout import Layout
from pivot_core.params.overrides import Override
from pivot_core.stages.stage import Stage
from pivot_fingerprint.observation import Observer
from pivot_fingerprint.programs import track_putenv
from pivot_runtime.definitions import source_import
from pivot_runtime.definitions.code_cache import CodeCache
from pivot_runtime.definitions.reimport import ReimportedPipeline
from pivot_runtime.processes import parent_death, process_tree, wire
from pivot_runtime.processes.originals import Originals, Replacements
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import failure, stage_main

_RESULT_FD = 3


def spawn(job: Mapping[str, Any], *, output: int, result: int) -> int:
    """Start the interpreter; returns its pid.

    Args:
        job: The stage to run and the pipeline that it is in, for `main`.
        output: The descriptor for its output.
        result: The descriptor for its reports.
    """
    import tempfile  # lazy

    with tempfile.TemporaryFile() as file:
        file.write(wire.dumps(job).encode())
        file.seek(0)
        command = f"{process_tree.SPAWN_CODE}; main({os.getpid()})"
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-c", command],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, file.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
                (os.POSIX_SPAWN_DUP2, result, _RESULT_FD),
            ],
            setpgroup=0,
        )


def main(host: int) -> None:
    """Do the job that is on standard input, as a child of the process ``host``; never returns."""
    parent_death.prepare()
    parent_death.die_with(host)
    os.set_inheritable(_RESULT_FD, False)
    faulthandler.enable(file=2)  # a crash leaves its traceback in the log
    with open(0, "rb", closefd=False) as file:
        job = wire.loads(file.read().decode())
    track_putenv()
    is_user_code = source_import.user_code_predicate()
    originals = Originals()
    stage, replacements = _import_stage(job, is_user_code, originals)
    root, directory, spool = job["root"], job["directory"], job["spool"]
    observer = Observer(root=root, is_user_code=is_user_code, spool=pathlib.Path(spool))
    tracer = StageTracer(
        TraceOptions.from_plain(job["watching"]),
        root=root,
        address=job["address"],
        declared=tuple(job["declared"]),
        spool=spool,
        assigned=job["assigned"],
    )
    originals.prepare()
    stage_main.reset_signals()
    stage_main.prepare(stage_main.WorkerFds(1, _RESULT_FD, (), host))
    observer.__enter__()
    wire.send(_RESULT_FD, {"ready": True})
    observers = stage_main.StageObservers(observer, tracer)
    stage_main.run(stage, directory, _RESULT_FD, observers, originals=originals, replacements=replacements)


def _import_stage(
    job: Mapping[str, Any], is_user_code: Callable[[str], bool], originals: Originals
) -> tuple[Stage, Replacements]:
    """The stage and the replacements of its module; a failed import is reported and ends this process."""
    process = os.getpid()
    try:
        stage = _reimport(job, is_user_code, originals)
        if os.getpid() != process:
            stage_main.end_fork()  # a process that the import forked ends where the import ends
        return stage, originals.restore()
    except BaseException as error:  # noqa: BLE001  # whatever the user's module raises
        originals.restore()
        if os.getpid() != process:
            stage_main.end_fork(error)
        wire.send(_RESULT_FD, {"ok": False, "failure": failure.describe_failure(error)})
        stage_main.flush_streams()
        os._exit(1)


def _reimport(job: Mapping[str, Any], is_user_code: Callable[[str], bool], originals: Originals) -> Stage:
    sources: dict[str, str] = {}
    cache = CodeCache(Layout(pathlib.Path(job["root"])).compiled_dir)
    source_import.import_from_source(is_user_code, sources, cache)
    file = pathlib.Path(job["file"])
    os.chdir(file.parent)
    sys.argv[:] = [str(file)]
    overrides = [Override.parse(text) for text in job["overrides"]]
    root, imported = pathlib.Path(job["root"]), originals.restore_builtins
    live = ReimportedPipeline(file, root, overrides=overrides, sources=sources, imported=imported)
    return live.stage(job["address"], job["sources"])
