"""Fingerprints of stages: their functions, other code of theirs, and a cache of parsed files."""

import contextlib
import os
import pathlib
from collections.abc import Callable

from pivot_cache.files.atomic import drop_older_half
from pivot_core.paths import ArtifactPath
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Fingerprinter, Manifest
from pivot_runtime.definitions import params
from pivot_runtime.loading.loaded import Steady
from pivot_runtime.tracing.random_calls import RandomCalls


def fingerprint(
    fingerprinter: Fingerprinter,
    stage: Stage,
    base: str,
    root: pathlib.Path,
    *,
    is_user_code: Callable[[str], bool],
    chance: RandomCalls,
) -> tuple[Manifest, Steady | None]:
    """The manifest of a stage, and what its values count by if chance can make them other ones.

    Args:
        fingerprinter: Of the process that has imported the stage.
        stage: It.
        base: The directory of its pipeline, relative to the root.
        root: The project's.
        is_user_code: Whether code in a file is the user's.
        chance: The calls of the import whose results differ at each.
    """

    def resolved(declared: Dep | Out) -> str | list[str]:
        paths = [str(ArtifactPath.resolve(path, base=base, root=str(root))) for path in declared.paths]
        return paths[0] if isinstance(declared.path, str) else paths

    # Which file goes to which parameter is as much a part of the stage as how it is loaded.
    values: dict[str, object] = {f"loader:{name}": (resolved(dep), dep.loader) for name, dep in stage.deps.items()}
    values |= {f"writer:{key}": (resolved(out), out.loader) for key, out in stage.outs.items()}
    values |= {f"previous:{name}": (resolved(out), out.loader) for name, out in stage.previous.items()}
    values |= params.behaviour(stage, is_user_code)
    manifest = fingerprinter.fingerprint(stage.func, values)
    if not chance.may_differ:
        return manifest, None
    return manifest, Steady(*fingerprinter.unstable_values(stage.func, values))


_MOST = 24000
_LARGEST = 1 << 26
"""Files; beyond that the older half goes."""


class OutlineCache:
    """A `pivot_fingerprint.Memo` in a directory; where that cannot be written, nothing is kept.

    Files are written in place: who reads them checks them, and makes again what is damaged or half there.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Describe it; it is made when something is first kept."""
        self._directory = directory
        self._counted = False

    def get(self, key: bytes) -> bytes | None:
        """The content under a key, if it can be read."""
        try:
            with open(self._file(key), "rb", buffering=0, opener=_at_once) as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def put(self, key: bytes, content: bytes) -> None:
        """Keep this."""
        with contextlib.suppress(OSError):
            self._directory.parent.mkdir(exist_ok=True)  # in what is a project already
            self._directory.mkdir(exist_ok=True)
            if not self._counted:
                self._counted = True
                drop_older_half(self._directory, _MOST)
            with open(self._file(key), "wb", buffering=0, opener=_at_once) as file:
                file.write(content)

    def _file(self, key: bytes) -> str:
        return os.path.join(self._directory, key.hex())


def _at_once(file: str, flags: int) -> int:
    """A path that is no file, such as a pipe, is not waited for."""
    return os.open(file, flags | os.O_NONBLOCK, 0o666)
