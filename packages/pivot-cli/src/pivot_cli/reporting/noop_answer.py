"""Keeps the output of a command that found nothing to do, so that its repetition is answered at once."""

import sys
from collections.abc import Sequence

from pivot_cli.terminal import console
from pivot_runtime.context import CommandContext
from pivot_runtime.freshness import noop_cache
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.freshness.noop_cache import CachedOutput


def keep_answer(context: CommandContext, traces: Sequence[LoadTrace], elapsed: str = "") -> None:
    """Keep what was printed so far as the answer to this command, for as long as nothing that it saw changes."""
    if context.overrides or not context.use_snapshots:  # a parameter may be a secret; an import was asked for
        return
    heard = console.heard()
    if heard is None:
        return
    out, err = heard
    if not _moves_the_cursor(out + err):
        kept = CachedOutput(out, err, 0)
        noop_cache.keep(
            sys.argv[1:], context.environment, kept, read_set=context.read_set, traces=traces, elapsed=elapsed
        )


def _moves_the_cursor(text: str) -> bool:
    """Whether there is more in it than lines and colours."""
    return "\r" in text or any(
        not part.partition("m")[0].replace(";", "").isdigit() for part in text.split("\x1b[")[1:]
    )
