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
    "ArtifactError": "errors",
    "CacheError": "errors",
    "CacheMemory": "memory",
    "CheckoutMode": "store",
    "CorruptObjectError": "errors",
    "Hashed": "hashing",
    "Layout": "layout",
    "LockFileError": "errors",
    "MissingObjectError": "errors",
    "ObjectStore": "store",
    "RunCache": "runcache",
    "StatCache": "statcache",
    "Tree": "tree",
    "TreeError": "errors",
    "hash_file": "hashing",
    "hash_path": "scan",
}


def __getattr__(name: str) -> object:
    """The public names, each imported when first used: a command pays only for what it needs."""
    if name in _MODULES:
        return getattr(import_module(f"pivot_cache.{_MODULES[name]}"), name)
    if name in __all__:
        return import_module(f"pivot_cache.{name}")
    raise AttributeError(f"module 'pivot_cache' has no attribute {name!r}")
