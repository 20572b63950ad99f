"""The command of a shell stage: filled in, run by bash, and checked for its outs."""

import os
import pathlib
import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

from pivot_core.files.patterns import is_pattern, literal
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep
from pivot_core.stages.command import PARAMS, Command, fill_in, values
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions import shell_code
from pivot_runtime.programs.start_files import BashStart, ProgramTracer
from pivot_runtime.tracing.strace import on_path
from pivot_runtime.worker.file_values import files_matching

SHELL: Final = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
"""Bash with options that end the text at the first command that fails, also inside a pipe."""

_RESTORED: Final = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_MEANING: Final = {
    126: "a program in it may not be executed: chmod +x",
    127: "a program in it is not found: paths are relative to the directory of the pipeline",
}


def run(stage: Stage, command: Command, programs: ProgramTracer | None = None) -> Mapping[str, Any]:
    """Run a command in the current directory; returns its outs by key.

    Python programs in it are observed by their tracer.

    Raises:
        StageError: It failed, or did not write an out.
    """
    params, deps = values(stage.values.get(PARAMS)), _found(stage.deps)
    texts = [fill_in(step, deps, stage.outs, params) for step in command.steps]
    _make_directories(stage)
    program = on_path(SHELL[0])
    if program is None:
        raise _error(stage, "bash, which runs commands, is not on the PATH", hint="install bash")
    record = pathlib.Path(command.created) if command.created else None
    outs = [path for out in stage.outs.values() for path in out.paths]
    with shell_code.note_created(fill_in(command.text, stage.deps, stage.outs), outs, record):
        for number, text in enumerate(texts):
            if len(texts) > 1:  # without parameters, whose values no log contains
                sys.stdout.write(f"$ {fill_in(command.steps[number], stage.deps, stage.outs)}\n")
                sys.stdout.flush()
            start = BashStart(text, os.environ) if programs is None else programs.bash(text, os.environ, os.getcwd())
            _run(stage, program, start, f"command {number + 1} of {len(texts)}" if len(texts) > 1 else "command")
        _check_outs(stage)
    return {key: out.like([pathlib.Path(path) for path in out.paths]) for key, out in stage.outs.items()}


def _found(deps: Mapping[str, Dep]) -> Mapping[str, Dep]:
    """Deps with the files that match in the place of patterns."""
    if not any(is_pattern(path) for dep in deps.values() for path in dep.paths):
        return deps
    found = {}
    for name, dep in deps.items():
        paths = [files_matching(path) if is_pattern(path) else [literal(path)] for path in dep.paths]
        found[name] = Dep(list(dict.fromkeys(file for files in paths for file in files)))
    return found


def _make_directories(stage: Stage) -> None:
    """Make the directories of the outs."""
    for out in stage.outs.values():
        for path in out.paths:
            os.makedirs(path if out.directory else os.path.dirname(path) or ".", exist_ok=True)


def _run(stage: Stage, program: str, start: BashStart, name: str) -> None:
    pid = os.posix_spawn(program, [*SHELL, start.text], start.environ, setsigdef=_RESTORED)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        raise _error(stage, f"its {name} was killed by {_signal_name(-code)}")
    if code > 0:
        raise _error(stage, f"its {name} ended with exit status {code}", hint=_MEANING.get(code))


def _check_outs(stage: Stage) -> None:
    missing = [path for out in stage.outs.values() for path in out.paths if not os.path.exists(path)]
    if missing:
        raise _error(
            stage,
            f"its command did not write {', '.join(missing)}",
            hint="a stage must write all outs that it declares",
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _error(stage: Stage, problem: str, *, hint: str | None = None) -> StageError:
    return StageError(stage.name, stage.location, problem, hint=hint)
