"""Stages with their fingerprints as JSON, decoded on demand, since all memory of a host is copied at each fork."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from pivot_fingerprint import Entry
from pivot_runtime.loading.loaded import LoadedStage, stage_to_plain
from pivot_runtime.processes import wire


class EncodedStages:
    """The stages of a load as JSON.

    Attributes:
        text: A line for each stage.
    """

    def __init__(self, addresses: Sequence[str], text: bytes) -> None:
        """Take the addresses of the stages, in the order of their lines."""
        self._addresses = tuple(addresses)
        self.text = text

    @classmethod
    def of(cls, stages: Iterable[LoadedStage]) -> Self:
        """Encode stages."""
        found = {stage.spec.address: wire.dumps(stage_to_plain(stage)).encode() for stage in stages}
        return cls(tuple(found), b"\n".join(found.values()))

    @classmethod
    def joined(cls, parts: Sequence["EncodedStages"]) -> Self:
        """The stages of several parts, in this order."""
        addresses = [address for part in parts for address in part._addresses]  # noqa: SLF001
        return cls(addresses, b"\n".join(part.text for part in parts if part.text))

    @property
    def array(self) -> bytes:
        """The stages as one JSON array."""
        return b"[" + self.text.replace(b"\n", b",") + b"]"

    def entries(self, address: str) -> Mapping[str, Entry]:
        """The entries of a stage's manifest, with their digests and places."""
        stage = self.plain(address)
        code, spans = stage["code"], stage["spans"]
        return {
            key: Entry(digest, *(at or (None, None)), *reversed(spans.get(key, ())))
            for key, (digest, at) in code.items()
        }

    def plain(self, address: str) -> Mapping[str, Any]:
        """A stage as plain data."""
        begin, end = self._places[address]
        found: Mapping[str, Any] = wire.loads(self.text[begin:end].decode())
        return found

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """By address, where the line of the stage begins and ends."""
        found, begin = {}, 0
        for address in self._addresses:
            end = self.text.find(b"\n", begin)
            found[address] = begin, end if end >= 0 else len(self.text)
            begin = end + 1
        return found
