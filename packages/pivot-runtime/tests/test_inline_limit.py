"""The words for more bytes than travel with a task or its answer."""

from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.cluster.inline_limit import INLINE_LIMIT, too_large


def of_size(size: int) -> Artifact:
    return Artifact(digest_bytes(b""), size)


def test_the_largest_one_is_named() -> None:
    large, small = {ArtifactPath("a.bin"): of_size(INLINE_LIMIT + 1)}, {ArtifactPath("b.bin"): of_size(1 << 20)}
    assert too_large(large, "dep") == "its dep a.bin has 8.1 MiB; only 8 MiB travel with a task"
    said = "its out a.bin has 8.1 MiB, and its other outs have 1.0 MiB; only 8 MiB travel with an answer"
    assert too_large(small | large, "out") == said
    assert "other" not in too_large(large | {ArtifactPath("c.txt"): of_size(9)}, "out")
