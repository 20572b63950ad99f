"""Encoder of values by type and content: equal values have equal tokens in any process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.syntax.form import scalar

_SCALARS = frozenset({int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented)})
_INLINE = 48  # longer tokens are replaced by their digest
_LONG = 4096  # texts and bytes of at least this length are encoded once
_LARGE = 64  # so are values of at least this many parts
_UNSTABLE = "<unstable>"
_BUDGET = 200_000  # a library's object with more parts is not encoded


class Parts(NamedTuple):
    """A value taken apart: a tag for its kind, and the values that it consists of."""

    tag: str
    children: Sequence[object] = ()
    unordered: bool = False
    boundary: str = ""  # "library": unencodable as a whole; "user": only its unencodable parts are
    entry: Any = None  # the entry that it counts by; its name precedes the tag
    code: Any = None  # code without its own entry: its text follows the tag
    issue: str = ""  # a reason why it cannot be followed
    heavy: bool = False  # large even with few parts
    lost: bool = False  # its content does not count
    made: bool = False  # code of its class made the parts, and may make others at each look


class UnencodableError(Exception):
    """A value has no canonical form."""


class TakeApart(Protocol):
    """A function that takes a value apart, or raises `UnencodableError`."""

    def __call__(self, value: object, /) -> Parts:
        """The parts of a value."""
        ...


class Encoded(NamedTuple):
    """The token of a value, and the parts in it that lead further: entries, code, libraries, issues."""

    token: str
    notes: tuple[Parts, ...]


class _KnownValue(NamedTuple):
    """A large value that has been encoded; the reference prevents reuse of its id."""

    value: object
    token: str
    notes: tuple[Parts, ...]
    size: int
    heavy: bool


type _Log = list[Parts | tuple[int, int]]  # a pair stands for a range of the log


class _Frame:
    """A value that is being encoded."""

    __slots__ = ("count", "index", "kept", "limits", "low", "noted", "parts", "tag", "tokens", "value")

    def __init__(self, value: object, parts: Parts, tag: str, index: int) -> None:
        self.value = value
        self.parts = parts
        self.tag = tag
        self.index = index
        self.low = index  # the outermost open value that something inside refers to
        self.tokens: list[str] = []
        self.noted = 0  # the start of its part of the log
        self.count = 0  # the number of values opened before it
        self.limits = False  # whether it is the library's object that set the limit
        self.kept = 0  # the size of the largest remembered value inside


class Encoder:
    """Encoder without recursion, so that no nesting is too deep; cycles become relative references.

    Large values are encoded only once by an encoder: they must not change between two calls.
    """

    def __init__(
        self,
        take_apart: TakeApart,
        portable: Callable[[str], str | None],
        title: Callable[[Parts], str],
        chance: Mapping[int, object],
    ) -> None:
        self._take_apart = take_apart
        self._portable = portable  # a path inside the project → the same text in every checkout
        self._title = title  # the tag with the name of the entry, or the text of the code
        self.chance = chance  # integers specific to this process, each with the value that replaces it
        self._kept: dict[int, _KnownValue] = {}

    def encode(self, value: object, *, afresh: bool = False) -> Encoded:
        """The token of a value, by type and content, never by identity.

        `afresh`: the names of entries may differ from those at an earlier call.
        """
        run = _Encoding(self, afresh=afresh)
        token = run.encode(value)
        if run.library and run.made and _Encoding(self, afresh=True).encode(value) != token:
            token = _UNSTABLE
            issue = f"a value that holds a {run.library} differs at each look"
            run.log.append(Parts("", issue=issue, lost=True))
        return Encoded(token, tuple(_flat(run.log, 0, len(run.log))))

    def kept(self, value: object, *, afresh: bool) -> _KnownValue | None:
        """The remembered encoding of this very object."""
        kept = self._kept.get(id_of(value))
        return None if kept is None or (afresh and (kept.notes or not kept.heavy)) else kept

    def keep(self, kept: _KnownValue) -> None:
        """Remember a large value."""
        self._kept[id_of(kept.value)] = kept

    def text(self, value: str | bytes) -> str:
        """The token of a text or of bytes; long ones are encoded once."""
        if len(value) < _LONG:
            return _short((isinstance(value, str) and self._portable(value)) or scalar(value))
        kept = self._kept.get(id_of(value))
        if kept is None:
            kept = _KnownValue(
                value, _short((isinstance(value, str) and self._portable(value)) or scalar(value)), (), 1, True
            )
            self.keep(kept)
        return kept.token

    def parts_and_tag(self, value: object) -> tuple[Parts, str]:
        """The parts of a value, and its complete tag."""
        if type(value) is int:
            return Parts("chance", (self.chance[value],)), "chance"
        parts = self._take_apart(value)
        return parts, self._title(parts) if parts.entry is not None or parts.code is not None else parts.tag


class _Encoding:
    """The encoding of one value."""

    def __init__(self, encoder: Encoder, *, afresh: bool) -> None:
        self.encoder = encoder
        self.afresh = afresh
        self.stack: list[_Frame] = []
        self.done: dict[int, tuple[str, int, int]] = {}
        self.seen: dict[int, int] = {}  # values that are open, or closed inside an open cycle
        self.alive: list[object] = []  # an id is valid only while its object exists
        self.log: _Log = []
        self.count = 0
        self.heavy = 0  # the number of open heavy values
        self.library = ""  # the first library's object of all
        self.made = False  # whether any parts may differ at each look
        self.limit: int | None = None  # the count at which the outermost open library's object is given up

    def encode(self, value: object) -> str:
        stack = self.stack
        token = self._open(value)
        while stack:
            frame = stack[-1]
            if token is not None:
                frame.tokens.append(token)
                token = None
            at = len(frame.tokens)
            children = frame.parts.children
            token = self._open(children[at]) if at < len(children) else self._close(stack.pop())
        return token or ""

    def _open(self, value: Any) -> str | None:  # noqa: PLR0911 - each return is a kind of value
        """The token of a value, or None if a frame for it was pushed on the stack."""
        kind = type(value)
        if kind is str or kind is bytes:
            return self.encoder.text(value)
        if kind in _SCALARS and not (kind is int and value in self.encoder.chance):
            return _short(scalar(value))
        known = self._known(value)
        if known is not None:
            return known
        self.count += 1
        try:
            parts, tag = self.encoder.parts_and_tag(value)
        except UnencodableError as error:
            self.made = True
            return self._give_up(str(error))
        if parts.made:
            self.made = True
        if parts.entry is not None or parts.code is not None or parts.issue or tag.startswith("lib "):
            self.log.append(parts)
        if self.limit is not None and self.count > self.limit:
            at = next(at for at, frame in enumerate(self.stack) if frame.limits)
            owner = _name(self.stack[at].parts.children[0])
            self.log.append(Parts("", issue=f"a value of type {owner} has more than {_BUDGET:,} parts", lost=True))
            return self._cut(at)
        self.alive.append(value)
        if not parts.children:
            return _short(f"<{tag}>")
        index = len(self.alive)
        self.seen[id_of(value)] = index
        frame = _Frame(value, parts, tag, index)
        frame.count, frame.noted = self.count, len(self.log)
        self.heavy += parts.heavy
        if parts.boundary == "library" and self.limit is None:
            self.library = self.library or _name(parts.children[0])
            self.limit, frame.limits = self.count + _BUDGET, True
        self.stack.append(frame)
        return None

    def _known(self, value: object) -> str | None:
        """The token of a value that was encoded before or is still open."""
        identity = id_of(value)
        done = self.done.get(identity)
        if done is not None:
            self.log.append(done[1:])
            return done[0]
        index = self.seen.get(identity)
        if index is not None:
            top = self.stack[-1]
            top.low = min(top.low, index)
            return f"^{top.index - index};"
        kept = self.encoder.kept(value, afresh=self.afresh or self.limit is not None)
        if kept is None:
            return None
        self.count += kept.size
        self.log.extend(kept.notes)
        if self.stack:
            self.stack[-1].kept = max(self.stack[-1].kept, kept.size)
        return kept.token

    def _close(self, frame: _Frame) -> str:
        """The token of a value whose parts are all encoded."""
        tokens = sorted(frame.tokens) if frame.parts.unordered else frame.tokens
        token = _short(f"<{frame.tag} {len(tokens)} {' '.join(tokens)}>")
        self._leave(frame)
        below = self.stack[-1] if self.stack else None
        if frame.low < frame.index:  # refers to a value that is still open: the token is valid only here
            self.stack[-1].low = min(self.stack[-1].low, frame.low)
            return token
        self._forget(frame.index)
        self.done[id_of(frame.value)] = (token, frame.noted, len(self.log))
        size = self.count - frame.count
        large = frame.parts.heavy or (size >= _LARGE and size >= 2 * frame.kept)
        if large and not self.afresh and not self.heavy:
            notes = tuple(_flat(self.log, frame.noted, len(self.log)))
            self.encoder.keep(_KnownValue(frame.value, token, notes, size, frame.parts.heavy))
            frame.kept = max(size, frame.kept)
        if below is not None:
            below.kept = max(below.kept, frame.kept)
        return token

    def _leave(self, frame: _Frame) -> None:
        self.heavy -= frame.parts.heavy
        if frame.limits:
            self.limit = None

    def _forget(self, index: int) -> None:
        """Remove the values from this index on from the open ones."""
        while self.seen:  # in the order of their indices
            identity, other = self.seen.popitem()
            if other < index:
                self.seen[identity] = other
                break

    def _give_up(self, reason: str) -> str:
        """Give up an unencodable value: the library's object that contains it, if any, counts by its class alone."""
        cut = None
        for at in range(len(self.stack) - 1, -1, -1):
            boundary = self.stack[at].parts.boundary
            if boundary == "user":
                break
            if boundary == "library":
                cut = at
        self.log.append(Parts("", issue=reason, lost=True))
        return "<unencodable>" if cut is None else self._cut(cut)

    def _cut(self, at: int) -> str:
        """Give up the value at this position of the stack, with all open values in it."""
        frame = self.stack[at]
        for each in self.stack[at:]:
            self._leave(each)
        del self.stack[at:]
        self._forget(frame.index)
        token = _short(f"<opaque {frame.tag} {' '.join(frame.tokens[:1])}>")
        self.done[id_of(frame.value)] = (token, frame.noted, len(self.log))
        return token


def _flat(log: _Log, start: int, end: int) -> Iterator[Parts]:
    """The parts in a range of the log and in the ranges that it refers to, each once."""
    ranges, seen, given = [(start, end)], {(start, end)}, set()
    for first, last in ranges:
        for each in log[first:last]:
            if not isinstance(each, Parts):
                if each not in seen:
                    seen.add(each)
                    ranges.append(each)
            elif id_of(each) not in given:
                given.add(id_of(each))
                yield each


def _name(kind: object) -> str:
    return f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else "a library's"


def _short(token: str) -> str:
    """Tokens with arbitrary text become digests, so that no two values have the same spelling."""
    if len(token) <= _INLINE and token.isascii() and token.isprintable() and " " not in token:
        return token
    return "#" + xxh3_128_hexdigest(token.encode("utf-8", "surrogatepass"))
