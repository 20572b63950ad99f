"""Keeps the output of a command that found nothing to do, so that its repetition is answered at once."""

import os
import sys
from collections.abc import Sequence

from pivot_cli.terminal import console
from pivot_runtime.freshness import noop_cache
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.freshness.noop_cache import CachedOutput
from pivot_runtime.project.project import Project


def keep_answer(project: Project, traces: Sequence[LoadTrace], elapsed: str = "") -> None:
    """Keep what was printed so far as the answer to this command, for as long as nothing that it saw changes."""
    if project.overrides or not project.use_snapshots:  # a parameter may be a secret; an import was asked for
        return
    heard = console.heard()
    if heard is None:
        return
    out, err = heard
    if not _moves_the_cursor(out + err):
        kept = CachedOutput(out, err, 0)
        noop_cache.keep(sys.argv[1:], os.environ, kept, read_set=project.read_set, traces=traces, elapsed=elapsed)


def _moves_the_cursor(text: str) -> bool:
    """Whether there is more in it than lines and colours."""
    return "\r" in text or any(
        not part.partition("m")[0].replace(";", "").isdigit() for part in text.split("\x1b[")[1:]
    )
