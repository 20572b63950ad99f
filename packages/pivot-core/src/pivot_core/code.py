"""The code that a stage depends on: what its fingerprint covers, what it cannot follow, and the libraries."""

from typing import Final

import attrs

from pivot_core.spec import Location
from pivot_core.values import Value

PROGRAMS: Final = "programs"
"""The key of the entry that says that the code of the Python programs of a command is followed."""


@attrs.frozen(eq=False, repr=False)
class CodeEntry(Value):
    """A part of the code that a stage depends on: the digest of its canonical form, and its location."""

    digest: str
    location: Location | None = None


@attrs.frozen(eq=False, repr=False)
class UnresolvedCode(Value):
    """Code that a fingerprint could not follow: never hashed, always shown."""

    reason: str
    location: Location | None = None


@attrs.frozen(eq=False, repr=False)
class LibraryUse(Value):
    """A library that a stage's code uses: its version, and the names used."""

    version: str
    names: tuple[str, ...] = ()
