"""The call of a stage in its process: loads the deps, calls the function, saves the outs."""

import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pivot_core.errors import PathError, PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import is_pattern, literal
from pivot_core.loaders import PathOnly, Reader
from pivot_core.pipeline import plain_call
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.command import Command
from pivot_core.stages.notebook import Notebook
from pivot_core.stages.stage import Stage
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.worker import shell
from pivot_runtime.worker.file_values import FileValues, files_in, files_matching


def execute(stage: Stage, tracer: StageTracer | None = None) -> None:
    """Run a stage in this process, whose working directory is the stage's; the tracer is that of its programs."""
    directory = os.getcwd()
    values = dict(stage.values)
    values |= {name: dep.like([_load_dep(name, dep, path) for path in dep.paths]) for name, dep in stage.deps.items()}
    for name, before in stage.previous.items():
        there = all(os.path.lexists(path) for path in before.paths)
        values[name] = before.like([_load_previous(name, before, path) for path in before.paths]) if there else None
    results = _results(stage, values, tracer)
    os.chdir(directory)  # the stage may have changed it, and its outs are relative to it
    for key, out in stage.outs.items():
        for path, value in _paired(stage, key, out, results[key]):
            _save(stage, out, path, value)
            if out.check is not None:
                _check(stage, path, out.check, value)


def _results(stage: Stage, values: Mapping[str, Any], tracer: StageTracer | None) -> Mapping[str, Any]:
    if isinstance(stage.func, Notebook):
        from pivot_runtime.worker import notebook  # lazy: few stages are notebooks

        return notebook.run(stage, stage.func)
    if isinstance(stage.func, Command):
        return shell.run(stage, stage.func, None if tracer is None else tracer.programs)
    return plain_call(stage, values)


def _load_dep(name: str, dep: Dep, path: str) -> Any:
    if is_pattern(path):
        found = files_matching(path)
        if not dep.loads_files(path):
            return [pathlib.Path(each) for each in found]
    elif dep.loads_files(path):
        found = files_in(path)
    else:
        return _load(name, dep.loader, literal(path))
    files = FileValues(found, lambda file: _load(name, dep.loader, file))
    return files if dep.lazy else dict(files)


def _load_previous(name: str, out: Out, path: str) -> Any:
    loader: Any = out.loader  # which can load, as the signature has been checked for
    if not out.directory or isinstance(loader, PathOnly):
        return _load(name, loader, path)
    return dict(FileValues(files_in(path), lambda file: _load(name, loader, file)))


def _load(name: str, loader: Reader[Any], path: str) -> Any:
    try:
        return loader.load(pathlib.Path(path))
    except Exception as error:
        _add_note(error, path, f"while loading {path!r} for parameter {name!r}")
        if isinstance(error, IsADirectoryError):
            error.add_note(f"to load each file of a directory, end its path with a slash: Dep({f'{path}/'!r}, ...)")
        raise


def _paired(stage: Stage, key: str, out: Out, value: Any) -> list[tuple[str, Any]]:
    """The paths of an out, each with its value."""
    if isinstance(out.path, str):
        return [(out.path, value)]
    if not isinstance(value, list | tuple) or len(value) != len(out.paths):
        got = f"{len(value)} values" if isinstance(value, list | tuple) else type(value).__name__
        subject = "it" if stage.single else f"the key {key!r}"
        raise _error(stage, f"{subject} takes a list or tuple of {len(out.paths)} values, one for each path, not {got}")
    return list(zip(out.paths, value, strict=True))


def _save(stage: Stage, out: Out, path: str, value: Any) -> None:
    if not out.directory or isinstance(out.loader, PathOnly):
        _save_file(out, path, value)
        return
    if not isinstance(value, Mapping):
        got = type(value).__name__
        raise _error(stage, f"the value of {path!r} must be a mapping from file name to value, not {got}")
    os.makedirs(path, exist_ok=True)
    for name, each in value.items():
        try:
            inside = ArtifactPath.resolve(name)
        except (PathError, TypeError) as error:
            raise _error(stage, f"{name!r} is not the name of a file inside {path!r}: {error}") from None
        file = pathlib.Path(path, inside)
        file.parent.mkdir(parents=True, exist_ok=True)
        _save_file(out, str(file), each)


def _save_file(out: Out, path: str, value: Any) -> None:
    try:
        out.loader.save(value, pathlib.Path(path))
    except Exception as error:
        _add_note(error, path, f"while saving {path!r}")
        raise


def _check(stage: Stage, path: str, check: Callable[[Any], object], value: Any) -> None:
    """Call the check of an out; if it fails, the log shows that."""
    name = getattr(check, "__qualname__", type(check).__name__)
    try:
        passed = check(value)
    except Exception as error:
        summary = str(error) or type(error).__name__
        sys.stderr.write(f"check {name} of {path!r} failed: {summary}\n")
        error.add_note(f"while checking {path!r} with {name}")
        raise
    if passed is not None and not passed:
        sys.stderr.write(f"check {name} of {path!r} failed\n")
        raise _error(stage, f"the check {name} of {path!r} failed")


def _error(stage: Stage, problem: str) -> StageError:
    return StageError(stage.name, stage.location, problem)


def _add_note(error: Exception, path: str, note: str) -> None:
    """Add a note about a file to an error, unless the error is Pivot's and names the file."""
    if not isinstance(error, PivotError) or repr(path) not in str(error):
        error.add_note(note)
