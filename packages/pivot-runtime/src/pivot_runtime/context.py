"""Context of one command: its project, options and environment, the paths that it reads, and its notices."""

import functools
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

import attrs

from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_core.files.paths import STATE_DIR
from pivot_core.lock import StageLock
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.freshness.stamps import ReadSet
from pivot_runtime.processes.startup_state import StartupState
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.config.settings import Settings
    from pivot_runtime.history.events import ImportReporter
    from pivot_runtime.loading.host_pool import HostPool

__all__ = ["CommandContext", "Notice", "Notices", "StartupState"]


@attrs.frozen(eq=False, repr=False)
class Notice(Value):
    """A problem that is reported and does not stop a command.

    Attributes:
        text: The problem.
        hint: A way to solve it, if there is one.
        left_out: The command works without something that it should respect.
    """

    text: str
    hint: str | None = None
    left_out: bool = False


class Notices:
    """The notices of one command, each reported once."""

    def __init__(self, report: Callable[[Notice], object] = lambda _: None) -> None:
        """Report each notice to ``report``."""
        self._report = report
        self._reported: set[Notice] = set()

    @property
    def left_out(self) -> bool:
        """Return whether the command worked without something that it should have respected."""
        return any(notice.left_out for notice in self._reported)

    @property
    def silent(self) -> bool:
        """Return whether nothing was reported."""
        return not self._reported

    def leave_out(self, error: PivotError) -> None:
        """Report that the command works without the subject of an error."""
        self.add(Notice(str(error), error.hint, left_out=True))

    def add(self, notice: Notice) -> None:
        """Report a notice, unless it has been reported."""
        if notice not in self._reported:
            self._reported.add(notice)
            self._report(notice)


@attrs.frozen(eq=False, repr=False)
class CommandContext(Value):
    """The project of a command, its options and environment, and the recorders that it fills while it works.

    A function that needs only paths takes a `Project` instead.

    Attributes:
        project: The project.
        environment: The environment variables.
        overrides: The values of parameters from the command line, each as ``stage.name=value``.
        arguments: The words of the command line, for the record of the run; without any, its short form is recorded.
        began: The start of the command, by the monotonic clock.
        use_snapshots: Do not import a pipeline again if its last load still holds.
        host_pool: The pool of hosts that outlive the command; None if they end with it.
        startup_state: The state of the process when it began, if hosts may be forked from it.
        on_import: Called with the events of imports.
        read_set: The paths that the command has read or inspected.
        notices: The problems that the command has reported.
        parsed_locks: Locks that were parsed before they are needed, by the bytes of their files, until they are used.
        failed_load: The error of the pipelines that could not be imported to compare results, so that none is tried
            again.
        borrowed_cache: The absolute directory of another project's cache that this one uses, whatever is configured.
    """

    project: Project
    environment: Mapping[str, str] = attrs.field(eq=False, repr=False)
    overrides: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    began: float = attrs.field(factory=time.monotonic, eq=False, repr=False)
    use_snapshots: bool = True
    host_pool: "HostPool | None" = attrs.field(default=None, eq=False, repr=False)
    startup_state: StartupState | None = attrs.field(default=None, eq=False, repr=False)
    on_import: "ImportReporter" = attrs.field(default=no_progress, eq=False, repr=False)
    read_set: ReadSet = attrs.field(factory=ReadSet, eq=False, repr=False)
    notices: Notices = attrs.field(factory=Notices, eq=False, repr=False)
    parsed_locks: dict[bytes, StageLock] = attrs.field(factory=dict, eq=False, repr=False)
    failed_load: list[PivotError] = attrs.field(factory=list, eq=False, repr=False)
    borrowed_cache: pathlib.Path | None = None

    @classmethod
    def find(cls, cwd: pathlib.Path, environment: Mapping[str, str]) -> Self:
        """Return the context of a command in the project around ``cwd``.

        Raises:
            DiscoveryError: There is no project.
            LinkError: One of Pivot's own files in it is a symbolic link.
        """
        read_set = ReadSet()
        read_set.probe(*(directory / STATE_DIR for directory in (cwd, *cwd.parents)))
        return cls(Project.find(cwd), environment, read_set=read_set)

    @functools.cached_property
    def settings(self) -> "Settings":
        """Return the settings, which are resolved once for the command.

        Raises:
            ConfigError: A key is not known, or its value is not one of its values.
        """
        from pivot_runtime.config.settings import read_config, user_file  # lazy

        files = (self.project.layout.config_file, user_file(self.environment))
        for file in files:
            if file is not None:
                self.read_set.look(file)
        return read_config(*files, self.environment).settings()

    @property
    def cache_layout(self) -> Layout:
        """Return the layout of Pivot's files, with the cache in the configured directory.

        Raises:
            ConfigError: The settings are wrong, or the directory names a variable or a user that does not exist.
        """
        root, settings = self.project.root, self.settings
        if self.borrowed_cache is not None:
            return Layout(root, self.borrowed_cache)
        if "$" in settings.cache_dir:
            from pivot_runtime.config import cache_dir  # lazy

            self.read_set.variables |= cache_dir.variables(settings.cache_dir)
        return Layout(root, settings.cache_home(root, self.environment))
