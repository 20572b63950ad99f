"""Notes on imports of pipelines that take long, with the libraries that take most of the time."""

from collections.abc import Mapping
from typing import Final

from pivot_cli.terminal import console, formats
from pivot_runtime.history import events

_SLOW_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 1.5
"""A later report is not the first one of its import."""
_LEAST_SECONDS: Final = 0.05
"""Libraries that took less are not worth a word."""
_MOST: Final = 5


def report(event: events.ImportSlow | events.PipelineImported) -> None:
    """Print a note on an import, if it takes, or took, long."""
    text = _slow(event) if isinstance(event, events.ImportSlow) else _ended(event)
    if text:
        console.passing_note(text)


def _slow(event: events.ImportSlow) -> str:
    named = longest(event.libraries, more=True)
    if event.seconds < _AGAIN_SECONDS:
        return f"importing {event.file} {f'({named})' if named else '…'}"
    still = f"still importing {event.file}, for {formats.whole_seconds(event.seconds)} now"
    return f"{still}{f' ({named})' if named else ''}{f': {event.where}' if event.where else ''}"


def _ended(event: events.PipelineImported) -> str:
    if event.seconds < _SLOW_SECONDS:
        return ""
    named = longest(event.libraries)
    return f"imported {event.file} in {seconds(event.seconds)}{f' ({named})' if named else ''}"


def longest(libraries: Mapping[str, float], *, more: bool = False) -> str:
    """Return the libraries that took most: ``pandas 2.1 s, sklearn 3.4 s …``; ``more`` may follow."""
    worth = {name: took for name, took in libraries.items() if took >= _LEAST_SECONDS}
    named = sorted(worth, key=lambda name: worth[name], reverse=True)[:_MOST]
    text = ", ".join(f"{name} {seconds(took)}" for name, took in worth.items() if name in named)
    return f"{text} …" if text and (more or len(worth) > _MOST) else text


def seconds(duration: float) -> str:
    """Format the duration of an import: ``2.1 s``, ``2m05s``."""
    return f"{duration:.1f} s" if duration < 60 else formats.seconds(duration)  # noqa: PLR2004
