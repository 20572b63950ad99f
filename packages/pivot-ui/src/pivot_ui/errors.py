"""Errors of questions that the page asks, each with the status of its answer."""

from pivot_core.errors import PivotError

__all__ = ["BadQueryError", "NotAllowedError", "NothingThereError", "UnknownStageError"]


class BadQueryError(PivotError):
    """A parameter is missing, or is not one of its values."""


class NothingThereError(PivotError):
    """The project has nothing of that name."""


class NotAllowedError(PivotError):
    """The page may not do that, or not now."""


class UnknownStageError(NothingThereError):
    """No stage that is known has that address."""

    def __init__(self, address: str, problem: PivotError | None) -> None:
        """Name the address, and the reason why not all stages are known, if there is one."""
        hint = "the graph shows all stages" if problem is None else f"not all stages are known: {problem}"
        super().__init__(f"there is no stage {address!r}", hint=hint)
