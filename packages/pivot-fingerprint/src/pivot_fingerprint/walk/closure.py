"""Closure of the drafts where a walk begins: the manifest of everything reachable, with keys, chains and digests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pivot_fingerprint.manifest import Entry, Library, Manifest, Unresolved
from pivot_fingerprint.walk.drafts import Draft, DraftFacts


class DraftWalk(Protocol):
    """The interface of a walk over drafts."""

    def facts(self, draft: Draft, /) -> DraftFacts:
        """The content of a draft and its targets; the result may be cached."""
        ...

    def facts_with_current_names(self, draft: Draft, /) -> DraftFacts:
        """The same with the current names of drafts."""
        ...

    def effects_of_imports(self, facts: Mapping[Draft, DraftFacts], /) -> Sequence[tuple[Draft, Draft]]:
        """The entries that also count because all these are reached, each after the entry that brings it along."""
        ...


class Reached(NamedTuple):
    """The reachable entries, each with its predecessor and its reachable live objects."""

    via: dict[Draft, Draft | None]
    live_objects: dict[Draft, list[Draft]]


def gather(
    roots: Sequence[Draft],
    walk: DraftWalk,
    name_libraries: Callable[[Iterable[str]], Mapping[str, Library]],
) -> tuple[Manifest, Mapping[Draft, DraftFacts]]:
    """The manifest of everything that is reachable from the roots, and the facts behind it.

    It does not depend on earlier walks.
    """
    reached = _reach(roots, walk)
    facts = {
        draft: walk.facts(draft) for entry in reached.via for draft in (entry, *reached.live_objects.get(entry, ()))
    }
    reads = frozenset(kind for each in facts.values() for kind in each.found.reads)
    of: dict[Draft, set[str]] = {}
    for each in facts.values():
        for draft, kinds in each.found.reads_of.items():
            of.setdefault(draft, set()).update(kinds)
    names = _names(reached, facts, reads, given=frozenset(roots))
    if names is not None:
        for draft, name in names.items():
            draft.name = name
        try:
            for draft, known in list(facts.items()):
                if any(other in names for other in known.found.drafts):
                    facts[draft] = walk.facts_with_current_names(draft)
        finally:
            for draft in names:
                draft.name = draft.base

    entries: dict[str, Entry] = {}
    edges: list[Unresolved] = []
    libraries: set[str] = set()
    keys = {entry: (names or {}).get(entry, entry.key) for entry in reached.via}
    for entry, via in reached.via.items():
        key, live_objects = keys[entry], [facts[live] for live in reached.live_objects.get(entry, ())]
        digest = facts[entry].digest(reads.union(of.get(entry, ())), live_objects)
        file, line, start, end = entry.span
        entries[key] = Entry(digest, file, line, end, start, None if via is None else keys[via])
        for each in (facts[entry], *live_objects):
            libraries |= each.found.libraries
            edges += [Unresolved(*issue, key) for issue in each.found.issues]
    return Manifest(entries, tuple(edges), name_libraries(libraries)), facts


def _reach(roots: Sequence[Draft], walk: DraftWalk) -> Reached:
    """The reachable entries, level by level for the shortest chains; of equal chains, the smallest key counts."""
    via: dict[Draft, Draft | None] = {root.owner or root: None for root in roots}
    live_objects = {root.owner: [root] for root in roots if root.owner is not None}
    level = [*via, *(root for root in roots if root.owner is not None)]
    seen = set(level)
    facts: dict[Draft, DraftFacts] = {}
    while level:
        following: list[Draft] = []
        fresh: dict[Draft, Draft] = {}
        for draft in level:
            entry = draft.owner or draft
            facts[draft] = walk.facts(draft)
            for target in facts[draft].found.drafts:
                owner = target.owner or target
                if owner not in via or (owner in fresh and entry.key < fresh[owner].key):
                    fresh[owner] = via[owner] = entry
                if target not in seen:
                    seen.add(target)
                    following.append(target)
                    if target.owner is not None:
                        live_objects.setdefault(owner, []).append(target)
                        if owner not in seen:
                            seen.add(owner)
                            following.append(owner)
        level = following
        for entry, target in walk.effects_of_imports(facts) if not level else ():
            if target not in seen:
                seen.add(target)
                via[target] = entry.owner or entry
                level.append(target)
    return Reached(via, live_objects)


def _names(
    reached: Reached, facts: Mapping[Draft, DraftFacts], reads: frozenset[str], *, given: frozenset[Draft]
) -> dict[Draft, str] | None:
    """The drafts with another name in this manifest, because they share a key; None if there are none."""
    if len({entry.key for entry in reached.via}) == len(reached.via) and all(
        len(live_objects) == 1 for live_objects in reached.live_objects.values()
    ):
        return None
    names: dict[Draft, str] = {}
    by_key: dict[str, list[Draft]] = {}
    for entry in reached.via:
        by_key.setdefault(entry.key, []).append(entry)

    def place(entry: Draft) -> tuple[bool, str, int, str]:
        return (entry in given, entry.span.file or "", entry.span.line or 0, facts[entry].digest(reads))

    for key, entries in by_key.items():
        for number, entry in enumerate(sorted(entries, key=place) if len(entries) > 1 else entries):
            name = f"{key}#{number + 1}" if number else key
            if number:
                names[entry] = name
            names |= _names_of_lives(entry, name, reached.live_objects.get(entry, ()), facts, reads)
    return names


def _names_of_lives(
    entry: Draft, name: str, live_objects: Sequence[Draft], facts: Mapping[Draft, DraftFacts], reads: frozenset[str]
) -> dict[Draft, str]:
    """The names of live objects of one definition, different where their digests differ."""
    names = {}
    digests: dict[str, dict[str, int]] = {}
    for live in sorted(live_objects, key=lambda live: (live.base, facts[live].digest(reads))):
        numbers = digests.setdefault(live.base, {})
        number = numbers.setdefault(facts[live].digest(reads), len(numbers) + 1)
        written = name + live.base.removeprefix(entry.key) + (f" {number}" if number > 1 else "")
        if written != live.base:
            names[live] = written
    return names
