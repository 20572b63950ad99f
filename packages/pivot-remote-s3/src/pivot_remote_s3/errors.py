"""The errors of S3 remotes."""

from pivot_core.errors import PivotError


class S3Error(PivotError):
    """Something about an S3 remote that the user can act on."""


class LocationError(S3Error):
    """A text does not say where on S3 a remote lies; the message never shows what might be a secret."""
