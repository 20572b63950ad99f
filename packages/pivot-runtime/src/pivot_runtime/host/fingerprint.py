"""The fingerprint of a stage: of its function, and of what else of it is code."""

import pathlib
from collections.abc import Callable

from pivot_core.paths import ArtifactPath
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Fingerprinter, Manifest
from pivot_runtime.definitions import params
from pivot_runtime.loading.loaded import Steady
from pivot_runtime.tracing.random_calls import Chance


def fingerprint(
    fingerprinter: Fingerprinter,
    stage: Stage,
    base: str,
    root: pathlib.Path,
    *,
    is_user_code: Callable[[str], bool],
    chance: Chance,
) -> tuple[Manifest, Steady | None]:
    """The manifest of a stage, and what its values count by if chance can make them other ones.

    Args:
        fingerprinter: Of the process that has imported the stage.
        stage: It.
        base: The directory of its pipeline, relative to the root.
        root: The project's.
        is_user_code: Whether code in a file is the user's.
        chance: The calls of the import whose results differ at each.
    """

    def resolved(declared: Dep | Out) -> str | list[str]:
        paths = [str(ArtifactPath.resolve(path, base=base, root=str(root))) for path in declared.paths]
        return paths[0] if isinstance(declared.path, str) else paths

    # Which file goes to which parameter is as much a part of the stage as how it is loaded.
    values: dict[str, object] = {f"loader:{name}": (resolved(dep), dep.loader) for name, dep in stage.deps.items()}
    values |= {f"writer:{key}": (resolved(out), out.loader) for key, out in stage.outs.items()}
    values |= {f"previous:{name}": (resolved(out), out.loader) for name, out in stage.previous.items()}
    values |= params.behaviour(stage, is_user_code)
    manifest = fingerprinter.fingerprint(stage.func, values)
    if not chance.may_differ:
        return manifest, None
    return manifest, Steady(*fingerprinter.unstable_values(stage.func, values))
