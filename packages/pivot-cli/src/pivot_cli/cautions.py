"""What is said beside the answer of a command that only looks."""

from collections.abc import Iterable

from pivot_cli import console, wording
from pivot_engine.broken import Broken


def warn_of_broken(found: Iterable[Broken]) -> None:
    """Name the pipelines that cannot be loaded and that may write what is read here."""
    for each in found:
        trace = getattr(each.error, "traceback", "")
        if trace:
            console.text(trace)
        may_write = wording.listed(each.suspected)
        console.warning(f"{each.error}; going on without {each.file}, which may be what writes {may_write}")
