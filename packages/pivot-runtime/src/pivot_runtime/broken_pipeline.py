"""A pipeline that cannot be loaded, where a command goes on without it."""

import attrs

from pivot_core.errors import PivotError
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Broken(Value):
    """A pipeline that was met on the way and cannot be loaded.

    Attributes:
        file: Relative to the project's root.
        error: Why.
        suspected: Deps that nothing else writes, and that this pipeline may write.
    """

    file: str
    error: PivotError
    suspected: tuple[ArtifactPath, ...]
