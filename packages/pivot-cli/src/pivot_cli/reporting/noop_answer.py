"""Caches the output of a command that found nothing to do, to answer its repetition immediately."""

import sys
from collections.abc import Sequence

from pivot_cli.terminal import console
from pivot_runtime.context import CommandContext
from pivot_runtime.freshness import noop_cache
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.freshness.noop_cache import CachedOutput


def keep_answer(context: CommandContext, traces: Sequence[LoadTrace], elapsed: str = "") -> None:
    """Cache the output so far as the answer to this command, valid as long as nothing that it read changes."""
    if context.overrides or not context.use_snapshots:  # a parameter may be a secret; the user requested an import
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
    """Return whether the text contains control codes other than colours."""
    return "\r" in text or any(
        not part.partition("m")[0].replace(";", "").isdigit() for part in text.split("\x1b[")[1:]
    )
