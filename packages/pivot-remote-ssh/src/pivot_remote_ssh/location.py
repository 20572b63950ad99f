"""Location of a remote on a machine with SSH: a directory there, and below it the layout of the local object store.

ssh://<user>@<host>:<port>/<path>/
  files/ab/cdef...        objects, named by the digest of their bytes; locally .pivot/cache/files/ab/cdef...
  runs/ab/cdef.../...     run records under their inputs key, each named by the digest of its bytes
  tmp/...                 files that are being uploaded
"""

import re
import shlex
from pathlib import Path
from typing import Final, Self

import attrs

from pivot_cache.layout import sharded
from pivot_core.files.digest import is_digest
from pivot_core.values import Value
from pivot_remote_ssh.errors import SshLocationError

_SCHEME: Final = "ssh"
_HINT: Final = "write ssh://host/path, ssh://user@host:port/path or, below the home directory, ssh://host/~/path"

# A host or user that begins with a dash, or has characters of a shell, must never reach a ProxyCommand.
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,15})?\]")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@\\-]{0,127}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_PORTS: Final = range(1, 1 << 16)


def _check_host(_: object, __: object, host: str) -> None:
    if not host:
        raise SshLocationError("the location of an SSH remote lacks a host", hint=_HINT)
    if not _HOST.fullmatch(host):
        raise SshLocationError(f"{host!r} cannot be the host of an SSH remote", hint=_HINT)


def _check_user(_: object, __: object, user: str | None) -> None:
    if user is not None and not _USER.fullmatch(user):
        raise SshLocationError("the user of an SSH remote has letters, digits, and any of _ . + - @", hint=_HINT)


def _check_port(_: object, __: object, port: int | None) -> None:
    if port is not None and port not in _PORTS:
        raise SshLocationError(f"{port} is not a port: it is between 1 and 65535", hint=_HINT)


def _check_path(_: object, __: object, path: str) -> None:
    problem = _path_problem(path)
    if problem is not None:
        raise SshLocationError(f"{path!r} cannot be the path of an SSH remote: {problem}", hint=_HINT)


def _path_problem(path: str) -> str | None:
    first, *parts = path.split("/")
    if first or not parts or parts == [""]:
        return "it must name a directory below '/'"
    if {"", ".", ".."}.intersection(parts):
        return "its parts must not be empty, '.' or '..'"
    if parts == ["~"]:
        return "it must name a directory below '~'"
    if parts[0].startswith("~") and parts[0] != "~":
        return "'~' can only mean the home directory of the user who signs in"
    return None if path.isprintable() else "it contains an unprintable character"


@attrs.frozen(eq=False, repr=False)
class SshLocation(Value):
    """A directory on a machine; ``str()`` is the URL that `parse` reads.

    Attributes:
        host: A name, an address (in brackets if it has colons), or a ``Host`` of ``~/.ssh/config``.
        path: Absolute, or ``/~/...`` for a path below the user's home directory; without a slash at the end.
        user: Who signs in; None for the user whom ``~/.ssh/config`` names, or else the one on this machine.
        port: The port; None for that of ``~/.ssh/config``, or else 22.
    """

    host: str = attrs.field(validator=_check_host)
    path: str = attrs.field(validator=_check_path)
    user: str | None = attrs.field(default=None, validator=_check_user)
    port: int | None = attrs.field(default=None, validator=_check_port)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the location that ``ssh://user@host:port/path`` names; nothing in it is decoded.

        Raises:
            SshLocationError: It is not such a URL, or contains a password.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.lower() != _SCHEME:
            raise SshLocationError("the location of an SSH remote begins with ssh://", hint=_HINT)
        authority, slash, path = rest.partition("/")
        user, at, address = authority.rpartition("@")
        if ":" in user:
            raise SshLocationError(
                "the location of an SSH remote must not contain a password",
                hint="sign in with a key: `ssh-copy-id HOST` installs it, and `ssh-add` unlocks it",
            )
        host, port = _split_port(address)
        return cls(host, (slash + path).removesuffix("/") or slash, user if at else None, port)

    @property
    def root(self) -> str:
        """The directory as the server reads it: absolute, or relative to the home directory."""
        return self.path.removeprefix("/~/")

    @property
    def objects(self) -> str:
        """The directory of all objects."""
        return f"{self.root}/files"

    @property
    def temporary(self) -> str:
        """The directory of files that are being uploaded."""
        return f"{self.root}/tmp"  # noqa: S108 - not that of this machine

    def object(self, digest: str) -> str:
        """Return the path of the object with this digest.

        Raises:
            CacheError: It is not a digest; no other text becomes part of a path.
        """
        return f"{self.root}/{sharded(Path('files'), digest).as_posix()}"

    def runs(self, key: str) -> str:
        """Return the directory of all run records of an inputs key.

        Raises:
            CacheError: It is not a digest; no other text becomes part of a path.
        """
        return f"{self.root}/{sharded(Path('runs'), key).as_posix()}"

    @property
    def address(self) -> str:
        """The part of the URL before the path."""
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f":{self.port}"
        return f"{_SCHEME}://{user}{self.host}{port}"

    @property
    def quoted_root(self) -> str:
        """The directory, for a command line there."""
        return shlex.quote(self.root)

    @property
    def command(self) -> str:
        """The command by which the user signs in to the same machine."""
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f"-p {self.port} "
        return f"ssh {port}{user}{self.host.strip('[]')}"

    def __str__(self) -> str:
        return f"{self.address}{self.path}"


def digest_of(shard: str, name: str) -> str | None:
    """Return the digest of the object with this name in this directory; None for any other name."""
    digest = shard + name
    return digest if len(shard) == 2 and is_digest(digest) else None  # noqa: PLR2004 - as `sharded`


def _split_port(address: str) -> tuple[str, int | None]:
    if address.endswith("]"):
        return address, None
    host, colon, port = address.rpartition(":")
    if not colon:
        return address, None
    if not _PORT.fullmatch(port):
        raise SshLocationError("the port of an SSH remote is a number", hint=_HINT)
    return host, int(port)
