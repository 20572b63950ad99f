"""Cached outputs of commands that found nothing to do, valid while nothing that they read has changed.

A repeated command is answered from one file, if the stamps of all paths in its read set are the same and no result has
expired since: nothing is parsed, decided or imported. A file that was touched but not changed has another stamp: the
command then runs in full, with the same output, and stores the new stamps. Anything else that differs or cannot be read
means no answer.
This module imports almost nothing, since imports are most of the cost of a repeated command.
"""

import os
import sys
import time

from pivot_runtime.freshness.stamps import VARIABLE, are_settled, are_unchanged, environment_digest, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pivot_runtime.freshness.load_trace import LoadTrace
    from pivot_runtime.freshness.stamps import ReadSet

_HEAD = "pivot answer 4"
_ELAPSED = "\x01"
"""The placeholder, in a stored text, of the duration of the command."""

_SHORT_NS, _LONG_NS = 99_000_000, 990_000_000
_PLACE = ".pivot/state.db/noop_cache"
_OWN = (".pivot", ".pivot/stages", ".pivot/state.db", ".pivot/cache")
_MOST = 100
"""The most stored answers; before another one is stored, all are deleted."""
_LARGEST = 1 << 26
"""The most bytes of an answer that are read."""
_SALT_BYTES = 16

_VARIABLES = ("PIVOT_", "PYTHON", "LC_", "LANG")
_NAMED = frozenset(
    {"HOME", "XDG_CONFIG_HOME", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "COLUMNS"}
)
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class CachedOutput:
    """The output of a command, and its exit code."""

    def __init__(self, out: str, err: str, code: int) -> None:
        """Hold the text of stdout and of stderr, and the exit code."""
        self.out = out
        self.err = err
        self.code = code


def find(
    arguments: "Sequence[str]",
    environment: "Mapping[str, str]",
    began: int,
    tracks: "Callable[[str, Sequence[str]], bool] | None" = None,
) -> CachedOutput | None:
    """Return the cached answer to this command.

    Args:
        arguments: Its arguments.
        environment: Its environment.
        began: Its start, by `time.monotonic_ns`.
        tracks: Whether git tracks any of these paths of the project in a directory; asked if that matters and git's
            index has changed.
    """
    try:
        root, asked = _root(), _asked(arguments, environment)
        with open(_file(root, asked), "rb", opener=_at_once) as kept:
            fields = kept.read(_LARGEST).decode("utf-8", "surrogateescape").split("\0")
        if fields[0] != _HEAD or fields[1] != asked or fields[-1] != _HEAD:
            return None
        out, err, code, until, marked, trees, variables = fields[2:9]
        if until and time.time() >= float(until):
            return None
        end = 9 + 2 * int(marked)
        if not are_unchanged(fields[9:end]):
            return None
        begin, end = end, end + 4 * int(variables)
        same = variables == "0" or _same_variables(fields[begin:end], environment)
        if same and trees != "0":
            same = _same_trees(fields[end : end + 2 * int(trees)])
        end += 2 * int(trees)
        if same and end < len(fields) - 1 and stamp(fields[end]) != fields[end + 1]:
            same = tracks is not None and _still_untracked(root, asked, fields, end, tracks)
    except (OSError, ValueError, IndexError):
        return None
    took = time.monotonic_ns() - began
    if not same or took >= _LONG_NS:  # longer durations have another format
        return None
    seconds = f"{took / 1e6:.0f}ms" if took < _SHORT_NS else f"{took / 1e9:.2f}s"
    return CachedOutput(out.replace(_ELAPSED, seconds), err, int(code))


def keep(  # each is one part of the file
    arguments: "Sequence[str]",
    environment: "Mapping[str, str]",
    answer: CachedOutput,
    *,
    read_set: "ReadSet",
    traces: "Sequence[LoadTrace]",
    elapsed: str = "",
) -> None:
    """Store the output of a command if stamps cover all that it read; ``elapsed`` is the duration that it printed."""
    stamps = dict(read_set.stamps)
    if read_set.incomplete or not are_settled(stamps.values(), read_set.began):
        return
    if any("\0" in text or _ELAPSED in text for text in (answer.out, answer.err, *arguments)):
        return
    index, *untracked = read_set.untracked or ("",)
    index_stamp = stamps.pop(index, "")
    out = answer.out
    if elapsed:
        if out.count(elapsed) != 1:
            return
        out = out.replace(elapsed, _ELAPSED)
    variables = [
        (fact.kind, fact.subject, each.salt, fact.value)
        for each in traces
        for fact in each.facts
        if fact.kind in ("variable", "variables") and not fact.subject.startswith(_VARIABLES)
    ]
    salt = os.urandom(_SALT_BYTES).hex() if read_set.variables else ""
    variables += [
        (VARIABLE, name, salt, environment_digest(VARIABLE, name, environment, salt))
        for name in sorted(read_set.variables)
    ]
    asked = _asked(arguments, environment)
    until = "" if read_set.valid_until is None else str(read_set.valid_until)
    fields = [_HEAD, asked, out, answer.err, str(answer.code), until]
    fields += [str(len(stamps)), str(len(read_set.trees)), str(len(variables))]
    fields += [text for each in stamps.items() for text in each]
    fields += [text for each in variables for text in each]
    fields += [text for each in read_set.trees.items() for text in each]
    fields += [index, index_stamp, *untracked] if index else []
    _write(_file(_root(), asked), [*fields, _HEAD])


def _write(file: str, fields: "Sequence[str]") -> None:
    content = "\0".join(fields).encode("utf-8", "surrogateescape")
    directory = os.path.dirname(file)
    temporary = f"{file}.{os.getpid()}"
    try:
        os.makedirs(directory, exist_ok=True)
        if not os.path.exists(file):
            kept = os.listdir(directory)
            for name in kept if len(kept) >= _MOST else ():
                os.unlink(f"{directory}/{name}")
        with open(temporary, "wb") as written:
            written.write(content)
        os.replace(temporary, file)
    except OSError:  # then the next command runs in full
        try:
            os.unlink(temporary)
        except OSError:
            return


def _asked(arguments: "Sequence[str]", environment: "Mapping[str, str]") -> str:
    """Return everything but files that the answer depends on."""
    set_ = [f"{name}={value}" for name, value in environment.items() if name in _NAMED or name.startswith(_VARIABLES)]
    terminal = [_terminal(fd) for fd in (1, 2)]
    machine = os.uname()
    parts = [
        *arguments,
        "",
        os.getcwd(),
        *terminal,
        *sorted(set_),
        "",
        sys.executable,
        sys.version,
        machine.nodename,
        str(os.getuid()),
        _boot_id(),
    ]
    return "\n".join(parts)


def _terminal(fd: int) -> str:
    try:
        return str(os.get_terminal_size(fd).columns) if os.isatty(fd) else "none"
    except OSError:
        return "none"


def _boot_id() -> str:
    """Return the id of this boot: after a power cut, a file may have its old stamp and other content."""
    try:
        with open(_BOOT_ID, "rb") as file:
            return file.read(64).decode()
    except OSError:
        from pivot_cache.files.signatures import boot_id  # lazy: not needed on Linux

        return boot_id()


def _root() -> str:
    """Return the topmost directory with a `.pivot/` at or above the current one."""
    directory = os.getcwd()
    found = ""
    while True:
        if os.path.isdir(f"{directory}/.pivot"):
            found = directory
        if directory in ("/", ""):
            break
        directory = os.path.dirname(directory)
    if not found or any(os.path.islink(f"{found}/{name}") for name in _OWN):
        raise FileNotFoundError
    return found


def _at_once(file: str, flags: int) -> int:
    """Open a path without waiting, even if it is a pipe."""
    return os.open(file, flags | os.O_NONBLOCK)


def _file(root: str, asked: str) -> str:
    import binascii  # lazy

    name = binascii.crc32(asked.encode("utf-8", "surrogateescape"))  # the file contains the whole question
    return f"{root}/{_PLACE}/{name:08x}"


def _same_variables(fields: "Sequence[str]", environment: "Mapping[str, str]") -> bool:
    return all(
        environment_digest(kind, name, environment, salt) == value
        for kind, name, salt, value in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=True)
    )


def _still_untracked(
    root: str, asked: str, fields: "list[str]", at: int, tracks: "Callable[[str, Sequence[str]], bool]"
) -> bool:
    """Return whether git's changed index still has none of the paths; if so, store its stamp in the answer."""
    now, changed = time.time_ns(), stamp(fields[at])
    if tracks(root, fields[at + 2 : -1]):
        return False
    if are_settled((changed,), now):
        fields[at + 1] = changed
        _write(_file(root, asked), fields)
    return True


def _same_trees(fields: "Sequence[str]") -> bool:
    from pivot_cache.files.signatures import tree_signature  # lazy
    from pivot_cache.files.walk import walk  # lazy

    return all(tree_signature(*walk(path)) == signed for path, signed in zip(fields[::2], fields[1::2], strict=True))
