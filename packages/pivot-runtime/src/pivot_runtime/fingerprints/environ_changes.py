"""The environment variables that an import has changed, for example by reading an `.env` file."""

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_runtime.definitions.params import secret_digest

_MOST: Final = 1000
"""Digests that are remembered; when there are more, all are dropped."""
_NAME: Final = re.compile(r"\$\{?([A-Za-z_]\w*)")


def changed_digests(before: Mapping[str, str], now: Mapping[str, str], memory: pathlib.Path) -> dict[str, str]:
    """By name, the digest of each variable that is new or has another value; ``""`` for one that was removed.

    A digest is slow to make on purpose, so the file ``memory``, which holds derived data, keeps those of known values.
    """
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    if not changed:
        return {}
    known = _remembered(memory)
    salt = known.setdefault("", os.urandom(16).hex())
    digests, size = {}, len(known)
    for name in sorted(changed):
        value = now.get(name)
        if value is None:
            digests[name] = ""
            continue
        key = _key(name, value, salt)
        if key not in known:
            known[key] = secret_digest("", f"env:{name}", value)
        digests[name] = known[key]
    if len(known) > size:
        with contextlib.suppress(OSError, CacheError):
            memory.parent.mkdir(exist_ok=True)
            write_bytes(memory, json.dumps({"": salt} if len(known) > _MOST else known).encode())
    return digests


def named_by(command: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The ones of these variables that a shell command names."""
    return {name: variables[name] for name in sorted(set(_NAME.findall(command)) & variables.keys())}


def _remembered(memory: pathlib.Path) -> dict[str, str]:
    try:
        found: Any = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    valid = isinstance(found, dict) and all(isinstance(text, str) for text in found.values())
    return found if valid else {}


def _key(name: str, value: str, salt: str) -> str:
    import hashlib  # lazy

    return hashlib.blake2b(f"{name}\0{value}".encode("utf-8", "surrogateescape"), key=salt.encode()).hexdigest()
