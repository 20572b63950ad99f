"""Noticing that code was edited while stages run: files first, and only then what the edit means."""

import pathlib
from collections.abc import Iterable, Sequence

from pivot_core.digest import canonical_json
from pivot_core.errors import PivotError
from pivot_engine import _sources
from pivot_engine.loaded import Loaded, LoadedStage


class CodeWatch:
    """Compares the code that was loaded with the code that lies there now."""

    def __init__(
        self, root: pathlib.Path, files: Iterable[tuple[pathlib.Path, Loaded]], overrides: Sequence[str] = ()
    ) -> None:
        """Watch what was loaded, with ``overrides``, from each pipeline file of the project."""
        self._files = [_WatchedFile(root, file, loaded, overrides) for file, loaded in files]

    def moved(self, address: str) -> tuple[str, ...]:
        """What of a stage is no longer as it was loaded: manifest keys, parameters, or files that cannot be loaded.

        An edit that changes no fingerprint, such as a comment, is no move.
        """
        return next((each.moved(address) for each in self._files if each.has(address)), ())


class _WatchedFile:
    """The code of one pipeline file."""

    def __init__(self, root: pathlib.Path, file: pathlib.Path, loaded: Loaded, overrides: Sequence[str]) -> None:
        self._overrides = overrides
        self._root = root
        self._file = file
        self._loaded = {stage.spec.address: stage for stage in loaded.stages}
        self._changes = _sources.Changes(loaded.sources)
        self._now = self._loaded

    def has(self, address: str) -> bool:
        return address in self._loaded

    def moved(self, address: str) -> tuple[str, ...]:
        edited = self._changes.find()
        if edited:
            from pivot_engine import hosting  # noqa: PLC0415  # start-up time: edits while stages run are rare

            try:
                loaded, host = hosting.load(self._root, self._file, quiet=True, overrides=self._overrides)
            except PivotError:
                return tuple(self._shown(file) for file in edited)
            host.close()
            self._changes = _sources.Changes(loaded.sources)
            self._now = {stage.spec.address: stage for stage in loaded.stages}
        before, now = self._loaded[address], self._now.get(address)
        if now is before:
            return ()
        if now is None or now.spec.deps != before.spec.deps or now.spec.outs != before.spec.outs:
            return (address,)
        facts, new = _facts(before), _facts(now)
        return tuple(sorted(key for key in facts.keys() | new.keys() if facts.get(key) != new.get(key)))

    def _shown(self, file: str) -> str:
        """As the user would write it, where it is in the project."""
        path = pathlib.Path(file)
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else file


def _facts(stage: LoadedStage) -> dict[str, str]:
    """What a load says of a stage, by name."""
    code = {key: entry.digest for key, entry in stage.code.items()}
    return code | {f"param:{name}": canonical_json(value) for name, value in stage.params.items()}
