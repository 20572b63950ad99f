"""Prints data that were imported or updated, and the states of their sources."""

import json
import shlex
from collections.abc import Iterable
from typing import Any, Final

from pivot_cli.terminal import console, formats
from pivot_runtime.external.placing import Imported
from pivot_runtime.external.update import SourceCheck, SourceState, UpdateReport
from pivot_runtime.project.project import Project

_WORDS: Final = {
    SourceState.CURRENT: "is up to date",
    SourceState.MOVED: "has changed at its source",
    SourceState.UNKNOWN: "may have changed: the server does not say",
    SourceState.FAILED: "cannot be compared with its source",
}


def report(done: Iterable[Imported], project: Project, *, as_json: bool) -> int:
    """Print imported data; return the exit code."""
    done = list(done)
    if as_json:
        console.data(json.dumps({"imported": [_imported(each) for each in done]}, indent=2))
        return 0
    for each in done:
        console.data(f"Imported {project.from_cwd(each.path)} ({formats.size(each.artifact.size)}) from {each.source}")
        _saved(each, project)
    _next_step(done, project)
    return 0


def report_update(done: UpdateReport, project: Project, *, dry_run: bool, as_json: bool) -> int:
    """Print the result of an update; return the exit code, which is 1 for a dry run if something has changed."""
    failed = {**done.failed, **{each.path: each.error for each in done.checked if each.error is not None}}
    if as_json:
        plain = {
            "dry_run": dry_run,
            "checked": [source_json(each) for each in done.checked],
            "updated": [_imported(each) for each in done.updated],
            "failed": [{"path": str(path), "problem": str(error)} for path, error in failed.items()],
        }
        console.data(json.dumps(plain, indent=2))
    else:
        _lines(done, project, dry_run=dry_run)
    for path, error in failed.items():
        name = project.from_cwd(path)
        console.error(str(error) if str(error).startswith(name) else f"{name}: {error}")
        if error.hint:
            console.hint(error.hint)
    if failed:
        return max(error.exit_code for error in failed.values())
    changed = any(each.state is not SourceState.CURRENT for each in done.checked)
    return 1 if dry_run and changed else 0


def source_line(check: SourceCheck, project: Project) -> str:
    """Return the state of one source as a line."""
    detail = f" ({check.detail[:10]})" if check.state is SourceState.MOVED and check.detail else ""
    return f"{project.from_cwd(check.path)} {_WORDS[check.state]}{detail}"


def source_json(check: SourceCheck) -> dict[str, Any]:
    """Return the state of one source as JSON."""
    return {
        "path": str(check.path),
        "source": check.source.encoded(),
        "state": check.state.value,
        **({"commit": check.detail} if check.state is SourceState.MOVED and check.detail else {}),
    }


def _lines(done: UpdateReport, project: Project, *, dry_run: bool) -> None:
    if not done.checked and not done.failed:
        console.line("nothing here was imported")
        return
    updated = {each.path: each for each in done.updated}
    for check in done.checked:
        each = updated.get(check.path)
        if each is None:
            if check.error is None:
                console.data(source_line(check, project))
        elif each.changed:
            console.data(
                f"Updated {project.from_cwd(each.path)} ({formats.size(each.artifact.size)}) from {each.source}"
            )
            _saved(each, project)
        else:
            console.data(f"{project.from_cwd(each.path)} has the same content; its record now names {each.source}")
    if not dry_run:
        _next_step(done.updated, project)


def _imported(each: Imported) -> dict[str, Any]:
    return {
        "path": str(each.path),
        "digest": each.artifact.digest,
        "size": each.artifact.size,
        "directory": each.artifact.tree,
        "changed": each.changed,
        "source": each.source.encoded(),
    }


def _saved(each: Imported, project: Project) -> None:
    if each.replaced is not None:
        console.note(f"the replaced content of {project.from_cwd(each.path)} is saved")
        console.hint(f"'pivot checkout --kept {each.replaced[:8]}' brings it back")


def _next_step(done: Iterable[Imported], project: Project) -> None:
    names = [f"{project.from_cwd(each.path)}.pvt" for each in done]
    if names:
        end = "-- " if any(name.startswith("-") for name in names) else ""
        console.hint(f"commit what is recorded: git add {end}{shlex.join(names)}")
