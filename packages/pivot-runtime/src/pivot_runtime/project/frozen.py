"""The list of frozen stages, in a file that people commit and merge: an address on each line."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.layout import Layout
from pivot_runtime.errors import EngineError

if TYPE_CHECKING:
    from pivot_runtime.freshness.stamps import ReadSet

_ADDRESS: Final = re.compile(r"[\w@=,+-]+\.[\w@=,+-]+", re.ASCII)
_HEAD: Final = "# Stages that do not run: see 'pivot freeze' and 'pivot unfreeze'\n"


def read_frozen(layout: Layout, read_set: "ReadSet | None" = None) -> frozenset[str]:
    """The addresses in the list; all else in it, such as the markers of a merge conflict, does not count.

    Raises:
        EngineError: It cannot be read.
    """
    file = layout.frozen_file
    if read_set is not None:
        read_set.look(file)
    try:
        text = read_regular(file).decode(errors="replace")
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise EngineError(f"{file} cannot be read: {error.strerror}") from None
    return frozenset(line for each in text.splitlines() if _ADDRESS.fullmatch(line := each.strip()))


def write_frozen(layout: Layout, addresses: Iterable[str]) -> None:
    """Replace the list; an empty one has no file.

    Raises:
        CacheError: It cannot be written.
    """
    lines = sorted(addresses)
    if lines:
        atomic.change_bytes(layout.frozen_file, (_HEAD + "".join(f"{line}\n" for line in lines)).encode())
    else:
        layout.frozen_file.unlink(missing_ok=True)
