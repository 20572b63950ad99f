"""Unified diffs, as git writes them: parsed, and applied to texts; pure.

A diff applies only where each of its lines is exactly as it says. Nothing is searched for, and nothing is guessed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import attrs

from pivot_core.errors import PathError, PivotError
from pivot_core.files.paths import RESERVED_DIRS, STATE_DIR, ArtifactPath
from pivot_core.values import Value

_HUNK: Final = re.compile(rb"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_PREFIX: Final = re.compile(rb"[abciow]/")
"""The prefixes of paths in git; with ``diff.mnemonicPrefix``, other letters than a and b."""
_NOTHING: Final = b"/dev/null"
_ESCAPE: Final = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPES: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}
_REGULAR: Final = {b"100644": False, b"100755": True}
_HEADERS: Final = (b"index ", b"similarity index ", b"dissimilarity index ", b"old mode ")
_AGAIN: Final = (
    "make the diff again from the files as they are now, with paths from the project's root: 'git diff --relative'"
)


class PatchError(PivotError):
    """A diff cannot be read, or does not fit the files."""


class HunkLine(NamedTuple):
    """A line of a hunk: ``kind`` is a blank, ``-`` or ``+``; the text has its end of line."""

    kind: bytes
    text: bytes


@attrs.frozen(eq=False, repr=False)
class Hunk(Value):
    """A place in a file, with the lines before and after.

    Attributes:
        index: The number of lines of the old file before it.
        lines: Its lines.
    """

    index: int
    lines: tuple[HunkLine, ...]


@attrs.frozen(eq=False, repr=False)
class FilePatch(Value):
    """The changes of one file.

    Attributes:
        old: Its path before; None if it is new.
        new: Its path afterwards; None if it is deleted.
        hunks: The changed places.
        executable: Whether it is executable afterwards; None if that stays as it is.
        copied: Whether the old file stays.
    """

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    executable: bool | None = None
    copied: bool = False


class EditedFile(NamedTuple):
    """A file after an edit; ``executable`` is None if that stays as it is."""

    content: bytes
    executable: bool | None = None


def parse(diff: bytes) -> tuple[FilePatch, ...]:
    """Return the changes of each file in a diff; text around them, such as the message of a commit, is left out.

    Raises:
        PatchError: It has no change, or something in it is not understood: binary files, links, wrong counts of lines.
        PathError: A path leaves the project, or is that of Pivot's or git's own files.
    """
    lines = _Lines(_split(diff if diff.endswith(b"\n") else diff + b"\n"))  # the end is lost where texts are stripped
    found = tuple(_patches(lines))
    if not found:
        raise PatchError("the diff changes no file", hint="give it as 'git diff' writes it")
    return found


def apply(patches: tuple[FilePatch, ...], read: Callable[[str], bytes | None]) -> dict[str, EditedFile | None]:
    """Return the files that the changes lead to, by path; None for one that is deleted.

    Args:
        patches: The changes, each of which sees those before it; copies are of the file as it was at first.
        read: Returns the content of a file; None if there is none.

    Raises:
        PatchError: A change does not fit its file.
    """
    edited: dict[str, EditedFile | None] = {}
    renamed = {each.old for each in patches if each.new is not None and each.new != each.old and not each.copied}
    moved: set[str] = set()
    for patch in patches:
        is_first = patch.copied or (patch.old in moved and patch.new is not None)
        before = _before(patch, edited, read, is_first=is_first)
        if before is None:
            raise PatchError(f"the diff changes {patch.old}, which does not exist", hint=_AGAIN)
        is_new = patch.new != patch.old and patch.new not in renamed
        if is_new and patch.new is not None and _current(patch.new, edited, read) is not None:
            raise PatchError(f"the diff creates {patch.new}, which exists", hint=_AGAIN)
        content = patched(before.content, patch.hunks, patch.new or patch.old or "")
        if patch.new is not None:
            edited[patch.new] = EditedFile(content, before.executable if patch.executable is None else patch.executable)
        elif content:
            raise PatchError(f"the diff deletes {patch.old}, but not all of its lines", hint=_AGAIN)
        if patch.old is not None and patch.old != patch.new and not patch.copied and patch.old not in moved:
            edited[patch.old] = None
        if patch.new is not None and patch.new != patch.old:
            moved.add(patch.new)
    return edited


def _current(
    path: str, edited: Mapping[str, EditedFile | None], read: Callable[[str], bytes | None]
) -> EditedFile | None:
    """The file as the changes so far have left it."""
    if path in edited:
        return edited[path]
    content = read(path)
    return None if content is None else EditedFile(content)


def _before(
    patch: FilePatch,
    edited: Mapping[str, EditedFile | None],
    read: Callable[[str], bytes | None],
    *,
    is_first: bool,
) -> EditedFile | None:
    """The file that a change begins with; ``is_first``: as it was before the diff, if it was there."""
    if patch.old is None:
        return EditedFile(b"")
    first = _current(patch.old, {}, read) if is_first and patch.new != patch.old else None
    return first or _current(patch.old, edited, read)


def patched(content: bytes, hunks: tuple[Hunk, ...], name: str) -> bytes:
    """Return the content of a file after the changes of some hunks.

    Raises:
        PatchError: A line is not what a hunk says; ``name`` is the file in the message.
    """
    old = _split(content)
    new: list[bytes] = []
    at = 0
    for number, hunk in enumerate(hunks, 1):
        if hunk.index < at:
            raise PatchError(f"hunk {number} of {name} begins before the end of the one above it", hint=_AGAIN)
        if hunk.index > len(old):
            raise PatchError(f"hunk {number} of {name} begins after the end of the file", hint=_AGAIN)
        new += old[at : hunk.index]
        at = hunk.index
        for line in hunk.lines:
            if line.kind != b"+":
                if at >= len(old) or old[at] != line.text:
                    found = _shown(old[at]) if at < len(old) else "the end of the file"
                    problem = f"line {at + 1} is {found}, not {_shown(line.text)}"
                    raise PatchError(f"hunk {number} does not fit {name}: {problem}", hint=_AGAIN)
                at += 1
            if line.kind != b"-":
                new.append(line.text)
    return b"".join(new + old[at:])


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    ending = "" if text.endswith("\n") else " without an end of line"
    return f"{text.removesuffix('\n')[:80]!r}{ending}"


def _split(content: bytes) -> list[bytes]:
    """The lines with their ends, which are line feeds alone."""
    lines = content.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


class _Lines:
    """The lines of a diff that are still to be read."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self.at = 0

    def peek(self, ahead: int = 0) -> bytes:
        """Return a line without its end; empty after the last."""
        index = self.at + ahead
        return self._lines[index].removesuffix(b"\n") if index < len(self._lines) else b""

    def take(self) -> bytes:
        """Return the next line with its end."""
        self.at += 1
        return self._lines[self.at - 1]

    @property
    def left(self) -> bool:
        """Return whether there is another line."""
        return self.at < len(self._lines)


def _patches(lines: _Lines) -> Iterator[FilePatch]:
    while lines.left:
        if lines.peek().startswith(b"diff --git "):
            yield from _git_patch(lines)
        elif _begins_file(lines):
            yield _plain_patch(lines)
        else:
            lines.take()


def _begins_file(lines: _Lines) -> bool:
    return lines.peek().startswith(b"--- ") and lines.peek(1).startswith(b"+++ ")


def _plain_patch(lines: _Lines) -> FilePatch:
    """A change without git's header."""
    old, new = _marked_paths(lines)
    return FilePatch(_path(old), _path(new), tuple(_hunks(lines, new or old or b"")))


def _git_patch(lines: _Lines) -> Iterator[FilePatch]:
    header = lines.take().removeprefix(b"diff --git ").removesuffix(b"\n")
    told: dict[bytes, bytes] = {}
    while lines.left and not lines.peek().startswith(b"diff --git ") and not _begins_file(lines):
        line = lines.peek()
        if line.startswith((b"Binary files ", b"GIT binary patch")):
            raise PatchError(
                f"the diff changes a binary file: {_text(header)}",
                hint="leave binary files out: 'git diff -- \"*.py\"'",
            )
        key = next((each for each in _TOLD if line.startswith(each)), None)
        if key is not None:
            told[key] = line.removeprefix(key)
        elif not line.startswith(_HEADERS):
            break
        lines.take()
    executable = _executable(told, header)
    marked = _marked_paths(lines) if _begins_file(lines) else None
    hunks = tuple(_hunks(lines, header)) if marked is not None else ()
    old, new, copied = _both_paths(header, told, marked)
    if old != new or hunks or executable is not None:
        yield FilePatch(_path(old), _path(new), hunks, executable, copied)


_TOLD: Final = (
    b"rename from ",
    b"rename to ",
    b"copy from ",
    b"copy to ",
    b"new file mode ",
    b"deleted file mode ",
    b"new mode ",
)


def _both_paths(
    header: bytes, told: Mapping[bytes, bytes], marked: tuple[bytes | None, bytes | None] | None
) -> tuple[bytes | None, bytes | None, bool]:
    """The paths before and after, and whether the file is a copy."""
    for verb in (b"rename", b"copy"):
        if verb + b" from " in told and verb + b" to " in told:
            return _unquoted(told[verb + b" from "]), _unquoted(told[verb + b" to "]), verb == b"copy"
    name = _same_name(header)
    if marked is not None:
        old, new = marked
        if name is not None and None in marked:  # without prefixes, the path may begin like one
            old, new = old and name, new and name
        return old, new, False
    if name is None:
        raise PatchError(f"the diff does not say which file it changes: {_text(header)}", hint=_AGAIN)
    return (None if b"new file mode " in told else name), (None if b"deleted file mode " in told else name), False


def _same_name(header: bytes) -> bytes | None:
    """The path of a file that has the same name on both sides; None if it has not."""
    middle = len(header) // 2
    left, right = header[:middle], header[middle + 1 :]
    if header[middle : middle + 1] == b" ":
        old, new = _without_prefixes(_unquoted(left), _unquoted(right))
        if old is not None and old == new:
            return old
    return None


def _executable(told: Mapping[bytes, bytes], header: bytes) -> bool | None:
    mode = told.get(b"new file mode ", told.get(b"new mode "))
    for each in (mode, told.get(b"deleted file mode ")):
        if each is not None and each not in _REGULAR:
            raise PatchError(
                f"the diff changes a symbolic link or a submodule: {_text(header)}", hint="leave it out of the diff"
            )
    return None if mode is None else _REGULAR[mode]


def _marked_paths(lines: _Lines) -> tuple[bytes | None, bytes | None]:
    old = _marked(lines.take().removeprefix(b"--- "))
    new = _marked(lines.take().removeprefix(b"+++ "))
    return _without_prefixes(old, new)


def _marked(text: bytes) -> bytes | None:
    """The path in a line that begins with ``---`` or ``+++``; a time may follow it."""
    name = _unquoted(text.rstrip(b"\r\n").split(b"\t")[0])
    return None if name == _NOTHING else name


def _without_prefixes(old: bytes | None, new: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Remove git's prefixes, which differ; a path without them begins alike on both sides."""
    there = [each for each in (old, new) if each is not None]
    prefixed = all(_PREFIX.match(each) for each in there) and len({each[:2] for each in there}) == len(there)
    if not prefixed:
        return old, new
    return (None if old is None else old[2:]), (None if new is None else new[2:])


def _unquoted(text: bytes) -> bytes:
    """A path as git quotes those with unusual characters."""
    if not (len(text) > 1 and text.startswith(b'"') and text.endswith(b'"')):
        return text
    return _ESCAPE.sub(lambda each: _ESCAPES.get(each[1]) or bytes([int(each[1], 8) & 0xFF]), text[1:-1])


def _path(name: bytes | None) -> str | None:
    if name is None:
        return None
    try:
        return inside(name.decode())
    except UnicodeDecodeError:
        raise PatchError(f"the diff names a path that is not UTF-8: {name!r}", hint="leave it out") from None
    except PathError as error:
        raise PathError(f"the diff cannot be used: {error}", hint=_AGAIN) from None


def inside(name: str) -> str:
    """Return the path of a file that an edit may change; Pivot's own files at the project's root are among them.

    Raises:
        PathError: It leaves the project, is not in normal form, or is one of git's files.
    """
    own = name.startswith(f"{STATE_DIR}/")
    path = ArtifactPath.parse(name.removeprefix(f"{STATE_DIR}/"))
    if not RESERVED_DIRS.isdisjoint(path.split("/")):
        raise PathError(f"{name!r} is a file of git's or of Pivot's own")
    return f"{STATE_DIR}/{path}" if own else str(path)


def _hunks(lines: _Lines, name: bytes) -> Iterator[Hunk]:
    number = 0
    while match := _HUNK.match(lines.peek()):
        number += 1
        start, removed, _, added = (1 if each is None else int(each) for each in match.groups())
        lines.take()
        yield Hunk(start if removed == 0 else start - 1, tuple(_hunk_lines(lines, removed, added, (number, name))))
    if number == 0 or lines.peek().startswith(b"@@"):
        raise PatchError(f"hunk {number + 1} of {_text(name)} has no line numbers as git writes them", hint=_AGAIN)


def _hunk_lines(lines: _Lines, removed: int, added: int, place: tuple[int, bytes]) -> Iterator[HunkLine]:
    number, name = place
    while removed > 0 or added > 0 or lines.peek().startswith(b"\\"):
        line = lines.take() if lines.left else b""
        kind = line[:1]
        if kind == b"\n":  # editors remove the blank of an empty line
            kind, line = b" ", b" \n"
        if kind == b"\\":
            continue
        if kind not in (b" ", b"-", b"+"):
            raise PatchError(f"hunk {number} of {_text(name)} has fewer lines than it says", hint=_AGAIN)
        removed -= kind in (b" ", b"-")
        added -= kind in (b" ", b"+")
        text = line[1:]
        yield HunkLine(kind, text.removesuffix(b"\n") if lines.peek().startswith(b"\\") else text)
    if removed < 0 or added < 0:
        raise PatchError(f"hunk {number} of {_text(name)} has other lines than it says", hint=_AGAIN)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
