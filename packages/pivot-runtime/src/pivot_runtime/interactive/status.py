"""`pivot.status`: which stages are up to date, and why others are not."""

from pivot_runtime.inspecting.status import StatusOptions
from pivot_runtime.inspecting.status import status as evaluate_stages
from pivot_runtime.interactive.call import PathLike, called
from pivot_runtime.interactive.lookup import reason_of, text_of
from pivot_runtime.interactive.results import StageState, StatusResult


def status(
    *targets: PathLike, all_pipelines: bool = False, pull: bool = False, root: PathLike | None = None
) -> StatusResult:
    """Return the state of stages, as the command ``pivot status`` shows it; change nothing.

    Args:
        targets: Names or addresses of stages, patterns, or paths of outs; without any, the stages of the pipeline.
        all_pipelines: Include all pipelines of the project.
        pull: Artifacts on the default remote count as available.
        root: A directory in the project; by default the current one.

    Raises:
        PivotError: There is no project, its pipeline cannot be loaded, a target is unknown, or a stage makes the call.
    """
    with called("pivot.status", root) as context:
        options = StatusOptions(all_pipelines=all_pipelines, quiet=True, remote="pull" if pull else "none")
        found = evaluate_stages(context, [text_of(target) for target in targets], options)
        return StatusResult(
            {
                stage.name: StageState(
                    stage.name,
                    stage.evaluation.stage.spec.address,
                    stage.cached,
                    stage.evaluation.decision.verdict.name.lower(),
                    reason_of(stage.evaluation.decision),
                )
                for stage in found.stages
            }
        )
