"""Resources that stages share and may not use at once: groups of which one runs, and resources that are counted."""

from collections.abc import Iterable, Mapping

from pivot_core.spec import StageError, StageSpec


def needs(stages: Iterable[StageSpec], capacities: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The resources that each stage uses while it runs, by address; a group counts as something of which there is one.

    Raises:
        StageError: One needs more than there is.
    """
    found = {}
    for spec in stages:
        for name, amount in spec.resources.items():
            there = capacities.get(name, 1)
            if amount > there:
                raise StageError(
                    spec.name,
                    spec.location,
                    f"it needs {amount} of the resource {name!r}, but there is {there}",
                    hint=f"pivot config set resources.{name} {amount}",
                )
        found[spec.address] = {**spec.resources, **{f"mutex {group}": 1 for group in spec.mutex}}
    return found
