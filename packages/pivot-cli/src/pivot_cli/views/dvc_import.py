"""The result of `pivot import-dvc`, as text and as JSON; pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pivot_cli.terminal import formats

if TYPE_CHECKING:
    from pivot_runtime.dvc_import.import_dvc import DvcImport

_MOST = 20


def as_text(done: "DvcImport", *, dry_run: bool) -> str:
    """Return what was written, which stages are cached, and what was not carried."""
    return formats.one_per_line(_lines(done, dry_run=dry_run))


def _lines(done: "DvcImport", *, dry_run: bool) -> Iterator[str]:
    verb = "Would write" if dry_run else "Wrote"
    yield from _most([f"{verb} {path}, from {source}" for path, source in done.files.items()])
    if not done.files:
        there = done.cached or done.stale or done.data
        yield f"Nothing to write{': all files are as an import writes them' if there else ''}"
    if done.objects:
        yield f"Copied {formats.counted(done.objects, 'object')} from DVC ({formats.size(done.size)})"
    if done.cached or done.stale:
        would = " would be" if dry_run else ""
        yield f"Stages:{would} {len(done.cached)} cached, {len(done.stale)} to run"
    yield from _most([f"  {name} will run: {why}" for name, why in done.stale.items()])
    work = [each for each in done.leftovers if each.needs_work]
    rest = [each for each in done.leftovers if not each.needs_work]
    if work:
        yield f"Not carried, {len(work)}:"
    for each in work:
        yield f"  {each.where}: {each.problem}"
        yield f"    → {each.remedy}"
    if rest:
        yield f"Different here, {len(rest)}:"
    for each in rest:
        yield f"  {each.where}: {each.problem}"


def _most(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"… and {more} more"]


def as_json(done: "DvcImport", *, dry_run: bool) -> dict[str, Any]:
    """Return the result as JSON."""
    return {
        "dry_run": dry_run,
        "root": str(done.root),
        "files": [{"path": path, "from": source} for path, source in done.files.items()],
        "data": list(done.data),
        "objects": {"copied": done.objects, "size": done.size},
        "stages": {
            "cached": list(done.cached),
            "stale": [{"stage": name, "reason": why} for name, why in done.stale.items()],
        },
        "leftovers": [each.to_plain() for each in done.leftovers],
    }
