"""The imports of files whose statements at the top act on nothing, kept together, so that no outline is read."""

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.sources.memo import Memo, decode_line, memo_key, pack, unpack
from pivot_fingerprint.syntax.outline import Outline
from pivot_fingerprint.syntax.scopes import Import


class QuietFiles:
    """The imports of such files by content, under one name in a memo."""

    def __init__(self, memo: Memo, name: str) -> None:
        """Read the imports that the last process kept."""
        self._memo = memo
        self._key = memo_key(name.encode("utf-8", "surrogateescape"), "quiet files")
        lines = unpack(memo.get(self._key), self._key)
        self._before: dict[str, list[list[object]]] = decode_line(lines[0]) if lines else {}
        self._now: dict[str, list[Import]] = {}

    def imports(self, content: bytes) -> list[Import] | None:
        """Everything that the statements at the top of a file import, if it is known as such a file."""
        digest = xxh3_128_hexdigest(content)
        known = self._now.get(digest)
        if known is None and digest in self._before:
            known = self._now[digest] = [Import(*each) for each in self._before[digest]]  # type: ignore[arg-type]
        return known

    def add(self, content: bytes, outline: Outline) -> None:
        """Keep the imports of a file, if it is such a file."""
        if not outline.effects and all(act.top is not None for act in outline.acts):
            self._now[xxh3_128_hexdigest(content)] = outline.imports

    def save(self) -> None:
        """Put the imports that this process has used into the memo."""
        if self._now.keys() != self._before.keys():
            self._memo.put(self._key, pack([self._now], self._key))
