"""Transitive, stable fingerprints of Python functions: the code that each depends on."""

from typing import TYPE_CHECKING

from pivot_fingerprint.disk import Listener
from pivot_fingerprint.errors import FingerprintError, ManifestError, NotCallableError
from pivot_fingerprint.imports.unstable_values import UnstableValues
from pivot_fingerprint.manifest import SCHEMA, Change, Entry, Library, Manifest, Unresolved, diff
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.values.builtin_types import register_encoder
from pivot_fingerprint.walk.code_objects import no_fingerprint
from pivot_fingerprint.walk.fingerprinter import Fingerprinter, fingerprint, unresolved

if TYPE_CHECKING:
    from pivot_fingerprint.observation import Observed, ObservedEntry, Observer, Ran, recheck, source_digest, uncovered

__all__ = [
    "SCHEMA",
    "Change",
    "Entry",
    "FingerprintError",
    "Fingerprinter",
    "Library",
    "Listener",
    "Manifest",
    "ManifestError",
    "Memo",
    "NotCallableError",
    "Observed",
    "ObservedEntry",
    "Observer",
    "Ran",
    "Unresolved",
    "UnstableValues",
    "diff",
    "fingerprint",
    "no_fingerprint",
    "recheck",
    "register_encoder",
    "source_digest",
    "uncovered",
    "unresolved",
]


def __getattr__(name: str) -> object:
    """Import the modules for observation on first use: most users never need them."""
    if name in __all__:
        from pivot_fingerprint import observation  # lazy

        return getattr(observation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
