"""The limit of the bytes that travel with a task or its answer, and the words for more than that."""

import math
from collections.abc import Mapping
from typing import Final, Literal

from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

INLINE_LIMIT: Final = 8 << 20
"""The most bytes of objects that a task or an answer carries."""

OTHER_WAYS: Final = (
    "let bytes go through a remote (pivot remote add NAME URL), or through a directory that all machines share "
    "(pivot config set executor.shared PATH)"
)
"""The hint."""

_NOTABLE: Final = 100_000


def too_large(artifacts: Mapping[ArtifactPath, Artifact], kind: Literal["dep", "out"]) -> str:
    """The summary for artifacts that are larger together; it names the largest one."""
    sizes = {path: artifact.size for path, artifact in artifacts.items()}
    path = max(sizes, key=lambda each: sizes[each])
    rest = sum(sizes.values()) - sizes[path]
    others = f", and its other {kind}s have {_size(rest)}" if rest >= _NOTABLE else ""
    carrier = "a task" if kind == "dep" else "an answer"
    return f"its {kind} {path} has {_size(sizes[path])}{others}; only {INLINE_LIMIT >> 20} MiB travel with {carrier}"


def _size(count: int) -> str:
    """A size, rounded up, so that one above the limit looks so."""
    return f"{math.ceil(count * 10 / (1 << 20)) / 10} MiB"
