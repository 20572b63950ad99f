"""How a directory differs from its listing: which files are changed, new, or not here; pure."""

import attrs

from pivot_cache.formats.tree import Tree
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Difference(Value):
    """Relative paths in a directory; that of an empty directory ends with ``/``.

    Attributes:
        changed: Files that hold something else, or may be executed where they might not, or the reverse.
        added: Entries that are not listed.
        absent: Entries that are listed but missing.
        listed: How many files are listed.
    """

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    listed: int = 0

    @property
    def partial(self) -> bool:
        """Something is not here, and everything else is as it is listed."""
        return bool(self.absent) and not (self.changed or self.added)


def between(listed: Tree, found: Tree) -> Difference:
    """How what was found differs from what is listed."""
    both = listed.files.keys() & found.files.keys()
    here = {*found.files, *found.directories()}
    known = {*listed.files, *listed.directories()}
    return Difference(
        changed=tuple(sorted(name for name in both if listed.files[name] != found.files[name])),
        added=tuple(sorted([*(found.files.keys() - both), *(f"{name}/" for name in found.empty if name not in known)])),
        absent=tuple(
            sorted([*(listed.files.keys() - both), *(f"{name}/" for name in listed.empty if name not in here)])
        ),
        listed=len(listed.files),
    )
