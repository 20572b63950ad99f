"""Fingerprints of scripts: the manifest of the code that programs reach."""

import os
from collections.abc import Callable, Iterable, Sequence

from pivot_fingerprint.disk import Listener, real_path
from pivot_fingerprint.manifest import Entry, Manifest, Unresolved
from pivot_fingerprint.scripts.program_walk import Program, ProgramWalk
from pivot_fingerprint.scripts.reached_parts import digest_of
from pivot_fingerprint.scripts.script_files import ScriptFiles
from pivot_fingerprint.sources.memo import Memo

__pivot_module__ = "pivot_fingerprint"

__all__ = ["Program", "ScriptFingerprinter", "fingerprint_script"]


class ScriptFingerprinter:
    """Fingerprints several programs, and reads each file once.

    Args:
        root: The directory to which files are relative.
        is_user_code: Whether a file belongs to the project; the default is that of `fingerprint`.
        memo: A store for what is derived from each file's text; by default, there is none.
        listener: Records what the fingerprints depend on.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        is_user_code: Callable[[str], bool] | None = None,
        memo: Memo | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._files = ScriptFiles(root, is_user_code=is_user_code, memo=memo, listener=listener)

    @property
    def files(self) -> frozenset[str]:
        """The source files of the modules that the programs of the last manifest import, and their scripts."""
        return frozenset(self._files.used)

    def fingerprint(self, programs: Iterable[Program]) -> Manifest:
        """The code of the project that some programs reach."""
        self._files.used.clear()
        entries: dict[str, Entry] = {}
        unresolved: list[Unresolved] = []
        for program in programs:
            walk = ProgramWalk(self._files, program)
            found = walk.run()
            names = {key: _by_file(key, entry) for key, entry in found.items() if _is_other(entries.get(key), entry)}
            for key, entry in found.items():
                new = names.get(key, key)
                known = entries.setdefault(new, entry._replace(via=names.get(entry.via or "", entry.via)))
                if known.digest != entry.digest:  # run by one program, and imported by another
                    entries[new] = known._replace(digest=digest_of(sorted({known.digest, entry.digest})))
            unresolved += [each._replace(key=names.get(each.key, each.key)) for each in walk.unresolved]
        return Manifest(entries, tuple(unresolved))


def _is_other(known: Entry | None, entry: Entry) -> bool:
    return known is not None and known.file != entry.file


def _by_file(key: str, entry: Entry) -> str:
    """A key with the file in the place of the module, of which there are two with the same name."""
    kind, _, rest = key.partition(":")
    _, colon, name = rest.partition(":")
    return f"{kind}:{entry.file}{colon}{name}"


def fingerprint_script(
    path: str | os.PathLike[str],
    *,
    search_path: Sequence[str | os.PathLike[str]] = (),
    root: str | os.PathLike[str] = ".",
    is_user_code: Callable[[str], bool] | None = None,
) -> Manifest:
    """The code of the project that a script depends on: what it reaches by name, in all modules that it imports.

    Everything is read from source; nothing is imported or run.

    Args:
        path: The script.
        search_path: Directories that its interpreter searches after the script's own, such as those of `PYTHONPATH`.
        root: The directory to which files are relative.
        is_user_code: Whether a file belongs to the project; the default is that of `fingerprint`.
    """
    file = os.path.abspath(path)
    places = (os.path.dirname(real_path(file)), *map(os.path.abspath, search_path))
    return ScriptFingerprinter(root, is_user_code=is_user_code).fingerprint([Program(places, os.getcwd(), file)])
