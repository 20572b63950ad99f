"""Formats the effects of commands on files as text; pure."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pivot_cli.terminal import formats
from pivot_cli.views import phrases
from pivot_core.errors import list_names

if TYPE_CHECKING:
    from pivot_cache.objects.kept import KeptContent
    from pivot_runtime.artifacts.checkout import CheckoutReport
    from pivot_runtime.artifacts.track import Tracked
    from pivot_runtime.project.project import Project
    from pivot_runtime.sharing.transfer import TransferReport
    from pivot_runtime.workspace.clean import CleanPlan

_MOST = 10


def checkout_text(done: "CheckoutReport", project: "Project", *, dry_run: bool) -> str:
    """Return ``Restored N file(s)``, and how many were relinked; for a dry run, also name the files."""
    verbs = ("Would restore", "Would relink") if dry_run else ("Restored", "Relinked")
    lines = [f"would restore  {project.from_cwd(path)}" for path in done.paths] if dry_run else []
    lines.append(f"{verbs[0]} {done.files} file(s)")
    if done.relinked:
        lines.append(f"{verbs[1]} {done.relinked} file(s)")
    return formats.one_per_line(lines)


def checkout_json(done: "CheckoutReport", *, dry_run: bool) -> dict[str, Any]:
    """Return the result of a checkout as JSON."""
    return {
        "dry_run": dry_run,
        "complete": done.complete,
        "files": done.files,
        "restored": [str(path) for path in done.paths],
        "relinked": done.relinked,
        "modified": [{"path": str(path), "only_here": list(inside)} for path, inside in done.modified.items()],
        "missing": [str(path) for path in done.missing],
        "failed": [{"path": str(path), "problem": problem} for path, problem in done.failed.items()],
        "saved": [{"path": str(path), "digest": digest} for path, digest in done.kept.items()],
    }


def transfer_json(report: "TransferReport", *, dry_run: bool) -> dict[str, Any]:
    """Return the result of a push or a fetch as JSON."""
    outcome = report.outcome
    return {
        "remote": report.remote,
        "dry_run": dry_run,
        "complete": report.complete,
        "objects": {
            "transferred": len(outcome.transferred),
            "skipped": len(outcome.present),
            "failed": len(outcome.failed),
            "missing": len(outcome.missing),
        },
        "planned": [{"path": str(path), "size": size} for path, size in report.planned.items()],
        "failed": [{"path": str(path), "problem": str(error)} for path, error in report.failed.items()],
        "missing": [str(path) for path in report.missing],
        "stopped": None if outcome.stopped is None else str(outcome.stopped),
        "runs": report.runs,
    }


def track_json(done: "Iterable[Tracked]") -> list[dict[str, Any]]:
    """Return the tracked paths as JSON."""
    return [
        {
            "path": str(each.path),
            "digest": each.artifact.digest,
            "size": each.artifact.size,
            "directory": each.artifact.tree,
            "new": each.new,
            "changed": each.changed,
            "dropped": list(each.dropped),
        }
        for each in done
    ]


def kept_json(found: "Sequence[KeptContent]") -> list[dict[str, Any]]:
    """Return the saved files as JSON."""
    return [
        {
            "path": str(each.path),
            "digest": each.artifact.digest,
            "size": each.artifact.size,
            "directory": each.artifact.tree,
            "time": each.at_ns / 1e9,
            "command": each.by,
        }
        for each in found
    ]


def checkout_notes(done: "CheckoutReport", project: "Project") -> Iterator[str]:
    """Describe the overwritten files and where their content is saved."""
    for path, digest in done.kept.items():
        yield (
            f"{project.from_cwd(path)} was overwritten: what was there is kept in the cache as {digest}"
            f" ('{phrases.bring_back(project.from_cwd(path))}' brings it back)"
        )


def kept(found: "Sequence[KeptContent]", project: "Project") -> str:
    """Return a line for each saved file: path, identifying digits, size, time, and the replacing command."""
    if not found:
        return "No replaced files are saved.\n"
    width = max(len(project.from_cwd(each.path)) for each in found)
    lines = []
    for each in found:
        when = dt.datetime.fromtimestamp(each.at_ns // 1_000_000_000, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        size = formats.size(each.artifact.size)
        what = "directory" if each.artifact.tree else "file"
        display, digits = project.from_cwd(each.path), each.artifact.digest[:8]
        lines.append(f"{display:<{width}}  {digits}  {what:<9}  {size:>8}  {when}  {each.by}")
    return formats.one_per_line(lines)


def checkout_errors(done: "CheckoutReport", project: "Project", known: Collection[str] = ()) -> Iterator[str]:
    """Describe the paths that were not restored, except missing ones in ``known``: the first ten of each kind."""
    modified = []
    for path, inside in done.modified.items():
        display = project.from_cwd(path)
        which = list_names([f"{display}/{name}" for name in inside]) or "its current content"
        modified.append(f"{display}: not restored, since {which} exists nowhere else")
    yield from formats.first_ten(modified, ": not restored, since its current content exists nowhere else")
    problem = "not restored, since the cache does not have it"
    missing = [f"{project.from_cwd(path)}: {problem}" for path in done.missing if path not in known]
    yield from formats.first_ten(missing, f": {problem}")
    failed = [f"{project.from_cwd(path)}: not restored: {problem}" for path, problem in done.failed.items()]
    yield from formats.first_ten(failed, ": not restored")


def track_text(done: "Iterable[Tracked]", project: "Project") -> str:
    """Return a line for each tracked path."""
    lines = []
    for each in done:
        size = formats.size(each.artifact.size)
        display = formats.one_line(project.from_cwd(each.path))
        if not each.changed:
            lines.append(f"Unchanged {display} ({size})\n")
        elif each.new:
            lines.append(f"Tracked {display} ({size}): commit {display}.pvt\n")
        else:
            lines.append(f"Updated {display} ({size}): commit {display}.pvt\n")
        if each.dropped:
            gone = list_names([f"{display}/{name}" for name in each.dropped], _MOST)
            lines.append(f"  no longer included: {formats.one_line(gone)}\n")
    return "".join(lines)


def outs_of(planned: "CleanPlan") -> str:
    """Return ``2 outs (190 B)``."""
    return f"{formats.counted(len(planned.remove), 'out')} ({formats.size(sum(planned.remove.values()))})"


def clean_plan(planned: "CleanPlan", project: "Project") -> str:
    """Return a line for each out to remove, and for each that stays."""
    lines = [f"would remove  {project.from_cwd(path)}  {formats.size(size)}" for path, size in planned.remove.items()]
    return formats.one_per_line([*lines, *(f"kept          {line}" for line in clean_notes(planned, project))])


def clean_notes(done: "CleanPlan", project: "Project") -> Iterator[str]:
    """Describe the outs that stay, and those whose content was saved."""
    for path, reason in done.kept.items():
        yield f"{project.from_cwd(path)} stays: {reason}"
    for path, digest in done.saved.items():
        if digest:
            yield (
                f"{project.from_cwd(path)} was nowhere else: it is kept in the cache as {digest}"
                f" ('{phrases.bring_back(project.from_cwd(path))}' brings it back)"
            )


def clean_text(done: "CleanPlan", project: "Project", *, dry_run: bool) -> str:
    """Return ``Removed 2 outs (190 B)``; for a dry run, also name the outs."""
    if not done.remove:
        return "Nothing to remove\n"
    if not dry_run:
        return f"Removed {outs_of(done)}\n"
    lines = [f"would remove  {project.from_cwd(path)}  {formats.size(size)}" for path, size in done.remove.items()]
    return formats.one_per_line([*lines, f"Would remove {outs_of(done)}"])


def clean_json(done: "CleanPlan", *, dry_run: bool) -> dict[str, Any]:
    """Return the removed outs as JSON."""
    return {
        "dry_run": dry_run,
        "removed": [{"path": str(path), "size": size} for path, size in done.remove.items()],
        "kept": [{"path": str(path), "reason": reason} for path, reason in done.kept.items()],
        "saved": [{"path": str(path), "digest": digest} for path, digest in done.saved.items() if digest],
    }
