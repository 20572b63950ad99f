"""Strongly connected components of a graph that is found out while it is walked."""

from collections.abc import Callable, Hashable, Iterable, Iterator


def components[Node: Hashable](start: Node, leads: Callable[[Node], Iterable[Node]]) -> Iterator[list[Node]]:
    """The groups of nodes that lead to each other; each group comes after all others that it leads to.

    Tarjan's algorithm, without recursion.

    Args:
        start: where the walk begins.
        leads: the nodes that one leads to; asked once for each.
    """
    numbers: dict[Node, int] = {}
    lowest: dict[Node, int] = {}  # of those that are in no group yet
    waiting: list[Node] = []
    path: list[tuple[Node, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        numbers[node] = lowest[node] = len(numbers)
        waiting.append(node)
        path.append((node, iter(leads(node))))

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
