"""Errors of questions that the page asks, each with the status of its answer."""

from pivot_core.errors import PivotError

__all__ = ["BadQueryError", "NotAllowedError", "NothingThereError"]


class BadQueryError(PivotError):
    """A parameter is missing, or is not one of its values."""


class NothingThereError(PivotError):
    """The project has nothing of that name."""


class NotAllowedError(PivotError):
    """The page may not do that, or not now."""
