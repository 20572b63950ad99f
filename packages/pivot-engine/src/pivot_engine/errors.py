"""The engine's errors: what can go wrong between reading a project and running its stages."""

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


class TargetError(EngineError):
    """A target on the command line is not known, or not one thing."""
