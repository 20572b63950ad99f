"""The engine's errors: what can go wrong between reading a project and running its stages."""

from collections.abc import Iterable
from typing import ClassVar

from pivot_core.errors import PivotError


class EngineError(PivotError):
    """The family of this package."""


class LoadError(EngineError):
    """The user's pipeline could not be imported.

    Attributes:
        traceback: The user's own traceback, whole; ends with a newline.
    """

    def __init__(self, message: str, *, traceback: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback


class HostError(EngineError):
    """The process that imports the user's code ended without an answer."""

    exit_code: ClassVar[int] = 3


class BusyError(EngineError):
    """Another command is working on the project, and waiting for it was not wanted."""

    exit_code: ClassVar[int] = 3

    def __init__(self, pid: int, command: str, age: float | None) -> None:
        since = "" if age is None else f" for {age:.0f} s"
        super().__init__(
            f"'{command}' (process {pid}) has been working on this project{since}; nothing was done",
            hint="wait for it to end, or leave out --no-wait",
        )


class NestedError(EngineError):
    """The command was started by a stage of another one, and each would wait for the other forever."""

    exit_code: ClassVar[int] = 3

    def __init__(self, pid: int, command: str) -> None:
        super().__init__(
            f"a stage of '{command}' (process {pid}) has started this command, which would wait for that one to end",
            hint="declare what the stage reads as its deps; one command then runs what writes it, and the stage",
        )


class EditedError(EngineError):
    """Code was edited between the moment when it was looked at and the moment when it was to run."""

    exit_code: ClassVar[int] = 1

    def __init__(self, files: Iterable[str]) -> None:
        super().__init__(f"{', '.join(files)} was edited when it was about to run", hint="run it again")


class LogError(EngineError):
    """There is no log of such a run."""

    exit_code: ClassVar[int] = 1


class TargetError(EngineError):
    """A target on the command line is not known, or not one thing."""


class TraceError(EngineError):
    """The files that a stage opens cannot be observed as requested."""


class ConfigError(EngineError):
    """The configuration holds something that it must not hold, or lacks something.

    Attributes:
        problem: The problem.
        key: The key at fault, or "".
        source: The file or the environment variable, or "".
        line: The line of the file, from 1 on; None where there is none.
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
        """``FILE:LINE``, as far as they are known."""
        return f"{self.source}:{self.line}" if self.line is not None else self.source

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{key}{self.problem}{f' @ {self.place}' if self.source else ''}"


class UnimportedError(EngineError):
    """A pipeline would have to be imported, and that was not wanted."""

    exit_code: ClassVar[int] = 3

    def __init__(self) -> None:
        """There is nothing more to say."""
        super().__init__(
            "it would have to be imported, or has changed since it was",
            hint="leave out --static, if you trust its code",
        )


class StaticError(EngineError):
    """Without an import nothing is known of a project."""

    exit_code: ClassVar[int] = 3

    def __init__(self) -> None:
        """There is nothing more to say."""
        super().__init__(
            "no stage is known without importing the pipelines: there are no lock files",
            hint="commit those in .pivot/stages/, or leave out --static, if you trust the code",
        )


class OutdatedError(HostError):
    """A pipeline that was thought to be unchanged was loaded, and is another one."""

    def __init__(self) -> None:
        """There is nothing more to say."""
        super().__init__("a pipeline was edited meanwhile", hint="repeat the command when the edits have ended")


class LinkError(EngineError):
    """A symbolic link is where something of Pivot's own is to be."""
