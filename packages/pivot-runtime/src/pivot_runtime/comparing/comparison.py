"""`Comparison`: the values of files or stages at several revisions, side by side."""

from collections.abc import Mapping, Sequence

import attrs

from pivot_core.values import Value
from pivot_runtime.comparing.values import Difference


@attrs.frozen(eq=False, repr=False)
class ComparedValues(Value):
    """The values of one file or of the parameters of one stage.

    Attributes:
        name: The path of the file, relative to the directory of the command, or the name of the stage.
        stage: The address of the stage.
        values: The values by name.
        edited: Whether the file in the workspace is not what its last run wrote.
        stale: Whether the next run would run the stage; None if that is not known. It is False without the workspace.
        path: The path of the file, relative to the root; empty for parameters.
    """

    name: str
    stage: str
    values: tuple[Difference, ...]
    edited: bool = False
    stale: bool | None = False
    path: str = ""


@attrs.frozen(eq=False, repr=False)
class Comparison(Value):
    """Values at several revisions.

    Attributes:
        sides: The names of the revisions.
        subjects: The files or stages.
        empty: The names of the revisions that record no run at all.
        problems: The reasons why something is not available, each with a hint or None.
        notes: Remarks for people on the values.
        stage_names: The displayed name of each stage, by address.
    """

    sides: tuple[str, ...]
    subjects: tuple[ComparedValues, ...]
    empty: tuple[str, ...] = ()
    problems: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    stage_names: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def changed(self) -> bool:
        """Whether the first and the last side differ."""
        return any(value.changed for subject in self.subjects for value in subject.values)


def names_of(sides: Sequence[str | None]) -> tuple[str | None, ...]:
    """The two revisions to compare: of one, the other is the workspace; of none, they are HEAD and the workspace."""
    return (sides[0] if sides else "HEAD", sides[1] if len(sides) > 1 else None)
