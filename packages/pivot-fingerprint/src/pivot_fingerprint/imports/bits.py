"""Sets as whole numbers, one bit for each member: joining and comparing large ones costs next to nothing."""

from collections.abc import Hashable, Iterable, Iterator


class Bits[Item: Hashable]:
    """Gives each item a bit of its own, in the order in which they are met."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._bits: dict[Item, int] = {}

    def of(self, item: Item) -> int:
        """The set of one item."""
        bit = self._bits.get(item)
        if bit is None:
            bit = self._bits[item] = 1 << len(self._items)
            self._items.append(item)
        return bit

    def all(self, items: Iterable[Item]) -> int:
        """The set of several items."""
        found = 0
        for item in items:
            found |= self.of(item)
        return found

    def items(self, bits: int) -> Iterator[Item]:
        """The members of a set, in the order of their bits."""
        return (self._items[place] for place in places(bits))


def places(bits: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
