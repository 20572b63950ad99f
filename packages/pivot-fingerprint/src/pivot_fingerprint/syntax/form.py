"""The canonical form of a piece of code as a value, and how constants are spelled in it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from xxhash import xxh3_128_digest

from pivot_fingerprint.syntax.scopes import Import


class Ref(NamedTuple):
    """A name used: a global, or what an import inside the code binds; and the attributes taken from it."""

    root: str | Import
    attrs: tuple[str, ...]
    line: int
    weak: bool = False  # may well be unbound


class Issue(NamedTuple):
    """Something in the code that cannot be followed."""

    line: int
    reason: str


class Signature:
    """The annotations of a definition, which count only where something reads them, and what decorates it."""

    __slots__ = ("_form", "_make", "decorators")

    def __init__(self, make: "Callable[[], Form]", decorators: tuple[Ref, ...] = ()) -> None:
        self._make = make
        self._form: Form | None = None
        self.decorators = decorators

    @property
    def form(self) -> "Form":
        """The form of the annotations, written when it is first asked for."""
        if self._form is None:
            self._form = self._make()
        return self._form


class Form(NamedTuple):
    """The canonical form of one piece of code."""

    digest: bytes
    docs: bytes  # the docstrings, which count only where some code reads them
    refs: tuple[Ref, ...]
    issues: tuple[Issue, ...]
    reads: frozenset[str] = frozenset()  # "docs", "signatures": what the code itself looks at
    signatures: tuple[Signature, ...] = ()


class Piece(NamedTuple):
    """A part of a form before its digests are taken."""

    text: str
    docs: tuple[str, ...]
    refs: tuple[Ref, ...]
    issues: tuple[Issue, ...]
    reads: frozenset[str]
    signatures: tuple[Signature, ...]


type Refs = dict[tuple[str | Import, tuple[str, ...]], Ref]


def merged(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """The references of several pieces of code together, as one walk over all of them would give."""
    known: Refs = {}
    for ref in refs:
        add_ref(known, ref)
    return sorted_refs(known)


def add_ref(known: Refs, ref: Ref) -> None:
    """Add a reference; of several alike the first counts, and one that is surely bound before one that may not be."""
    key = (ref.root, ref.attrs)
    before = known.get(key)
    if before is None or (before.weak and not ref.weak):
        known[key] = ref


def sorted_refs(known: Refs) -> tuple[Ref, ...]:
    """All of them, in an order that the text alone decides."""
    return tuple(known[key] for key in sorted(known, key=lambda key: (str(key[0]), key[1])))


def joined(pieces: Sequence[Piece]) -> Form:
    """The form of pieces one after the other."""
    text = "".join(piece.text for piece in pieces)
    docs = "\0".join(doc for piece in pieces for doc in piece.docs)
    refs = pieces[0].refs if len(pieces) == 1 else merged(ref for piece in pieces for ref in piece.refs)
    return Form(
        xxh3_128_digest(text.encode("utf-8", "surrogatepass")),
        xxh3_128_digest(docs.encode("utf-8", "surrogatepass")),
        refs,
        tuple(issue for piece in pieces for issue in piece.issues),
        frozenset(kind for piece in pieces for kind in piece.reads),
        tuple(signature for piece in pieces for signature in piece.signatures),
    )


def scalar(value: Any) -> str:
    """A constant by type and value, in text that no version of Python spells differently."""
    kind = type(value)
    if kind is str:
        return f"s{len(value)}:{value}"
    if kind is bytes:
        return f"b{value.hex()};"
    if kind is float:
        return "fnan;" if value != value else f"f{value.hex()};"  # noqa: PLR0124 - NaN alone differs from itself
    if kind is complex:
        return f"c{scalar(value.real)}{scalar(value.imag)}"
    if kind is int:
        return f"i{value:x};"
    return f"{value};"  # True, False, None, Ellipsis
