"""Remotes on Google Cloud Storage, Azure, shared drives and web servers, for the cache of Pivot."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_remote_obstore.bucket_remote import BucketRemote, connect_bucket
    from pivot_remote_obstore.clients import BucketSettings
    from pivot_remote_obstore.directory_remote import DirectoryRemote, connect_directory
    from pivot_remote_obstore.location import BucketLocation, RemoteUrlError
    from pivot_remote_obstore.object_reader import BucketObjectReader, open_object
    from pivot_remote_obstore.website_remote import WebsiteRemote, connect_website

__all__ = [
    "BucketLocation",
    "BucketObjectReader",
    "BucketRemote",
    "BucketSettings",
    "DirectoryRemote",
    "RemoteUrlError",
    "WebsiteRemote",
    "connect_bucket",
    "connect_directory",
    "connect_website",
    "open_object",
]

_MODULES = {
    "BucketLocation": "pivot_remote_obstore.location",
    "BucketObjectReader": "pivot_remote_obstore.object_reader",
    "BucketRemote": "pivot_remote_obstore.bucket_remote",
    "BucketSettings": "pivot_remote_obstore.clients",
    "DirectoryRemote": "pivot_remote_obstore.directory_remote",
    "RemoteUrlError": "pivot_remote_obstore.location",
    "WebsiteRemote": "pivot_remote_obstore.website_remote",
    "connect_bucket": "pivot_remote_obstore.bucket_remote",
    "connect_directory": "pivot_remote_obstore.directory_remote",
    "connect_website": "pivot_remote_obstore.website_remote",
    "open_object": "pivot_remote_obstore.object_reader",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: checking a URL needs no event loop."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pivot_remote_obstore' has no attribute {name!r}")
