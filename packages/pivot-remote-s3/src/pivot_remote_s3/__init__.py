"""S3 remotes for the cache of Pivot."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_remote_s3.client.sdk_client import S3Settings
    from pivot_remote_s3.errors import LocationError, S3Error
    from pivot_remote_s3.location import S3Location
    from pivot_remote_s3.object_reader import ObjectReader, open_object
    from pivot_remote_s3.remote import S3Remote, connect

__all__ = ["LocationError", "ObjectReader", "S3Error", "S3Location", "S3Remote", "S3Settings", "connect", "open_object"]

_MODULES = {
    "LocationError": "pivot_remote_s3.errors",
    "ObjectReader": "pivot_remote_s3.object_reader",
    "S3Error": "pivot_remote_s3.errors",
    "S3Location": "pivot_remote_s3.location",
    "S3Remote": "pivot_remote_s3.remote",
    "S3Settings": "pivot_remote_s3.client.sdk_client",
    "connect": "pivot_remote_s3.remote",
    "open_object": "pivot_remote_s3.object_reader",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: checking a URL needs no event loop."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pivot_remote_s3' has no attribute {name!r}")
