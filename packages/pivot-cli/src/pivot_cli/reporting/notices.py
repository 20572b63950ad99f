"""Notices that a read-only command prints besides its answer."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from pivot_cli.terminal import console, formats
from pivot_core.errors import list_names
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import LOCAL
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline


def warn_of_broken(found: Iterable[BrokenPipeline]) -> None:
    """Warn about pipelines that cannot be loaded and may write files that are read here."""
    for each in found:
        console.traceback(each.error)
        may_write = list_names(each.may_write)
        console.warning(f"{each.error}; continuing without {each.file}, which may write {may_write}")


def hint_at_no_stages() -> None:
    """Say how a pipeline gets stages."""
    console.hint("describe them in a pipeline.py or a pivot.yaml ('pivot docs pipelines')")


def note_local_runs(context: CommandContext, option: str) -> None:
    """Say that an option makes stages run here, if the configuration has another executor."""
    executor = context.settings.executor
    if executor is not None and executor != LOCAL:
        console.note(f"{option} runs stages on this machine, not on the executor of the configuration")


def note_outs_elsewhere(count: int, remote: str) -> None:
    """Say how many outs a cluster has left on a remote, or with "" in the cache, and how they come here."""
    if not count:
        return
    outs, are, them = ("out", "is", "it") if count == 1 else ("outs", "are", "them")
    place, bring = (f"on the remote {remote!r}", "pivot pull") if remote else ("in the cache", "pivot checkout")
    console.note(f"{count} {outs} {are} {place}, not in the workspace: '{bring}' brings {them} here")


def note_stalls() -> AbstractContextManager[None]:
    """Within the block, name the server that a command waits for."""
    from pivot_cache.remotes import stalls  # lazy

    return stalls.listen(lambda address, seconds: console.note(formats.describe_stall(address, seconds)))


def hint_at_stashed_outs(paths: Sequence[ArtifactPath]) -> None:
    """Report outs that a killed run had moved aside: they count as present, although the user does not see them."""
    if paths:
        them = "it" if len(paths) == 1 else "them"
        console.hint(f"a run was killed that had set aside {list_names(paths)}: 'pivot repro' puts {them} back first")
