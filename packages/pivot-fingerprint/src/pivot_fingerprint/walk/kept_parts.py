"""Kept manifests as bytes in a memo: of all functions, or of parts, which several processes make side by side."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pivot_fingerprint.disk import own_version
from pivot_fingerprint.sources.memo import Memo, decode_line, encode_line, memo_key, seal, unpack


class KeptName(NamedTuple):
    """The name of manifests in a memo.

    Attributes:
        name: The name.
        part: The part of the functions whose manifests are kept apart until `join_parts`; empty for all.
    """

    name: str
    part: str = ""

    def keys(self, parts: Iterable[str]) -> Iterator[bytes]:
        """The key of the manifests of each part; an empty part stands for all."""
        text = f"{self.name}\0{own_version()}"
        for part in parts:
            whole = f"{text}\0{part}" if part else text
            yield memo_key(whole.encode("utf-8", "surrogateescape"), "manifests")


def join_parts(memo: Memo, name: str, parts: Iterable[str]) -> None:
    """Keep the manifests of several parts as one; each part is from a process with the same imported modules.

    If the memo lacks a part, or the parts contradict each other, the manifests from before remain.
    """
    whole, *keys = KeptName(name).keys(("", *parts))
    modules, stages = dict[str, bytes](), dict[str, bytes]()
    for key in keys:
        lines = unpack(memo.get(key), key)
        if lines is None:
            return
        homes, places = decode_line(lines[0])
        for home, line in zip(homes, lines[1:], strict=False):
            joined = _joined(modules.get(home, line), line)
            if joined is None:
                return
            modules[home] = joined
        stages.update(zip(places, lines[1 + len(homes) :], strict=True))
    put(memo, whole, modules, stages)


def _joined(one: bytes, other: bytes) -> bytes | None:
    """The records of a module from two parts as one; None if they differ in what both have."""
    if one == other:
        return one
    first, second = decode_line(one), decode_line(other)
    refs = [{encode_line(key): [*key, led] for *key, led in each[5]} for each in (first, second)]
    functions, targets = first[3] | second[3], refs[0] | refs[1]
    if first[:3] != second[:3] or functions != second[3] | first[3] or targets != refs[1] | refs[0]:
        return None
    return encode_line([*first[:3], functions, sorted({*first[4], *second[4]}), list(targets.values())])


def put(memo: Memo, key: bytes, modules: Mapping[str, bytes], stages: Mapping[str, bytes]) -> None:
    """Put the records of modules, and the manifests of functions, under a key."""
    head = encode_line([list(modules), list(stages)])
    memo.put(key, seal([head, *modules.values(), *stages.values()], key))
