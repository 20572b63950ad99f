"""SSH remotes for the cache of Pivot."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_remote_ssh.errors import SshLocationError
    from pivot_remote_ssh.location import SshLocation
    from pivot_remote_ssh.remote import SshRemote, connect

__all__ = ["SshLocation", "SshLocationError", "SshRemote", "connect"]

_MODULES = {
    "SshLocation": "pivot_remote_ssh.location",
    "SshLocationError": "pivot_remote_ssh.errors",
    "SshRemote": "pivot_remote_ssh.remote",
    "connect": "pivot_remote_ssh.remote",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: checking a URL needs no event loop."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pivot_remote_ssh' has no attribute {name!r}")
