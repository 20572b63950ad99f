"""Transitive, stable fingerprints of Python functions: the code that each depends on."""

from typing import TYPE_CHECKING

from pivot_fingerprint.disk import Listener
from pivot_fingerprint.errors import FingerprintError, ManifestError, NotCallableError
from pivot_fingerprint.imports.unstable_values import UnstableValues
from pivot_fingerprint.manifest import SCHEMA, Change, Entry, Library, Manifest, Unresolved, diff
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.user_code import default_is_user_code
from pivot_fingerprint.values.builtin_types import register_encoder
from pivot_fingerprint.walk.code_objects import no_fingerprint
from pivot_fingerprint.walk.fingerprinter import Fingerprinter, fingerprint, unresolved

if TYPE_CHECKING:
    from pivot_fingerprint.observation import Observed, ObservedEntry, Observer, Ran, recheck, source_digest, uncovered
    from pivot_fingerprint.scripts.script_fingerprinter import Program, ScriptFingerprinter, fingerprint_script

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
    "Program",
    "Ran",
    "ScriptFingerprinter",
    "Unresolved",
    "UnstableValues",
    "default_is_user_code",
    "diff",
    "fingerprint",
    "fingerprint_script",
    "no_fingerprint",
    "recheck",
    "register_encoder",
    "source_digest",
    "uncovered",
    "unresolved",
]


def __getattr__(name: str) -> object:
    """Import the modules for observation and for scripts on first use: most users never need them."""
    if name in {"Program", "ScriptFingerprinter", "fingerprint_script"}:
        from pivot_fingerprint.scripts import script_fingerprinter  # lazy

        return getattr(script_fingerprinter, name)
    if name in __all__:
        from pivot_fingerprint import observation  # lazy

        return getattr(observation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
