"""Notices of remotes that have been silent for long, for listeners such as the command line."""

import contextlib
from collections.abc import Callable, Iterator

_listeners: list[Callable[[str, float], object]] = []


@contextlib.contextmanager
def listen(listener: Callable[[str, float], object]) -> Iterator[None]:
    """While the block lasts, ``listener`` is given the address of a server and how many seconds it has been silent."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(address: str, seconds: float) -> None:
    """A server, by an address without secrets, has been silent for so long; reported once, until it answers again."""
    for listener in _listeners:
        listener(address, seconds)
