"""The content-addressed cache of Pivot: objects by digest, and the files that record runs."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_cache.errors import (
        ArtifactError,
        CacheError,
        CorruptObjectError,
        LockFileError,
        MissingObjectError,
        TreeError,
    )
    from pivot_cache.files.hashing import Hashed, hash_file
    from pivot_cache.formats.tree import Tree
    from pivot_cache.layout import Layout
    from pivot_cache.objects.store import CacheMemory, CheckoutMode, ObjectStore
    from pivot_cache.state.run_cache import RunCache
    from pivot_cache.state.scan import hash_path
    from pivot_cache.state.stat_cache import StatCache

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
    "hash_file",
    "hash_path",
]

_MODULES = {
    "ArtifactError": "pivot_cache.errors",
    "CacheError": "pivot_cache.errors",
    "CacheMemory": "pivot_cache.objects.store",
    "CheckoutMode": "pivot_cache.objects.store",
    "CorruptObjectError": "pivot_cache.errors",
    "Hashed": "pivot_cache.files.hashing",
    "Layout": "pivot_cache.layout",
    "LockFileError": "pivot_cache.errors",
    "MissingObjectError": "pivot_cache.errors",
    "ObjectStore": "pivot_cache.objects.store",
    "RunCache": "pivot_cache.state.run_cache",
    "StatCache": "pivot_cache.state.stat_cache",
    "Tree": "pivot_cache.formats.tree",
    "TreeError": "pivot_cache.errors",
    "hash_file": "pivot_cache.files.hashing",
    "hash_path": "pivot_cache.state.scan",
}


def __getattr__(name: str) -> object:
    """Import a public name on first access, so that a command pays only for what it needs."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pivot_cache' has no attribute {name!r}")
