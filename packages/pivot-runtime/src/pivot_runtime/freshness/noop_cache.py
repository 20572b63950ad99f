"""Kept outputs of commands that found nothing to do, valid while nothing that they looked at has changed.

A command that is repeated is answered from one file and the marks of all that it looked at: nothing is parsed,
decided or imported again. Only the marks decide here: who touches a file without changing it gets the same
answer the long way, which then writes the new marks down. Whatever is not as it was, or cannot be read, is no answer.
This module imports next to nothing, since its import is most of what a repeated command costs.
"""

import os
import sys
import time

from pivot_runtime.freshness.stamps import are_settled, are_unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pivot_runtime.freshness.load_trace import LoadTrace
    from pivot_runtime.freshness.stamps import ReadSet

_HEAD = "pivot answer 1"
_ELAPSED = "\x01"
"""Stands in a kept text for how long the command took."""

_SHORT_NS, _LONG_NS = 99_000_000, 990_000_000
_PLACE = ".pivot/state.db/answers"
_OWN = (".pivot", ".pivot/stages", ".pivot/state.db", ".pivot/cache")
_MOST = 100
_LARGEST = 1 << 26
"""Answers; beyond that all go."""

_VARIABLES = ("PIVOT_", "PYTHON", "LC_", "LANG")
_NAMED = frozenset(
    {"HOME", "XDG_CONFIG_HOME", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "COLUMNS"}
)
_BOOT = "/proc/sys/kernel/random/boot_id"


class CachedOutput:
    """The output of a command, and its exit code."""

    def __init__(self, out: str, err: str, code: int) -> None:
        """The command's output; `elapsed` is the text that replaces its time."""
        self.out = out
        self.err = err
        self.code = code


def find(arguments: "Sequence[str]", environment: "Mapping[str, str]", began: int) -> CachedOutput | None:
    """The known answer to this command; ``began`` is when it began, of `time.perf_counter_ns`."""
    try:
        asked = _asked(arguments, environment)
        with open(_file(_root(), asked), "rb", opener=_at_once) as kept:
            fields = kept.read(_LARGEST).decode("utf-8", "surrogateescape").split("\0")
        if fields[0] != _HEAD or fields[1] != asked or fields[-1] != _HEAD:
            return None
        out, err, code, marked, trees, variables = fields[2:8]
        end = 8 + 2 * int(marked)
        if not are_unchanged(fields[8:end]):
            return None
        begin, end = end, end + 4 * int(variables)
        same = variables == "0" or _same_variables(fields[begin:end], environment)
        if same and trees != "0":
            same = _same_trees(fields[end : end + 2 * int(trees)])
    except (OSError, ValueError, IndexError):
        return None
    took = time.perf_counter_ns() - began
    if not same or took >= _LONG_NS:  # longer times are written in another way
        return None
    shown = f"{took / 1e6:.0f}ms" if took < _SHORT_NS else f"{took / 1e9:.2f}s"
    return CachedOutput(out.replace(_ELAPSED, shown), err, int(code))


def keep(  # each is one part of the file
    arguments: "Sequence[str]",
    environment: "Mapping[str, str]",
    answer: CachedOutput,
    *,
    read_set: "ReadSet",
    traces: "Sequence[LoadTrace]",
    elapsed: str = "",
) -> None:
    """Keep what a command said, if all that it looked at can be marked; ``elapsed`` is the time that it printed."""
    stamps = read_set.stamps
    if read_set.incomplete or not are_settled(stamps.values(), read_set.began):
        return
    if any("\0" in text or _ELAPSED in text for text in (answer.out, answer.err, *arguments)):
        return
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
    asked = _asked(arguments, environment)
    fields = [_HEAD, asked, out, answer.err, str(answer.code)]
    fields += [str(len(stamps)), str(len(read_set.trees)), str(len(variables))]
    fields += [text for each in stamps.items() for text in each]
    fields += [text for each in variables for text in each]
    fields += [text for each in read_set.trees.items() for text in each]
    _write(_file(_root(), asked), "\0".join([*fields, _HEAD]).encode("utf-8", "surrogateescape"))


def _write(file: str, content: bytes) -> None:
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
    except OSError:  # then the next command takes the long way
        try:
            os.unlink(temporary)
        except OSError:
            return


def _asked(arguments: "Sequence[str]", environment: "Mapping[str, str]") -> str:
    """All that the answer depends on and that is no file."""
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
        _boot(),
    ]
    return "\n".join(parts)


def _terminal(fd: int) -> str:
    try:
        return str(os.get_terminal_size(fd).columns) if os.isatty(fd) else "none"
    except OSError:
        return "none"


def _boot() -> str:
    """The session of the machine, which ends with it: a power cut may keep a mark and lose the file."""
    try:
        with open(_BOOT, "rb") as file:
            return file.read(64).decode()
    except OSError:
        from pivot_cache.files.boot import session  # noqa: PLC0415  # start-up time: Linux needs it not

        return session()


def _root() -> str:
    """The top-most directory with a `.pivot/` above the current one."""
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
    """A path that is no file, such as a pipe, is not waited for."""
    return os.open(file, flags | os.O_NONBLOCK)


def _file(root: str, asked: str) -> str:
    import binascii  # noqa: PLC0415

    name = binascii.crc32(asked.encode("utf-8", "surrogateescape"))  # the file says in full what it answers
    return f"{root}/{_PLACE}/{name:08x}"


def _same_variables(fields: "Sequence[str]", environment: "Mapping[str, str]") -> bool:
    from pivot_runtime.freshness.stamps import environment_digest  # noqa: PLC0415  # start-up time

    return all(
        environment_digest(kind, name, environment, salt) == value
        for kind, name, salt, value in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=True)
    )


def _same_trees(fields: "Sequence[str]") -> bool:
    from pivot_cache.files.walk import signature, walk  # noqa: PLC0415  # start-up time: few projects have directories

    return all(signature(*walk(path)) == signed for path, signed in zip(fields[::2], fields[1::2], strict=True))
