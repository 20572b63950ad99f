"""Environment variables that an import has set, as from an `.env` file; they count where they are read."""

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
"""Digests that are remembered; beyond that all go."""
_NAME: Final = re.compile(r"\$\{?([A-Za-z_]\w*)")


def changed_digests(before: Mapping[str, str], now: Mapping[str, str], memory: pathlib.Path) -> dict[str, str]:
    """By name, what may be known of each variable that is not as it was; ``""`` for one that is gone.

    Each digest takes a while to make, so ``memory``, a file of derived data on this machine, has those of known values.
    """
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    if not changed:
        return {}
    known = _recalled(memory)
    salt = known.setdefault("", os.urandom(16).hex())
    found, size = {}, len(known)
    for name in sorted(changed):
        value = now.get(name)
        if value is None:
            found[name] = ""
            continue
        key = _key(name, value, salt)
        if key not in known:
            known[key] = secret_digest("", f"env:{name}", value)
        found[name] = known[key]
    if len(known) > size:
        with contextlib.suppress(OSError, CacheError):
            memory.parent.mkdir(exist_ok=True)
            write_bytes(memory, json.dumps({"": salt} if len(known) > _MOST else known).encode())
    return found


def named_by(command: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that a command names."""
    return {name: variables[name] for name in sorted(set(_NAME.findall(command)) & variables.keys())}


def _recalled(memory: pathlib.Path) -> dict[str, str]:
    try:
        found: Any = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(text, str) for text in found.values())
    return found if whole else {}


def _key(name: str, value: str, salt: str) -> str:
    import hashlib  # noqa: PLC0415  # start-up time: few pipelines set variables

    return hashlib.blake2b(f"{name}\0{value}".encode("utf-8", "surrogateescape"), key=salt.encode()).hexdigest()
