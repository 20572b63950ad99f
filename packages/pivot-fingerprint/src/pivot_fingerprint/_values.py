"""The typed encoder of values: equal values give equal tokens, in any process; what has no form is reported."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint._form import scalar

_SCALARS = frozenset({int, float, complex, bool, bytes, type(None), type(Ellipsis), type(NotImplemented)})
_INLINE = 48  # shorter tokens stand as they are, longer ones as their digest


class Parts(NamedTuple):
    """A value taken apart: a tag that says what it is, and the values that it consists of."""

    tag: str
    children: Sequence[object] = ()
    unordered: bool = False
    boundary: str = ""  # "library": given up as a whole; "user": its unencodable parts alone are


class UnencodableError(Exception):
    """This value has no canonical form."""


class TakeApart(Protocol):
    """How a value is taken apart; raises `UnencodableError` where it cannot be."""

    def __call__(self, value: object, /) -> Parts: ...


class _Frame:
    """A value that is being encoded."""

    __slots__ = ("identity", "index", "low", "parts", "tokens")

    def __init__(self, parts: Parts, identity: int, index: int) -> None:
        self.parts = parts
        self.identity = identity
        self.index = index
        self.low = index  # the outermost open value that something in here refers back to
        self.tokens: list[str] = []


class Encoder:
    """Encodes without recursion, so that no nesting is too deep; cycles become relative references."""

    def __init__(
        self, take_apart: TakeApart, portable: Callable[[str], str | None], report: Callable[[str], None]
    ) -> None:
        self._take_apart = take_apart
        self._portable = portable  # a text that names a place inside the project → the same in every checkout
        self._report = report

    def encode(self, value: object) -> str:
        """The token of a value: by type and content, never by identity."""
        stack: list[_Frame] = []
        done: dict[int, str] = {}
        seen: dict[int, int] = {}  # open, or closed inside a cycle that is still open
        alive: list[object] = []
        token = self._open(value, stack, done, seen, alive)
        while stack:
            frame = stack[-1]
            if token is not None:
                frame.tokens.append(token)
                token = None
            at = len(frame.tokens)
            if at < len(frame.parts.children):
                token = self._open(frame.parts.children[at], stack, done, seen, alive)
            else:
                stack.pop()
                token = _closed(frame)
                if frame.low >= frame.index:
                    while seen:  # in the order of their indices
                        identity, index = seen.popitem()
                        if index < frame.index:
                            seen[identity] = index
                            break
                    done[frame.identity] = token
                else:
                    stack[-1].low = min(stack[-1].low, frame.low)
        return token or ""

    def _open(  # noqa: PLR0911 - each return is a kind of value
        self,
        value: Any,
        stack: list[_Frame],
        done: dict[int, str],
        seen: dict[int, int],
        alive: list[object],
    ) -> str | None:
        """The token of a value, or None where a frame for it now lies on the stack."""
        kind = type(value)
        if kind is str:
            return _short(self._portable(value) or scalar(value))
        if kind in _SCALARS:
            return _short(scalar(value))
        identity = id(value)
        known = done.get(identity)
        if known is not None:
            return known
        index = seen.get(identity)
        if index is not None:
            stack[-1].low = min(stack[-1].low, index)
            return f"^{stack[-1].index - index};"
        try:
            parts = self._take_apart(value)
        except UnencodableError as error:
            return self._give_up(str(error), stack)
        alive.append(value)  # an id is worth something only while its object lives
        if not parts.children:
            return _short(f"<{parts.tag}>")
        index = len(alive)
        seen[identity] = index
        stack.append(_Frame(parts, identity, index))
        return None

    def _give_up(self, reason: str, stack: list[_Frame]) -> str:
        """A library's object that cannot be encoded in full counts by its class alone."""
        cut = None
        for at in range(len(stack) - 1, -1, -1):
            boundary = stack[at].parts.boundary
            if boundary == "user":
                break
            if boundary == "library":
                cut = at
        self._report(reason)
        if cut is None:
            return "<unencodable>"
        token = f"<opaque {stack[cut].parts.tag}>"
        del stack[cut:]
        return _short(token)


def _closed(frame: _Frame) -> str:
    tokens = sorted(frame.tokens) if frame.parts.unordered else frame.tokens
    return _short(f"<{frame.parts.tag} {len(tokens)} {' '.join(tokens)}>")


def _short(token: str) -> str:
    """Tokens that may hold any text become digests, so that no two values can be spelled alike."""
    if len(token) <= _INLINE and token.isascii() and token.isprintable() and " " not in token:
        return token
    return "#" + xxh3_128_hexdigest(token.encode("utf-8", "surrogatepass"))
