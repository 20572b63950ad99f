"""Bytes by digest, and the files that record runs: the content-addressed cache of Pivot."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_cache import atomic, checkout, ingest, lockfiles
    from pivot_cache.errors import (
        ArtifactError,
        CacheError,
        CorruptObjectError,
        LockFileError,
        MissingObjectError,
        TreeError,
    )
    from pivot_cache.hashing import Hashed, hash_file
    from pivot_cache.layout import Layout
    from pivot_cache.memory import CacheMemory
    from pivot_cache.runcache import RunCache
    from pivot_cache.scan import hash_path
    from pivot_cache.statcache import StatCache
    from pivot_cache.store import CheckoutMode, ObjectStore
    from pivot_cache.tree import Tree

__all__ = [
    "ArtifactError",
    "CacheError",
    "CacheMemory",
    "CheckoutMode",
    "CorruptObjectError",
    "Hashed",
    "Layout",
    "LockFileError",
    "MissingObjectError",
    "ObjectStore",
    "RunCache",
    "StatCache",
    "Tree",
    "TreeError",
    "atomic",
    "checkout",
    "hash_file",
    "hash_path",
    "ingest",
    "lockfiles",
]

_MODULES = {
    "ArtifactError": "pivot_cache.errors",
    "CacheError": "pivot_cache.errors",
    "CacheMemory": "pivot_cache.memory",
    "CheckoutMode": "pivot_cache.store",
    "CorruptObjectError": "pivot_cache.errors",
    "Hashed": "pivot_cache.hashing",
    "Layout": "pivot_cache.layout",
    "LockFileError": "pivot_cache.errors",
    "MissingObjectError": "pivot_cache.errors",
    "ObjectStore": "pivot_cache.store",
    "RunCache": "pivot_cache.runcache",
    "StatCache": "pivot_cache.statcache",
    "Tree": "pivot_cache.tree",
    "TreeError": "pivot_cache.errors",
    "hash_file": "pivot_cache.hashing",
    "hash_path": "pivot_cache.scan",
}
_WHOLE = {
    "atomic": "pivot_cache.atomic",
    "checkout": "pivot_cache.checkout",
    "ingest": "pivot_cache.ingest",
    "lockfiles": "pivot_cache.lockfiles",
}
"""Modules that are public as they are."""


def __getattr__(name: str) -> object:
    """The public names, each imported when first used: a command pays only for what it needs."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name in _WHOLE:
        return import_module(_WHOLE[name])
    raise AttributeError(f"module 'pivot_cache' has no attribute {name!r}")
