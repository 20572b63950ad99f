"""The order of stages in a run: which may start when, without clock, thread or disk."""

import enum
import functools
import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pivot_core.conversion.sizes import amount_text
from pivot_core.spec import StageError, StageSpec

_NEGLIGIBLE: Final = 0.2
"""Stages that take less than this many seconds may come in any order."""
_CLEARLY: Final = 1.5
"""The ratio from which one duration clearly exceeds another."""


class State(enum.Enum):
    """The state of a stage in a run."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


type _Needs = tuple[tuple[str, int], ...]
"""The amount of each resource that a stage needs."""


class Plan:
    """The states of all stages of one run; a stage is ready when all its upstreams are done.

    Args:
        upstream: For every stage of the run, its predecessors in the run; their order is the order of preference.
        needs: The resources that each stage uses while it runs, and how much of each.
        capacities: The available amount of each resource; 1 if not named. No stage may need more than is available.
        seconds: Returns the known durations of stages; called once when several stages are ready. The preferred stage
            is the one with clearly the longest path of stages that depend on it.
        priorities: The priority of each stage, 0 if not named. The highest is preferred, whatever the durations.
    """

    def __init__(
        self,
        upstream: Mapping[str, frozenset[str]],
        needs: Mapping[str, Mapping[str, int]] | None = None,
        capacities: Mapping[str, int] | None = None,
        seconds: Callable[[], Mapping[str, float]] = dict,
        priorities: Mapping[str, int] | None = None,
    ) -> None:
        """Create a plan in which no stage has started."""
        self._needs = needs or {}
        self._capacities = capacities or {}
        self._occupied: dict[str, int] = {}
        self._order = {name: index for index, name in enumerate(upstream)}
        self._waiting_for = {name: len(before) for name, before in upstream.items()}
        self._downstream: dict[str, list[str]] = {name: [] for name in upstream}
        for name, before in upstream.items():
            for writer in before:
                self._downstream[writer].append(name)
        self._state = dict.fromkeys(upstream, State.WAITING)
        self._ready = _ReadyStages(self._needs, lambda: _preferences(upstream, seconds(), priorities or {}))
        self._open = len(upstream)
        self._running = 0
        for name, count in self._waiting_for.items():
            if count == 0:
                self._make_ready(name)

    @property
    def finished(self) -> bool:
        """Whether no stage is waiting, ready or running."""
        return self._open == 0

    @property
    def running(self) -> int:
        """The number of running stages."""
        return self._running

    def state(self, name: str) -> State:
        """The state of a stage."""
        return self._state[name]

    def take(self) -> str | None:
        """Start the preferred ready stage whose resources are available; None if there is none."""
        taken = self._ready.pop(self._fits)
        while taken is not None and self._state[taken] is not State.READY:
            taken = self._ready.pop(self._fits)
        if taken is not None:
            self._state[taken] = State.RUNNING
            self._running += 1
            self._occupy(taken, 1)
        return taken

    def done(self, name: str) -> None:
        """Mark a running stage as done; its successors may become ready."""
        self._end(name, State.DONE)
        for follower in self._downstream[name]:
            self._waiting_for[follower] -= 1
            if self._waiting_for[follower] == 0 and self._state[follower] is State.WAITING:
                self._make_ready(follower)

    def fail(self, name: str) -> tuple[str, ...]:
        """Mark a running stage as failed; return the stages that can no longer run, each once."""
        self._end(name, State.FAILED)
        skipped = []
        pending = [name]
        while pending:
            for follower in self._downstream[pending.pop()]:
                if self._state[follower] is State.WAITING:
                    self._skip(follower)
                    skipped.append(follower)
                    pending.append(follower)
        return tuple(sorted(skipped, key=self._order.__getitem__))

    def stop(self) -> tuple[str, ...]:
        """Start no more stages; return those that will not run. Running stages continue."""
        stopped = [name for name in self._order if self._state[name] in (State.WAITING, State.READY)]
        for name in stopped:
            self._skip(name)
        return tuple(stopped)

    def _fits(self, needs: _Needs) -> bool:
        return all(
            self._occupied.get(resource, 0) + amount <= self._capacities.get(resource, 1) for resource, amount in needs
        )

    def _occupy(self, name: str, sign: int) -> None:
        for resource, amount in self._needs.get(name, {}).items():
            self._occupied[resource] = self._occupied.get(resource, 0) + sign * amount

    def _make_ready(self, name: str) -> None:
        self._state[name] = State.READY
        self._ready.push(name)

    def _skip(self, name: str) -> None:
        self._state[name] = State.SKIPPED
        self._open -= 1

    def _end(self, name: str, state: State) -> None:
        if self._state[name] is not State.RUNNING:
            raise ValueError(f"{name!r} is {self._state[name].value}, not running")
        self._state[name] = state
        self._occupy(name, -1)
        self._running -= 1
        self._open -= 1


class _ReadyStages:
    """The ready stages of a plan in order of preference, which is computed only when there are two.

    Thousands of stages may wait for the same resource; therefore those with the same needs are looked at together.
    """

    def __init__(self, needs: Mapping[str, Mapping[str, int]], preferences: Callable[[], tuple[str, ...]]) -> None:
        self._needs = needs
        self._preferences = preferences
        self._only: str | None = None
        self._ranks: dict[_Needs, list[int]] = {}
        self._best: list[tuple[int, _Needs]] = []
        """For each needs, the first of the ranks; besides some that are no longer the first."""

    def push(self, name: str) -> None:
        if self._only is None and not self._best:
            self._only = name
            return
        if self._only is not None:
            self._add(self._only)
            self._only = None
        self._add(name)

    def _add(self, name: str) -> None:
        rank, needs = self._rank[name], self._needs_of(name)
        ranks = self._ranks.setdefault(needs, [])
        heapq.heappush(ranks, rank)
        if ranks[0] == rank:
            heapq.heappush(self._best, (rank, needs))

    def pop(self, fits: Callable[[_Needs], bool]) -> str | None:
        if self._only is not None:
            name = self._only if fits(self._needs_of(self._only)) else None
            self._only = None if name is not None else self._only
            return name
        passed = []
        found = None
        while found is None and self._best:
            rank, needs = best = heapq.heappop(self._best)
            ranks = self._ranks[needs]
            if ranks[:1] != [rank]:
                continue
            if fits(needs):
                found = self._names[heapq.heappop(ranks)]
                passed += [(ranks[0], needs)] if ranks else []
            else:
                passed.append(best)
        for best in passed:
            heapq.heappush(self._best, best)
        return found

    def _needs_of(self, name: str) -> _Needs:
        return tuple(sorted(self._needs.get(name, {}).items()))

    @functools.cached_property
    def _names(self) -> tuple[str, ...]:
        return self._preferences()

    @functools.cached_property
    def _rank(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self._names)}


def _preferences(
    upstream: Mapping[str, frozenset[str]], seconds: Mapping[str, float], priorities: Mapping[str, int]
) -> tuple[str, ...]:
    """The stages in order of preference."""
    ways = _longest_ways(upstream, seconds)
    return tuple(sorted(upstream, key=lambda name: (-priorities.get(name, 0), -_weight(ways[name]))))


def _weight(way: float) -> int:
    """A weight that is equal for random differences in duration, so that consecutive runs have the same order."""
    return 0 if way <= _NEGLIGIBLE else 1 + int(math.log(way / _NEGLIGIBLE, _CLEARLY))


def _longest_ways(upstream: Mapping[str, frozenset[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """For each stage, the duration of the longest path of stages that begins with it."""
    ways = {name: max(0.0, seconds.get(name, 0.0)) for name in upstream}
    if not any(ways.values()):
        return ways
    own = dict(ways)
    followers = dict.fromkeys(upstream, 0)
    for before in upstream.values():
        for name in before:
            followers[name] += 1
    last = [name for name, count in followers.items() if count == 0]
    while last:
        name = last.pop()
        for writer in upstream[name]:
            ways[writer] = max(ways[writer], own[writer] + ways[name])
            followers[writer] -= 1
            if followers[writer] == 0:
                last.append(writer)
    return ways


def resource_needs(stages: Iterable[StageSpec], capacities: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The resources of each stage by address; a mutex group is a resource with a capacity of one.

    Raises:
        StageError: A stage needs more than is available.
    """
    found = {}
    for spec in stages:
        for name, amount in spec.resources.items():
            there = capacities.get(name, 1)
            if amount > there:
                need = amount_text(amount)
                raise StageError(
                    spec.name,
                    spec.location,
                    f"it needs {need} of the resource {name!r}, but only {amount_text(there)} is available",
                    hint=f"pivot config set resources.{name} {need.replace(' ', '')}",
                )
        found[spec.address] = {**spec.resources, **{f"mutex {group}": 1 for group in spec.mutex}}
    return found
