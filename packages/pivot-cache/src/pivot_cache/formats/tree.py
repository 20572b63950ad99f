"""Directories as values: every file by its relative path, and the canonical text of the listing.

The text is canonical JSON with one entry per line, so that listings can be compared by eye and by digest:

    {"algorithm":"xxh3-128","empty":["logs"],"files":{
    "bin/run":["<digest>",51,"x"],
    "data.csv":["<digest>",1200]
    },"format":1}
"""

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as _quoted  # the C function, if it is available
from typing import Final

import attrs

from pivot_cache.errors import TreeError
from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError, below
from pivot_core.files.digest import ALGORITHM, digest_bytes
from pivot_core.lock import Artifact
from pivot_core.values import Value

FORMAT: Final = 1
HEAD: Final = f'{{"algorithm":"{ALGORITHM}","empty":['.encode()
"""The first bytes of every listing."""
_FIELDS = frozenset({"algorithm", "empty", "files", "format"})
_EXECUTABLE = "x"
_LONGEST_NAME = 255
_LONGEST_PATH = 4095
"""The limit in bytes; no common file system accepts more."""


def _sorted(files: Mapping[str, Artifact]) -> Mapping[str, Artifact]:
    return dict(sorted(files.items()))


def _sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


@attrs.frozen(eq=False, repr=False)
class Tree(Value):
    """The contents of a directory; equal trees have equal texts.

    Attributes:
        files: By relative POSIX path, sorted.
        empty: The empty directories, sorted.
    """

    files: Mapping[str, Artifact] = attrs.field(converter=_sorted)
    empty: tuple[str, ...] = attrs.field(default=(), converter=_sorted_names)
    _artifact: Artifact | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def dumps(self) -> bytes:
        """The canonical text."""
        entries = ",\n".join(
            f'{_quoted(path)}:["{file.digest}",{file.size},"{_EXECUTABLE}"]'
            if file.executable
            else f'{_quoted(path)}:["{file.digest}",{file.size}]'
            for path, file in self.files.items()
        )
        empty = ",\n".join(map(_quoted, self.empty))
        text = (
            f'{{"algorithm":"{ALGORITHM}","empty":[{empty}],"files":{{\n{entries}\n}},"format":{FORMAT}}}\n'
        ).encode("ascii")
        if self._artifact is None:
            self._keep(text)
        return text

    def artifact(self) -> Artifact:
        """The directory as one artifact, whose digest is that of the text."""
        return self._artifact or self._keep(self.dumps())

    def _keep(self, text: bytes) -> Artifact:
        size = sum(file.size for file in self.files.values())
        found = self._artifact or Artifact(digest_bytes(text), size, tree=True)
        object.__setattr__(self, "_artifact", found)
        return found

    def at(self, path: str) -> Artifact | None:
        """The file at a relative path, or a directory in it as one artifact; None if the path does not exist."""
        file = self.files.get(path)
        if file is not None:
            return file
        inner = self.inside(path)
        return None if inner is None else inner.artifact()

    def inside(self, path: str) -> "Tree | None":
        """The contents of the directory at a relative path; None if there is none."""
        lead = f"{path}/"
        files = {each.removeprefix(lead): found for each, found in self.files.items() if each.startswith(lead)}
        empty = [each.removeprefix(lead) for each in self.empty if each.startswith(lead)]
        return Tree(files, empty) if files or empty or path in self.empty else None

    def digests(self) -> set[str]:
        """The digests of all files."""
        return {file.digest for file in self.files.values()}

    def directories(self) -> list[str]:
        """All directories, empty or not, each after its parents."""
        found = set(self.empty)
        for path in (*self.files, *self.empty):
            _add_parents(path, found)
        return sorted(found)

    @classmethod
    def loads(cls, data: bytes, name: str) -> "Tree":
        """Parse an untrusted text; the result can be written below any directory and stays inside it.

        Args:
            data: The text.
            name: The name used in errors.

        Raises:
            TreeError: The text is not that of a tree; the message is ``what is wrong @ name: field``.
        """
        try:
            return _read(data)
        except FieldError as error:
            raise TreeError(name, error.problem, field=error.field or None) from None
        except (ValueError, RecursionError) as error:
            raise TreeError(name, f"is not JSON ({error})") from None


def _read(data: bytes) -> Tree:
    value = artifact_json.parse(data.decode("ascii"), _no_constant)
    version = artifact_json.mapping(value, "").get("format")
    if version != FORMAT or type(version) is not int:
        raise FieldError("format", f"is {version!r}, not {FORMAT}: written by another version of Pivot, or damaged")
    record = artifact_json.fields(value, "", _FIELDS)
    if record["algorithm"] != ALGORITHM:
        raise FieldError("algorithm", f"is {record['algorithm']!r}, not {ALGORITHM!r}")
    names = record["empty"]
    if not isinstance(names, list):
        raise FieldError("empty", "must be a list")
    files = {path: _file(path, item) for path, item in artifact_json.mapping(record["files"], "files").items()}
    empty = [_path(path, f"empty.{index}") for index, path in enumerate(names)]
    _check_places(files, empty)
    tree = Tree(files, tuple(empty))
    if tree.dumps() != data:
        raise FieldError("", "is not in the canonical form: entries out of order, or other spacing")
    return tree


def _file(path: str, item: object) -> Artifact:
    field = below("files", path)
    _path(path, field)
    match item:
        case [digest, size]:
            executable = False
        case [digest, size, "x"]:
            executable = True
        case _:
            raise FieldError(field, 'must be a digest and a size, and "x" if it is executable')
    return Artifact(artifact_json.digest(digest, field), artifact_json.number(size, field), executable)


def _path(value: object, field: str) -> str:
    text = artifact_json.text(value, field)
    problem = path_problem(text)
    if problem is not None:
        raise FieldError(ascii(field)[1:-1], problem)
    return text


def path_problem(path: str) -> str | None:
    """Why a text cannot be a path in a directory; None if it can."""
    if not path or path[0] == "/" or "//" in path or path[-1] == "/":
        return "is not a relative path without empty parts"
    if "\0" in path:
        return "contains a NUL character"
    parts = path.split("/")
    if "." in parts or ".." in parts:
        return "contains a part `.` or `..`"
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if length > _LONGEST_PATH or (length > _LONGEST_NAME and any(len(p.encode()) > _LONGEST_NAME for p in parts)):
        return f"is too long: a name may have {_LONGEST_NAME} bytes, a path {_LONGEST_PATH}"
    return None


def _check_places(files: Mapping[str, Artifact], empty: list[str]) -> None:
    """Check that no file or empty directory contains another entry."""
    directories: set[str] = set()
    for path in (*files, *empty):
        _add_parents(path, directories)
    for path in files:
        if path in directories:
            raise FieldError(below("files", path), "is a file, but another entry is below it")
    seen: set[str] = set()
    for index, path in enumerate(empty):
        field = f"empty.{index}"
        if path in directories:
            raise FieldError(field, f"{path!r} is not empty: another entry is below it")
        if path in files or path in seen:
            raise FieldError(field, f"{path!r} occurs twice")
        seen.add(path)


def _add_parents(path: str, directories: set[str]) -> None:
    """Add all parent directories; stops at the first known one, so that many entries stay cheap."""
    end = path.rfind("/")
    while end > 0 and (parent := path[:end]) not in directories:
        directories.add(parent)
        end = path.rfind("/", 0, end)


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a number")


@attrs.frozen(eq=False, repr=False)
class TreeDifference(Value):
    """Relative paths in a directory; that of an empty directory ends with ``/``.

    Attributes:
        changed: Files with different content or a different executable bit.
        added: Entries that are not in the listing.
        absent: Entries of the listing that are missing.
        listed: The number of files in the listing.
    """

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    listed: int = 0

    @property
    def partial(self) -> bool:
        """Whether some entries are missing and all others match the listing."""
        return bool(self.absent) and not (self.changed or self.added)


def compare(listed: Tree, found: Tree) -> TreeDifference:
    """Compare the found files with a listing."""
    return TreeDifference(
        changed=tuple(name for name, file in listed.files.items() if _differs(file, found.files.get(name))),
        added=absent(found, listed),
        absent=absent(listed, found),
        listed=len(listed.files),
    )


def absent(listed: Tree, found: Tree) -> tuple[str, ...]:
    """The entries of a listing that are missing among the found files, sorted; an empty directory ends with ``/``."""
    here = {*found.files, *found.directories()} if listed.empty else ()
    names = [*(listed.files.keys() - found.files.keys()), *(f"{name}/" for name in listed.empty if name not in here)]
    return tuple(sorted(names))


def _differs(listed: Artifact, found: Artifact | None) -> bool:
    """Whether a file that is there is another one; equal digests are equal sizes."""
    return found is not None and (listed.digest != found.digest or listed.executable != found.executable)
