"""Graph algorithms over edges that are discovered on the way: components, closures, and sets as bits."""

from collections.abc import Callable, Hashable, Iterable, Iterator


def components[Node: Hashable](start: Node, successors: Callable[[Node], Iterable[Node]]) -> Iterator[list[Node]]:
    """The strongly connected components that are reachable from a node, each after all that it leads to.

    Tarjan's algorithm, without recursion.

    Args:
        start: The node where the walk begins.
        successors: The nodes that a node leads to; called once for each.
    """
    numbers: dict[Node, int] = {}
    lowest: dict[Node, int] = {}  # of nodes without a component so far
    waiting: list[Node] = []
    path: list[tuple[Node, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        numbers[node] = lowest[node] = len(numbers)
        waiting.append(node)
        path.append((node, iter(successors(node))))

    enter(start)
    while path:
        node, ahead = path[-1]
        for other in ahead:
            if other not in numbers:
                enter(other)
                break
            if other in lowest:
                lowest[node] = min(lowest[node], numbers[other])
        else:
            path.pop()
            if path:
                parent = path[-1][0]
                lowest[parent] = min(lowest[parent], lowest[node])
            if lowest[node] == numbers[node]:
                group = []
                while node in lowest:
                    group.append(waiting.pop())
                    del lowest[group[-1]]
                yield group


class BitSets[Item: Hashable]:
    """Sets of items as integers: each item has its own bit, in the order of first use."""

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
        return (self._items[place] for place in bit_positions(bits))


def bit_positions(bits: int) -> Iterator[int]:
    """The positions of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


class Closure[Key: Hashable, Item, Fact]:
    """Facts of items, each combined with the facts of all items that it leads to; every item is examined once."""

    def __init__(
        self,
        key: Callable[[Item], Key],
        examine: Callable[[Item], tuple[Fact, Iterable[Item]]],
        combine: Callable[[Iterable[Fact]], Fact],
    ) -> None:
        """Create a closure without items.

        Args:
            key: The identity of an item.
            examine: The fact of one item by itself, and the items that it leads to.
            combine: The fact of several items together.
        """
        self._key = key
        self._examine = examine
        self._combine = combine
        self._own: dict[Key, tuple[Fact, list[Item]]] = {}
        self._joined: dict[Key, Fact] = {}

    def of(self, item: Item) -> Fact:
        """The fact of an item and of all that it leads to."""
        start = self._key(item)
        if start not in self._joined:
            self._enter(item)
            for group in components(start, self._ahead):
                ahead = dict.fromkeys(self._key(each) for key in group for each in self._own[key][1])
                known = [self._joined[key] for key in ahead if key in self._joined]
                self._joined |= dict.fromkeys(group, self._combine([*known, *(self._own[key][0] for key in group)]))
        return self._joined[start]

    def _ahead(self, key: Key) -> Iterator[Key]:
        for item in self._own[key][1]:
            other = self._key(item)
            if other not in self._joined:
                self._enter(item)
                yield other

    def _enter(self, item: Item) -> None:
        key = self._key(item)
        if key not in self._own:
            fact, further = self._examine(item)
            self._own[key] = fact, list(further)
