"""Options of a run."""

from collections.abc import Callable
from types import TracebackType

import attrs

from pivot_core.values import Value

type Debugger = Callable[[TracebackType], None]


@attrs.frozen(eq=False, repr=False)
class RunOptions(Value):
    """How a run is done.

    Attributes:
        jobs: Stages at once; None for what is configured, else for what the machine grants.
        force: Run every stage, whatever the decision would be.
        keep_going: After a failure, run what does not depend on it; None for what is configured.
        all_pipelines: Load every pipeline of the project.
        only_targets: Work on the targets only, with what they depend on as it is on disk.
        pull: Artifacts of the default remote count as here, and are fetched where a stage that runs reads them.
        wait: Wait for another command that works on the project.
        show_output: Report what stages print immediately.
        trace_io: Watch with strace what stages open.
        owns_children: This process has no children but those of the run.
        in_process: Run the stages in this process, one after the other.
        debugger: With `in_process`: given the place in the user's code where a stage has failed.
    """

    jobs: int | None = None
    force: bool = False
    keep_going: bool | None = None
    all_pipelines: bool = False
    only_targets: bool = False
    pull: bool = False
    wait: bool = True
    show_output: bool = False
    trace_io: bool = False
    owns_children: bool = False
    in_process: bool = False
    debugger: Debugger | None = None
