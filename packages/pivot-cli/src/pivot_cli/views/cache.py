"""Formats the results of cache commands as text and as the documented JSON; pure."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from pivot_cli.terminal import formats
from pivot_core.errors import list_names
from pivot_runtime.maintenance.drop import DropReport, DropTarget
from pivot_runtime.maintenance.gc import GcReport, GcResult
from pivot_runtime.maintenance.status import CacheStatus, ObjectCount
from pivot_runtime.maintenance.verify import CacheCheck
from pivot_runtime.project.project import Project


def status_text(found: CacheStatus, project: Project) -> str:
    """Describe the contents of the cache: a line for each stage and tracked path, and other facts."""
    rows = [(share.name, share.here, f"{share.missing} missing" if share.missing else "") for share in found.shares]
    if found.rest.objects:
        rows.append(("(others)", found.rest, "of other branches, earlier runs, or nobody"))
    lines = [f"{_path(str(found.directory), project)}: {_object_count(found.all)}", ""]
    if rows:
        cells = [
            (name, formats.counted(heap.objects, "object"), formats.size(heap.size), note) for name, heap, note in rows
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(3)]
        lines += [
            f"  {name:<{widths[0]}}  {count:>{widths[1]}}  {size:>{widths[2]}}  {note}".rstrip()
            for name, count, size, note in cells
        ] + [""]
    trash = (
        f"{_object_count(found.trash)} of {formats.counted(found.collections, 'collection')}"
        if found.collections
        else "empty"
    )
    lines += [
        f"Runs:        {found.runs} recorded",
        f"Trash:       {trash}",
        f"Quarantine:  {_object_count(found.quarantine) if found.quarantine.objects else 'empty'}",
        f"Links:       {', '.join(f'{name} {_yes(works)}' for name, works in found.modes.items())}",
    ]
    if found.users:
        lines.append(f"Shared with: {list_names([str(user) for user in found.users])}")
    return formats.one_per_line(lines)


def status_json(found: CacheStatus) -> dict[str, Any]:
    """Return the contents of the cache as JSON."""
    return {
        "directory": str(found.directory),
        **_plain(found.all),
        "shares": [
            {"name": share.name, "tracked": share.tracked, **_plain(share.here), "missing": share.missing}
            for share in found.shares
        ],
        "others": _plain(found.rest),
        "runs": found.runs,
        "trash": {**_plain(found.trash), "collections": found.collections},
        "quarantine": _plain(found.quarantine),
        "links": dict(found.modes),
        "projects": [str(user) for user in found.users],
    }


def verify_text(found: CacheCheck) -> str:
    """Describe a verification in one line, and the repairs in another."""
    report = found.report
    state = "all good"
    if not found.report.good:
        counts = {"bad": len(report.bad), "suspect": len(report.suspect), "missing": len(report.missing)}
        state = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    elif not report.certain:
        state = f"{len(report.unreadable)} could not be read"
    lines = [f"Checked {_object_count(ObjectCount(report.objects, report.size))}: {state}"]
    if found.mended:
        lines.append(f"Repaired {list_names([record.path for record in found.mended])}")
    return formats.one_per_line(lines)


def verify_errors(found: CacheCheck, project: Project) -> Iterator[str]:
    """Describe the errors of a verification, the first ten of each kind."""
    report = found.report
    problems = [
        f"object {bad.digest} {bad.problem}"
        + (f": moved to {_path(str(bad.quarantined), project)}" if bad.quarantined else ", but cannot be moved")
        for bad in report.bad
    ]
    yield from formats.first_ten(problems)
    yield from formats.first_ten([f"object {digest} {problem}" for digest, problem in report.suspect.items()])
    yield from formats.first_ten(
        [f"object {digest} could not be checked: {why}" for digest, why in report.unreadable.items()]
    )
    owners = {
        record.path: "tracked" if record.address is None else f"stage {record.address}" for record in found.lacking
    }
    yield from formats.first_ten(
        [f"{project.from_cwd(path)} ({owner}): not completely in the cache" for path, owner in owners.items()]
    )


def verify_hint(found: CacheCheck, *, full: bool, repair: bool) -> str:
    """Return a hint how to solve the problems; empty if there are none."""
    stages = _stages(found)
    if found.report.suspect and not full:
        return "'pivot cache verify --full' reads and checks them"
    if found.lacking and not repair:
        return "'pivot cache verify --repair' restores what it can"
    if stages:
        return f"'pivot pull' fetches what a remote has; 'pivot repro {' '.join(stages)}' computes it again"
    if found.lacking:
        return "'pivot pull' fetches what a remote has; otherwise put the data back and 'pivot track' them"
    if found.report.unreadable:
        return "check the permissions of these files, and their disk"
    return ""


def verify_json(found: CacheCheck) -> dict[str, Any]:
    """Return a verification as JSON."""
    report = found.report
    return {
        "good": found.good,
        "certain": report.certain,
        "objects": report.objects,
        "size": report.size,
        "bad": [
            {"digest": bad.digest, "problem": bad.problem, "quarantined": bad.quarantined and str(bad.quarantined)}
            for bad in report.bad
        ],
        "suspect": [{"digest": digest, "problem": problem} for digest, problem in report.suspect.items()],
        "unreadable": [{"digest": digest, "problem": problem} for digest, problem in report.unreadable.items()],
        "missing": sorted(report.missing),
        "foreign": list(report.foreign),
        "affected": [
            {"path": record.path, "stage": record.address, "repaired": record not in found.lacking}
            for record in found.affected
        ],
        "run_again": _stages(found),
    }


def gc_text(done: GcReport) -> str:
    """Describe the removed objects (or those to be removed) and the kept ones."""
    planned, made = done.planned, done.done
    removed = planned.remove if made is None else made.removed
    would = made is None
    kept = ObjectCount(planned.keep, planned.keep_size)
    heap = ObjectCount(len(removed), sum(removed.values()))
    lines = [f"{'Would move' if would else 'Moved'} {_object_count(heap)} to the trash; {_object_count(kept)} needed"]
    runs = len(planned.runs) + len(planned.forgotten) if made is None else made.runs
    old = max(0, runs - len(planned.forgotten))
    if old:
        lines.append(f"{'Would forget' if would else 'Forgot'} {formats.counted(old, 'run')} older than the retention")
    if runs - old:
        lines.append(f"{'Would forget' if would else 'Forgot'} {formats.counted(runs - old, 'run')} to save space")
    if planned.released:
        results = formats.counted(len(planned.released), "result")
        lines.append(f"{'Would keep' if would else 'Kept'} only the parameters and metrics of {results} to save space")
    if planned.spared:
        spared = _object_count(ObjectCount(planned.spared, planned.spared_size))
        lines.append(f"Kept {spared} that nothing needs")
    if planned.recent:
        lines.append(f"Skipped {formats.counted(len(planned.recent), 'object')} that changed meanwhile")
    if made is not None and made.returned:
        lines.append(f"Brought back {formats.counted(len(made.returned), 'object')} from the trash, needed again")
    if made is None and (goes := _would_delete(done)):
        lines.append(f"Would delete {goes} from the trash")
    elif made is not None and made.deleted[0]:
        lines.append(f"Deleted {_object_count(ObjectCount(*made.deleted))} from the trash")
    return formats.one_per_line(lines)


def _would_delete(done: GcReport) -> str:
    """Name what a collection would delete; empty if nothing."""
    planned = done.planned
    this = done.at_once and (planned.remove or planned.runs or planned.forgotten)
    earlier = formats.counted(len(planned.expired), "earlier collection") if planned.expired else ""
    return " and ".join(filter(None, ("this collection" if this else "", earlier)))


def gc_notes(done: GcReport, max_size: int | None = None) -> Iterator[str]:
    """Return notes about kept objects, with reasons; also why the cache is larger than ``max_size``, if it is."""
    rest = done.planned.keep_size + done.planned.spared_size
    if max_size is not None and rest > max_size:
        yield f"the cache keeps {formats.size(rest)}: lock files, .pvt files or recently used results need it"
    if done.in_use and done.done is not None and done.done.batch is not None:
        yield (
            "what was moved stays in the trash, since a command may be using it in "
            f"{list_names([str(root) for root in done.in_use])}; the next 'pivot cache gc --grace 0' deletes it"
        )
    for problem in done.skipped:
        yield f"left out: {problem}"
    for user in done.gone:
        yield f"{user.root} used this cache, but no longer exists"
    if done.planned.marked.unlisted:
        directories = formats.counted(len(done.planned.marked.unlisted), "needed directory listing")
        yield f"{directories} not in the cache: files that only such a listing names are not kept"


def gc_json(done: GcReport) -> dict[str, Any]:
    """Return a collection as JSON."""
    planned, made = done.planned, done.done
    removed = planned.remove if made is None else made.removed
    return {
        "dry_run": made is None,
        "removed": [{"digest": digest, "size": size} for digest, size in sorted(removed.items())],
        "kept": _plain(ObjectCount(planned.keep, planned.keep_size)),
        "recent": sorted(planned.recent),
        "runs": len(planned.runs) + len(planned.forgotten) if made is None else made.runs,
        "released": sorted(planned.released),
        "spared": _plain(ObjectCount(planned.spared, planned.spared_size)),
        "returned": [] if made is None else sorted(made.returned),
        "deleted": _plain(ObjectCount(0, 0) if made is None else ObjectCount(*made.deleted)),
        "unlisted": sorted(planned.marked.unlisted),
        "projects": [str(root) for root in done.projects],
        "skipped": list(done.skipped),
    }


def undo_text(done: GcResult | None) -> str:
    """Describe the objects brought back."""
    if done is None:
        return "Nothing to undo: the trash is empty\n"
    parts = [_object_count(ObjectCount(len(done.removed), sum(done.removed.values())))] if done.removed else []
    parts += [formats.counted(done.runs, "run")] if done.runs else []
    return f"Brought back {' and '.join(parts)}\n"


def undo_json(done: GcResult | None) -> dict[str, Any]:
    """Return the objects brought back as JSON."""
    return {
        "returned": [] if done is None else sorted(done.removed),
        "runs": 0 if done is None else done.runs,
    }


def drop_text(done: DropReport, project: Project, *, dry_run: bool) -> str:
    """Describe the other copies of each target, and the dropped objects."""
    lines = [
        f"{project.from_cwd(target.path)}: {_object_count(ObjectCount(target.objects, target.size))}, {_places(target)}"
        for target in done.targets
    ]
    if done.shared:
        lines.append(f"{formats.counted(done.shared, 'object')} kept: other outs or tracked data also need them")
    if not done.refused and not dry_run:
        lines.append(f"Dropped {_object_count(ObjectCount(len(done.removed), sum(done.removed.values())))}")
    return formats.one_per_line(lines)


def drop_errors(done: DropReport, project: Project) -> Iterator[str]:
    """Describe the objects that exist nowhere else."""
    yield from formats.first_ten(
        [f"{project.from_cwd(one.path)} exists nowhere else" for one in done.targets if not one.elsewhere]
    )


def _places(target: DropTarget) -> str:
    places = [name for name, has in (("in the workspace", target.workspace), ("on the remote", target.remote)) if has]
    if places:
        return f"also {' and '.join(places)}"
    return "nowhere else" if target.objects else "not in the cache"


def _stages(found: CacheCheck) -> list[str]:
    """Return the addresses of the stages that must run again."""
    return sorted({record.address for record in found.lacking if record.address is not None})


def _object_count(heap: ObjectCount) -> str:
    return f"{formats.counted(heap.objects, 'object')} ({formats.size(heap.size)})"


def _plain(heap: ObjectCount) -> dict[str, Any]:
    return {"objects": heap.objects, "size": heap.size}


def _path(path: str, project: Project) -> str:
    """Return a path as seen from the command's directory, if it is in the project."""
    return os.path.relpath(path, project.cwd) if pathlib.Path(path).is_relative_to(project.root) else path


def _yes(works: bool) -> str:  # noqa: FBT001  # the one argument
    return "yes" if works else "no"
