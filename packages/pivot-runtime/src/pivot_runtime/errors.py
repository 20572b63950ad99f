"""Errors of this package, and `BrokenPipeline`, a pipeline that a command skips."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_runtime.interactive.results import ReproResult


class EngineError(PivotError):
    """Base of this package's errors."""


class LoadError(EngineError):
    """The import of the user's pipeline failed.

    Attributes:
        traceback: The user's own complete traceback; ends with a newline.
    """

    def __init__(self, message: str, *, traceback: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback


class HostError(EngineError):
    """The process that imports the user's code ended without an answer."""

    exit_code: ClassVar[int] = 3


class ExecutorError(EngineError):
    """The cluster that should run the stages cannot be used.

    Attributes:
        traceback: The traceback of the user's own function that should provide it, or an empty text.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None, traceback: str = "") -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback


class BusyError(EngineError):
    """Another command is working on the project, and this one does not wait (`--no-wait`)."""

    exit_code: ClassVar[int] = 3

    def __init__(self, pid: int, command: str, age: float | None) -> None:
        since = "" if age is None else f" for {age:.0f} s"
        super().__init__(
            f"'{command}' (process {pid}) has been working on this project{since}; nothing was done",
            hint="wait for it to end, or remove --no-wait",
        )


class NestedError(EngineError):
    """The command was started by a stage of another one, and each would wait for the other forever."""

    exit_code: ClassVar[int] = 3

    def __init__(self, pid: int, command: str) -> None:
        super().__init__(
            f"a stage of '{command}' (process {pid}) started this command, which would wait for that one to end",
            hint="declare the stage's inputs as deps; one command then runs the stages that write them, and the stage",
        )


class InsideStageError(EngineError):
    """A stage, or the import of a pipeline, calls a function that is for notebooks and scripts."""

    def __init__(self, function: str) -> None:
        super().__init__(
            f"{function} is for notebooks and scripts; a stage, and the import of a pipeline, cannot call it",
            hint="declare a file that the stage reads as a dep: Annotated[..., pivot.Dep(PATH, LOADER)]",
        )


class OutUnavailableError(EngineError):
    """The content of an out is neither in the workspace nor in the cache."""

    exit_code: ClassVar[int] = 1


class RunFailedError(EngineError):
    """A run that `pivot.repro` did has not brought all stages up to date.

    Attributes:
        result: The result of the run.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, result: "ReproResult") -> None:
        super().__init__(message)
        self.result = result


class PivotWarning(UserWarning):
    """A problem that a function of Pivot reports and that does not stop it."""


class StaleWarning(PivotWarning):
    """An out is not the result of the current code and inputs."""


class SourceChangedError(EngineError):
    """Code was edited after it was fingerprinted and before it ran."""

    exit_code: ClassVar[int] = 1

    def __init__(self, files: Iterable[str]) -> None:
        super().__init__(f"{', '.join(files)} was edited just before it ran", hint="run it again")


class LogError(EngineError):
    """The run has no log."""

    exit_code: ClassVar[int] = 1


class TargetError(EngineError):
    """A target on the command line is unknown or ambiguous."""


class UnknownArtifactError(TargetError):
    """No stage and no tracked data name a file or directory."""


class NotTrackableError(TargetError):
    """Data that a target names cannot be tracked."""


class TraceError(EngineError):
    """The requested way of tracing the files that a stage opens is not available."""


class ConfigError(EngineError):
    """A setting is invalid or missing.

    Attributes:
        problem: The problem.
        key: The invalid key, or "".
        source: The file or the environment variable, or "".
        line: The line of the file, from 1; None if there is none.
    """

    def __init__(
        self, problem: str, *, key: str = "", source: str = "", line: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(problem, hint=hint)
        self.problem = problem
        self.key = key
        self.source = source
        self.line = line

    @property
    def place(self) -> str:
        """``FILE:LINE``, as far as known."""
        return f"{self.source}:{self.line}" if self.line is not None else self.source

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{key}{self.problem}{f' @ {self.place}' if self.source else ''}"


class NoRemoteError(ConfigError):
    """No remote is configured, or none of the given name."""


class ImportRequiredError(EngineError):
    """A pipeline must be imported, which the caller forbids (`--static`)."""

    exit_code: ClassVar[int] = 3

    def __init__(self) -> None:
        super().__init__(
            "it must be imported, or has changed since its import",
            hint="omit --static if you trust its code",
        )


class StaticError(EngineError):
    """No stage of the project is known without an import."""

    exit_code: ClassVar[int] = 3

    def __init__(self) -> None:
        super().__init__(
            "no stage is known without importing the pipelines: there are no lock files",
            hint="commit those in .pivot/stages/, or omit --static if you trust the code",
        )


class StaleSnapshotError(HostError):
    """A pipeline whose snapshot seemed valid was imported, and its stages differ from those of the snapshot."""

    def __init__(self) -> None:
        super().__init__("a pipeline was edited meanwhile", hint="repeat the command after the edits")


class LinkError(EngineError):
    """A symbolic link is in the place of one of Pivot's own files or directories."""


class YamlError(EngineError):
    """A file is not valid YAML, or not of the expected form."""

    exit_code: ClassVar[int] = 2


class GitError(EngineError):
    """Git failed."""

    exit_code: ClassVar[int] = 3


class UrlError(EngineError):
    """A URL cannot be used."""

    exit_code: ClassVar[int] = 2


class RepositoryError(GitError):
    """Another repository cannot be read, or does not have what is wanted from it."""


class GitObjectMissingError(GitError):
    """Git lacks an object that it refers to."""


class RevisionError(EngineError):
    """A revision on the command line is not that of a commit."""


class ContentError(EngineError):
    """The content of an out at a revision is not available, or cannot be understood."""

    exit_code: ClassVar[int] = 1


class RowKeyError(EngineError):
    """A table has no column by which its rows shall be matched."""


class MissingLibraryError(EngineError):
    """A command needs a library that is not installed."""


class GitSetupError(EngineError):
    """Git cannot be set up for a project."""


class GitSilentError(EngineError):
    """Git does not answer."""


class HistoryError(EngineError):
    """The run does not exist, or cannot be read."""

    exit_code: ClassVar[int] = 2


class SharedCacheError(EngineError):
    """Other projects use the cache, and no option states whether to keep their objects."""


class UnseenLocksError(EngineError):
    """Lock files of others may be unseen here, so that objects on a remote may be needed."""


class NotAcceptedError(EngineError):
    """A stage cannot be committed, since the workspace cannot be the result of its code."""


class OccupiedError(EngineError):
    """Another file is at the path to which a saved file would be restored."""

    exit_code: ClassVar[int] = 1


@attrs.frozen(eq=False, repr=False)
class BrokenPipeline(Value):
    """A pipeline that cannot be loaded, and that the command skips.

    Attributes:
        file: The pipeline file, relative to the project's root.
        error: The error of its load.
        may_write: Deps that no other stage writes, and that this pipeline may write.
    """

    file: str
    error: PivotError
    may_write: tuple[ArtifactPath, ...]
