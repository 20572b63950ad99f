"""Notices of remotes that have been silent for long, for listeners such as the command line."""

import contextlib
from collections.abc import Callable, Iterator

_listeners: list[Callable[[str, float], object]] = []
"""Called while `listen` is in use, so that no remote must pass its silence on."""


@contextlib.contextmanager
def listen(listener: Callable[[str, float], object]) -> Iterator[None]:
    """Within the block, call ``listener`` with the address of a silent server and the seconds of its silence."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(address: str, seconds: float) -> None:
    """Report that a server, by an address without secrets, has been silent for so long; once until it answers."""
    for listener in _listeners:
        listener(address, seconds)
