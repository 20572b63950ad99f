"""Canonical forms of code as values, and the spelling of constants in them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from xxhash import xxh3_128_digest

from pivot_fingerprint.syntax.scopes import Import


class Ref(NamedTuple):
    """A used name, of a global or of an import inside the code, and the attributes taken from it."""

    root: str | Import
    attrs: tuple[str, ...]
    line: int
    weak: bool = False  # may be unbound


class Issue(NamedTuple):
    """A place in the code that cannot be followed, and the reason."""

    line: int
    reason: str


class Signature:
    """The annotations of a definition, which count only if something reads them, and its decorators."""

    __slots__ = ("_form", "_make", "decorators")

    def __init__(self, make: "Callable[[], Form]", decorators: tuple[Ref, ...] = ()) -> None:
        self._make = make
        self._form: Form | None = None
        self.decorators = decorators

    @property
    def form(self) -> "Form":
        """The form of the annotations, computed at the first use."""
        if self._form is None:
            self._form = self._make()
        return self._form


class Form(NamedTuple):
    """The canonical form of one piece of code."""

    digest: bytes
    docs: bytes  # digest of the docstrings, which count only if some code reads them
    refs: tuple[Ref, ...]
    issues: tuple[Issue, ...]
    reads: frozenset[str] = frozenset()  # "docs", "signatures": the parts of other code that this code reads
    signatures: tuple[Signature, ...] = ()


class Piece(NamedTuple):
    """A part of a form, before its digests are computed."""

    text: str
    docs: tuple[str, ...]
    refs: tuple[Ref, ...]
    issues: tuple[Issue, ...]
    reads: frozenset[str]
    signatures: tuple[Signature, ...]


type Refs = dict[tuple[str | Import, tuple[str, ...]], Ref]


def merged(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """The references of several pieces of code together, the same as those of one walk over all of them."""
    known: Refs = {}
    for ref in refs:
        add_ref(known, ref)
    return sorted_refs(known)


def add_ref(known: Refs, ref: Ref) -> None:
    """Add a reference; of equal ones, the first counts, but bound ones precede those that may be unbound."""
    key = (ref.root, ref.attrs)
    before = known.get(key)
    if before is None or (before.weak and not ref.weak):
        known[key] = ref


def sorted_refs(known: Refs) -> tuple[Ref, ...]:
    """All references, in an order that only depends on the text."""
    return tuple([known[key] for key in sorted(known, key=_place_of_ref)])


def _place_of_ref(key: tuple[str | Import, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    root, attrs = key
    return (root if root.__class__ is str else str(root), attrs)


def joined(pieces: Sequence[Piece]) -> Form:
    """The form of several pieces in order."""
    if len(pieces) == 1:
        text, docs, refs, issues, reads, signatures = pieces[0]
        return Form(_digest(text), _digest("\0".join(docs)), refs, issues, reads, signatures)
    return Form(
        _digest("".join(piece.text for piece in pieces)),
        _digest("\0".join(doc for piece in pieces for doc in piece.docs)),
        merged(ref for piece in pieces for ref in piece.refs),
        tuple(issue for piece in pieces for issue in piece.issues),
        frozenset(kind for piece in pieces for kind in piece.reads),
        tuple(signature for piece in pieces for signature in piece.signatures),
    )


def _digest(text: str) -> bytes:
    return xxh3_128_digest(text.encode("utf-8", "surrogatepass"))


def scalar(value: Any) -> str:
    """A constant by type and value, as text that is the same in every version of Python."""
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
