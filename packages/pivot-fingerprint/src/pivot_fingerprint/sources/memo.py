"""Memo of the results that are derived from a file's text: bytes under a key, so that no later process parses it."""

import sys
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from json import JSONDecoder, JSONEncoder
from typing import Any, Protocol

from xxhash import xxh3_128_digest

from pivot_fingerprint.manifest import SCHEMA
from pivot_fingerprint.syntax.form import Form, Issue, Piece, Ref, Signature, joined
from pivot_fingerprint.syntax.outline import Binding, Effect, Outline, Site
from pivot_fingerprint.syntax.parsed import TreeOutline
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.syntax.statement_acts import Act

__pivot_module__ = "pivot_fingerprint"

_FORMAT = 7  # version of the bytes: raise it with every change of their content or format
_MARK = f"pivot-fingerprint {SCHEMA} {_FORMAT} {sys.version_info.major}.{sys.version_info.minor}\n".encode()
_CHECK = 16
_HEADS = 2  # the lines before those of the effects


class _Encoder(JSONEncoder):
    """An encoder with its own methods: the user's code may have replaced the shared ones."""

    default, encode, iterencode = JSONEncoder.default, JSONEncoder.encode, JSONEncoder.iterencode


class _Decoder(JSONDecoder):
    """A decoder with its own methods."""

    decode, raw_decode = JSONDecoder.decode, JSONDecoder.raw_decode


_new = tuple.__new__  # of named tuples, without a call in Python for each
_encode, _decode = _Encoder(separators=(",", ":"), check_circular=False).encode, _Decoder().raw_decode


class Memo(Protocol):
    """A store of bytes by key: a table, a directory, a dict. It may drop any entry.

    A key is 16 bytes and stands for the content of one file, the `SCHEMA`, the minor version of Python and one of the
    results of the text, so that an entry never becomes wrong; or for the name of kept manifests, each of which is
    compared with the current code before it counts. Returned content is checked: bytes that are damaged, or were
    stored under another key, are computed and stored again. Exceptions of `get` and `put` are not caught.
    """

    def get(self, key: bytes, /) -> bytes | None:
        """The content under this key, if it is still there."""
        ...

    def put(self, key: bytes, content: bytes, /) -> object:
        """Store these bytes under this key; called for missing entries."""
        ...


def memo_key(content: bytes, kind: str = "") -> bytes:
    """The key of one of the results of a file with this content."""
    return xxh3_128_digest(kind.encode() + _MARK + content)


def pack_outline(outline: TreeOutline, key: bytes) -> bytes:
    """An outline with its forms as bytes: first what every walk needs, then a line for each form.

    The form of the whole text, which few walks need, is not in it.
    """
    lambdas, tops = outline.lambdas(), range(len(outline.tops))
    lines: list[object] = [
        [outline.effects, outline.imports, outline.acts],
        [outline.tops, outline.bindings, outline.stars, lambdas],
    ]
    lines += [[piece.text, piece.refs, piece.issues, sorted(piece.reads)] for piece in outline.effect_pieces()]
    lines += [form_to_json(outline.lambda_form(number)) for number in range(len(lambdas))]
    lines += [form_to_json(outline.top_form(number)) for number in tops]
    lines += [outline.sites(number)[1:] for number in tops]  # the first is the definition itself
    return pack(lines, key)


def pack(lines: Iterable[object], key: bytes) -> bytes:
    """Plain data as bytes, one item a line, with a checksum over the key and the data."""
    return seal(map(encode_line, lines), key)


def seal(lines: Iterable[bytes], key: bytes) -> bytes:
    """Encoded lines as bytes, with a checksum over the key and the data."""
    payload = b"\n".join(lines)
    return xxh3_128_digest(key + payload) + payload


def encode_line(data: object) -> bytes:
    """Plain data as one line."""
    return _encode(data).encode()


def decode_line(line: bytes) -> Any:
    """The plain data of one line."""
    return _decode(line.decode())[0]


def unpack(content: bytes | None, key: bytes) -> list[bytes] | None:
    """The lines that were packed for this key; None if the bytes are damaged or belong to another key."""
    if content is None or content[:_CHECK] != xxh3_128_digest(key + content[_CHECK:]):
        return None
    return content[_CHECK:].split(b"\n")


def unpack_outline(content: bytes | None, key: bytes) -> Outline | None:
    """The outline that was packed for this key; None if the bytes are damaged or belong to another key."""
    lines = unpack(content, key)
    return MemoOutline(lines) if lines is not None else None


class MemoOutline:
    """An outline from a memo's bytes, whose lines are decoded when they are needed."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        effects, imports, acts = decode_line(lines[0])
        self.effects = [Effect(line, end, root, tuple(attrs)) for line, end, root, attrs in effects]
        self.imports = [Import(*raw) for raw in imports]
        self.acts = [_act(raw) for raw in acts]
        self._lines = lines
        self._after_effects = _HEADS + len(effects)

    @cached_property
    def _definitions(self) -> Any:
        return self._line(1)

    @cached_property
    def tops(self) -> list[Site]:
        """The definitions at the top."""
        return [_site(raw) for raw in self._definitions[0]]

    @cached_property
    def bindings(self) -> dict[str, list[Binding]]:
        """The statements at the top by the names that they bind."""
        return {name: [_binding(raw) for raw in several] for name, several in self._definitions[1].items()}

    @cached_property
    def stars(self) -> list[Import]:
        """The star imports."""
        return [Import(*raw) for raw in self._definitions[2]]

    @cached_property
    def _lambdas(self) -> list[Site]:
        return [_site(raw) for raw in self._definitions[3]]

    @cached_property
    def _after_lambdas(self) -> int:
        return self._after_effects + len(self._lambdas)

    def _line(self, number: int) -> Any:
        return decode_line(self._lines[number])

    def top_form(self, number: int) -> Form:
        """The form of a definition at the top."""
        return form_from_json(self._line(self._after_lambdas + number))

    def sites(self, number: int) -> list[Site]:
        """All functions, classes and lambdas in a definition, itself first."""
        inside = self._line(self._after_lambdas + len(self.tops) + number)
        return [self.tops[number], *[_site(raw) for raw in inside]]

    def lambdas(self) -> list[Site]:
        """The lambdas outside any definition."""
        return self._lambdas

    def lambda_form(self, number: int) -> Form:
        """The form of one of these."""
        return form_from_json(self._line(self._after_effects + number))

    def effects_form(self, numbers: list[int]) -> Form:
        """The form of some of the effects together."""
        return joined([_piece(self._line(_HEADS + number)) for number in numbers])


def form_to_json(form: Form) -> object:
    """A form as plain data."""
    signatures = [[form_to_json(signature.form), signature.decorators] for signature in form.signatures]
    return [form.digest.hex(), form.docs.hex(), form.refs, form.issues, sorted(form.reads), signatures]


def form_from_json(raw: Any) -> Form:
    """The form that `form_to_json` converted."""
    digest, docs, refs, issues, reads, signatures = raw
    return Form(
        bytes.fromhex(digest),
        bytes.fromhex(docs),
        _refs(refs),
        tuple(Issue(*issue) for issue in issues),
        frozenset(reads),
        tuple(Signature(partial(form_from_json, form), _refs(decorators)) for form, decorators in signatures),
    )


def _piece(raw: Any) -> Piece:
    """The piece of an effect, which contains no definition and so has neither docstrings nor signatures."""
    text, refs, issues, reads = raw
    return Piece(text, (), _refs(refs), tuple(Issue(*issue) for issue in issues), frozenset(reads), ())


def _refs(raw: Any) -> tuple[Ref, ...]:
    return tuple(
        [
            _new(Ref, (root if root.__class__ is str else Import(*root), tuple(attrs), line, weak))
            for root, attrs, line, weak in raw
        ]
    )


def _act(raw: Any) -> Act:
    line, top, root, attrs, changes, guarded = raw
    return Act(line, top, root if root.__class__ is str else Import(*root), tuple(attrs), changes, guarded)


def _site(raw: Any) -> Site:
    kind, name, line, first, end, body, dunders, defaults = raw
    return Site(kind, name, line, first, end, tuple(body), tuple(dunders), defaults)


def _binding(raw: Any) -> Binding:
    line, end, top, targets, is_from = raw
    return Binding(line, end, top, tuple([Import(*target) for target in targets]), is_from)
