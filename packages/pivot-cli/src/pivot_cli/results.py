"""What commands did to files, as text for a person; pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pivot_cli import wording
from pivot_engine.tracked import State

if TYPE_CHECKING:
    from pivot_engine.overview import Overview
    from pivot_engine.project import Project
    from pivot_engine.restoring import Restored
    from pivot_engine.tracked import TrackedFile
    from pivot_engine.tracking import Tracked

_MOST = 10


def restored(done: "Restored", project: "Project", *, dry_run: bool) -> str:
    """``Restored N file(s)``; of a dry run also what would be."""
    if not dry_run:
        return f"Restored {done.files} file(s)\n"
    lines = [f"would restore  {project.shown(path)}" for path in done.paths]
    return "".join(f"{line}\n" for line in [*lines, f"Would restore {done.files} file(s)"])


def checkout_notes(done: "Restored", project: "Project") -> Iterator[str]:
    """What was overwritten, and where it is now."""
    for path, digest in done.kept.items():
        yield f"{project.shown(path)} was overwritten: what was there is kept in the cache as {digest}"


def checkout_errors(done: "Restored", project: "Project", told: Collection[str] = ()) -> Iterator[str]:
    """What was not restored, and why, but for what was ``told``: the first ten of a kind by name."""
    yield from _some(done.modified, "not restored, since what is there is nowhere else", project)
    missing = [path for path in done.missing if path not in told]
    yield from _some(missing, "not restored, since the cache does not have it", project)
    for path, problem in list(done.failed.items())[:_MOST]:
        yield f"{project.shown(path)}: not restored: {problem}"
    if len(done.failed) > _MOST:
        yield f"and {len(done.failed) - _MOST} more: not restored"


def _some(paths: Sequence[str], problem: str, project: "Project") -> Iterator[str]:
    for path in paths[:_MOST]:
        yield f"{project.shown(path)}: {problem}"
    if len(paths) > _MOST:
        yield f"and {len(paths) - _MOST} more: {problem}"


def tracked(done: "Iterable[Tracked]", project: "Project") -> str:
    """A line for each."""
    lines = []
    for each in done:
        size = wording.size(each.artifact.size)
        shown = project.shown(each.path)
        if not each.changed:
            lines.append(f"Unchanged {shown} ({size})\n")
        elif each.new:
            lines.append(f"Tracked {shown} ({size}): commit {shown}.pvt\n")
        else:
            lines.append(f"Updated {shown} ({size}): commit {shown}.pvt\n")
    return "".join(lines)


def tracked_states(found: "Sequence[TrackedFile]", project: "Project") -> Iterator[str]:
    """A line for each, and what to do about those that are not clean."""
    width = max((len(project.shown(each.path)) for each in found), default=0)
    for each in found:
        yield f"{project.shown(each.path):<{width}}  {each.state.value:<8}  {wording.size(each.size)}"
    states = {each.state for each in found}
    if State.MODIFIED in states:
        yield "run 'pivot track' on what is modified to record it, or 'pivot checkout --force' to undo it"
    if State.MISSING in states:
        yield "run 'pivot checkout' to restore what is missing, or 'pivot pull' where only a remote has it"


def listing(found: "Overview") -> str:
    """A block per stage: its name and place, what it reads, and what it writes."""
    lines = []
    for address, spec in found.graph.stages.items():
        lines.append(f"{address}  {spec.location}")
        lines += [f"  reads   {path}" for path in spec.deps]
        lines += [f"  writes  {out.path}" for out in spec.outs]
    return "".join(f"{line}\n" for line in lines)


def listing_plain(found: "Overview") -> list[dict[str, Any]]:
    """The same as JSON-able data."""
    return [
        {
            "name": found.names[address],
            "address": address,
            "deps": list(spec.deps),
            "outs": [{"path": out.path, **out.facts()} for out in spec.outs],
            "upstream": sorted(found.graph.upstream[address]),
            "file": spec.location.file,
            "line": spec.location.line,
        }
        for address, spec in found.graph.stages.items()
    ]
