"""The effects of commands on files, as text for a person; pure."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pivot_cli.terminal import formats, sanitize
from pivot_cli.views import phrases
from pivot_runtime.artifacts.tracked import TrackedState

if TYPE_CHECKING:
    from pivot_cache.objects.kept import KeptContent
    from pivot_runtime.artifacts.checkout import CheckoutReport
    from pivot_runtime.artifacts.track import Tracked
    from pivot_runtime.artifacts.tracked import TrackedFile
    from pivot_runtime.inspecting.overview import Overview
    from pivot_runtime.project.project import Project

_MOST = 10
_STATES = {
    TrackedState.CLEAN: "clean",
    TrackedState.MODIFIED: "modified",
    TrackedState.MISSING: "missing",
    TrackedState.PARTIAL: "partly here",
    TrackedState.LOST: "not in the cache",
    TrackedState.OTHER: "other version",
}


def restored(done: "CheckoutReport", project: "Project", *, dry_run: bool) -> str:
    """``Restored N file(s)``; of a dry run also what would be."""
    if not dry_run:
        return f"Restored {done.files} file(s)\n"
    lines = [f"would restore  {project.shown(path)}" for path in done.paths]
    return sanitize.lines([*lines, f"Would restore {done.files} file(s)"])


def checkout_notes(done: "CheckoutReport", project: "Project") -> Iterator[str]:
    """The files that were overwritten, and where they are now."""
    for path, digest in done.kept.items():
        yield (
            f"{project.shown(path)} was overwritten: what was there is kept in the cache as {digest}"
            f" ('{phrases.bring_back(project.shown(path))}' brings it back)"
        )


def kept(found: "Sequence[KeptContent]", project: "Project") -> str:
    """A line for each: its path, its size, when and by what it was replaced, and the digits that name it."""
    if not found:
        return "Nothing that was replaced is kept.\n"
    width = max(len(project.shown(each.path)) for each in found)
    lines = []
    for each in found:
        when = dt.datetime.fromtimestamp(each.at_ns // 1_000_000_000, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        size = formats.size(each.artifact.size)
        what = "directory" if each.artifact.tree else "file"
        shown, digits = project.shown(each.path), each.artifact.digest[:8]
        lines.append(f"{shown:<{width}}  {digits}  {what:<9}  {size:>8}  {when}  {each.by}\n")
    return "".join(lines)


def checkout_errors(done: "CheckoutReport", project: "Project", told: Collection[str] = ()) -> Iterator[str]:
    """Names paths that were not restored and why, except those in ``told``: the first ten of each kind."""
    for path, inside in list(done.modified.items())[:_MOST]:
        shown = project.shown(path)
        which = phrases.listed([f"{shown}/{name}" for name in inside]) or "what is there"
        yield f"{shown}: not restored, since {which} is nowhere else"
    if len(done.modified) > _MOST:
        yield f"and {len(done.modified) - _MOST} more: not restored, since what is there is nowhere else"
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
        size = formats.size(each.artifact.size)
        shown = sanitize.one_line(project.shown(each.path))
        if not each.changed:
            lines.append(f"Unchanged {shown} ({size})\n")
        elif each.new:
            lines.append(f"Tracked {shown} ({size}): commit {shown}.pvt\n")
        else:
            lines.append(f"Updated {shown} ({size}): commit {shown}.pvt\n")
        if each.dropped:
            gone = phrases.listed([f"{shown}/{name}" for name in each.dropped], _MOST)
            lines.append(f"  no longer in it: {sanitize.one_line(gone)}\n")
    return "".join(lines)


def tracked_states(found: "Sequence[TrackedFile]", project: "Project") -> Iterator[str]:
    """A line for each, and what to do about those that are not clean."""
    width = max((len(project.shown(each.path)) for each in found), default=0)
    words = max((len(_STATES[each.state]) for each in found), default=0)
    for each in found:
        shown = sanitize.one_line(project.shown(each.path))
        differs = phrases.difference(each.difference, shown)
        yield f"{shown:<{width}}  {_STATES[each.state]:<{words}}  {formats.size(each.size):<8}  {differs}".rstrip()
    yield from advice(found)


def advice(found: "Iterable[TrackedFile]") -> Iterator[str]:
    """Hints for tracked data that are not clean, the likeliest first."""
    states: dict[TrackedState, bool] = {}
    for each in found:
        states[each.state] = states.get(each.state, True) and each.in_cache
    for state, what, otherwise in (
        (
            TrackedState.OTHER,
            "restore what is recorded: what is there is another version",
            "'pivot track' records that",
        ),
        (TrackedState.MISSING, "restore what is missing", ""),
        (TrackedState.PARTIAL, "restore what is not here", "'pivot track' records the rest alone"),
    ):
        if state in states:
            way = "run 'pivot checkout' to" if states[state] else "run 'pivot pull' to fetch and"
            other = otherwise if states[state] else otherwise.replace("track'", "track --force'")
            yield f"{way} {what}{f'; {other}' if other else ''}"
    if TrackedState.LOST in states:
        yield "run 'pivot track' on what is not in the cache to store it there again"
    if TrackedState.MODIFIED in states:
        undo = "checkout" if states[TrackedState.MODIFIED] else "pull"
        yield f"run 'pivot track' on what is modified to record it, or 'pivot {undo} --force' to undo it"


def listing(found: "Overview") -> str:
    """A block per stage: its name and place, what it reads, and what it writes."""
    lines = []
    for address, spec in found.graph.stages.items():
        lines.append(f"{address}  {spec.location}")
        lines += [f"  reads   {path}" for path in spec.deps]
        lines += [f"  writes  {out.path}" for out in spec.outs]
    return sanitize.lines(lines)


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
