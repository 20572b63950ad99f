"""What code does this function rest on? A transitive, stable fingerprint of Python functions."""

from pivot_fingerprint._errors import FingerprintError, ManifestError, NotCallableError
from pivot_fingerprint._manifest import SCHEMA, Change, Entry, Manifest, Unresolved, diff
from pivot_fingerprint._optout import no_fingerprint
from pivot_fingerprint._plain import register_encoder
from pivot_fingerprint._walk import fingerprint, unresolved

__all__ = [
    "SCHEMA",
    "Change",
    "Entry",
    "FingerprintError",
    "Manifest",
    "ManifestError",
    "NotCallableError",
    "Unresolved",
    "diff",
    "fingerprint",
    "no_fingerprint",
    "register_encoder",
    "unresolved",
]
