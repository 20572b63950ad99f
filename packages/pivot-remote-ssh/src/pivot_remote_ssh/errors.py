"""Errors of SSH remotes: the package's own, and the mapping from those of asyncssh to those of remotes.

The mapping gives a sentence and a hint, and repeats nothing of the server or asyncssh, whose texts may contain
anything.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from pivot_cache.remotes.protocol import (
    RemoteAbsentError,
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_core.errors import PivotError
from pivot_core.values import Value

if TYPE_CHECKING:
    import asyncssh

    from pivot_remote_ssh.location import SshLocation


class SshLocationError(PivotError):
    """A text is not the location of an SSH remote; the message never shows a possible secret."""


class SftpFailureError(RemoteError):
    """The server could not do a request, and did not say why."""


@attrs.frozen(eq=False, repr=False)
class SshErrorMapper(Value):
    """Maps errors of asyncssh to errors of one remote.

    Attributes:
        remote: The remote's name.
        location: Its location, for hints.
    """

    remote: str
    location: "SshLocation"

    @contextlib.contextmanager
    def as_remote_errors(self, digest: str | None = None) -> Iterator[None]:
        """Turn errors that asyncssh raises for a request in the block into a `RemoteError`.

        Args:
            digest: Of the object that the block reads or writes.
        """
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:
            failure = self._of_request(error, digest)
            if failure is None:
                raise
            raise failure from None

    def timeout(self) -> RemoteTimeoutError:
        """Return the error of a server that is silent."""
        return RemoteTimeoutError(self.remote, "the server does not answer, or answers too slowly")

    def lost(self) -> RemoteUnreachableError:
        """Return the error of a connection that has ended."""
        return RemoteUnreachableError(self.remote, "the connection was lost")

    def no_directory(self) -> RemoteNotFoundError:
        """Return the error of a remote whose directory does not exist."""
        return RemoteNotFoundError(
            self.remote,
            f"there is no directory {self.location.root}",
            hint=f"check the remote's URL; `{self.location.command} mkdir -p {self.location.quoted_root}` creates it",
        )

    def no_object(self, digest: str) -> RemoteNotFoundError:
        """Return the error of an object that does not exist."""
        return RemoteNotFoundError(self.remote, f"object {digest} is not there", digest=digest)

    def full(self) -> RemoteError:
        """Return the error of a disk without space."""
        hint = "free some there (`pivot remote gc` lists what nobody needs); what was transferred is kept"
        return RemoteError(self.remote, "no space is left on its disk", hint=hint)

    def read_only(self) -> RemoteDeniedError:
        """Return the error of a file system that cannot be written."""
        return RemoteDeniedError(
            self.remote, "its file system is read-only", hint="use another path, or mount it writable"
        )

    def failed(self) -> SftpFailureError:
        """Return the error of a request that failed for a reason that the server does not give."""
        hint = f"look there what is wrong, for example with `{self.location.command} ls -l {self.location.quoted_root}`"
        return SftpFailureError(self.remote, "the server could not do a request, and does not say why", hint=hint)

    def _of_request(self, error: Exception, digest: str | None) -> RemoteError | None:  # noqa: PLR0911 - one per cause
        import asyncssh  # lazy

        if isinstance(error, (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)):
            return self.no_directory() if digest is None else self.no_object(digest)
        if isinstance(error, (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect)):
            hint = f"`{self.location.command} ls -ld {self.location.quoted_root}` shows who may read and write there"
            return RemoteDeniedError(self.remote, "permission denied on the server", hint=hint)
        if isinstance(error, (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)):
            return self.full()
        if isinstance(error, (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage)):
            return self.lost()
        if isinstance(error, asyncssh.SFTPError):
            return self.failed()
        if isinstance(error, (asyncssh.Error, ConnectionError)):
            return self.lost()
        if isinstance(error, TimeoutError):
            return self.timeout()
        return RemoteUnreachableError(self.remote, "the connection failed") if isinstance(error, OSError) else None

    def of_connecting(self, error: Exception) -> RemoteError | None:
        """Return the error for one that was raised while the connection was opened; None for a mistake of ours."""
        import asyncssh  # lazy

        if isinstance(error, RemoteError):
            return error
        if isinstance(error, asyncssh.Error):
            return self._of_ssh(error)
        return self._of_system(error)

    def _of_ssh(self, error: "asyncssh.Error") -> RemoteError:
        import asyncssh  # lazy

        if isinstance(error, asyncssh.PermissionDenied):
            hint = (
                f"`{self.location.command}` must sign in without a password: install your key with ssh-copy-id, unlock "
                "it with ssh-add, or name it as IdentityFile in ~/.ssh/config"
            )
            return RemoteDeniedError(self.remote, "the server accepted no key of yours", hint=hint)
        if isinstance(error, (asyncssh.ChannelOpenError, asyncssh.SFTPError)):
            hint = "it needs the subsystem sftp: `Subsystem sftp internal-sftp` in its sshd_config"
            return RemoteDeniedError(self.remote, "the server offers no SFTP", hint=hint)
        if isinstance(error, asyncssh.KeyExchangeFailed):
            hint = f"`{self.location.command} -v` shows what both offer; Ciphers, KexAlgorithms and MACs set it"
            return RemoteDeniedError(self.remote, "the server and this machine share no algorithms", hint=hint)
        if isinstance(error, asyncssh.ProtocolNotSupported):
            return RemoteDeniedError(self.remote, "the server does not speak SSH 2", hint="check the host and the port")
        if isinstance(error, asyncssh.ConnectionLost):
            return self.lost()
        return RemoteUnreachableError(self.remote, f"the connection failed ({type(error).__name__})")

    def _of_system(self, error: Exception) -> RemoteError | None:
        import socket  # lazy

        if isinstance(error, TimeoutError):
            return self.timeout()
        if isinstance(error, socket.gaierror):
            hint = "check the remote's URL, `Host` and `HostName` in ~/.ssh/config, and the network"
            return RemoteAbsentError(self.remote, "the host was not found", hint=hint)
        if isinstance(error, ConnectionRefusedError):
            hint = f"check the port, and whether an SSH server runs there: `{self.location.command}` uses the same one"
            return RemoteAbsentError(self.remote, "the host refused the connection", hint=hint)
        if isinstance(error, ConnectionError):
            return self.lost()
        if isinstance(error, OSError) and error.filename is None:
            return RemoteAbsentError(self.remote, "the host cannot be reached")
        return self._unusable(type(error).__name__) if isinstance(error, (OSError, ValueError)) else None

    def _unusable(self, why: str) -> RemoteDeniedError:
        hint = f"check ~/.ssh/config, the keys in ~/.ssh and their .pub files; see `{self.location.command} -v`"
        return RemoteDeniedError(self.remote, f"the configuration of SSH cannot be used ({why})", hint=hint)

    def unknown_host(self) -> RemoteDeniedError:
        """Return the error of a host whose key this machine has never seen."""
        hint = (
            f"run `{self.location.command}` once: it shows the fingerprint of the key; accept it if the administrator "
            "confirms it"
        )
        return RemoteDeniedError(self.remote, "the host's key is not among the known hosts", hint=hint)

    def changed_host(self, name: str) -> RemoteDeniedError:
        """Return the error of a host that has another key than before, under a name of the known hosts."""
        hint = (
            "somebody may be listening in, or the host was installed again: ask its administrator; then "
            f"`ssh-keygen -R '{name}'` forgets the old key"
        )
        return RemoteDeniedError(self.remote, "the host's key is not the known one", hint=hint)

    def refused_host(self) -> RemoteDeniedError:
        """Return the error of a host whose key is revoked, or whose certificate is not valid."""
        hint = f"`{self.location.command}` says why; lines of ~/.ssh/known_hosts may revoke it"
        return RemoteDeniedError(self.remote, "the host's key was revoked, or its certificate is not valid", hint=hint)

    def unknown_jump(self) -> RemoteDeniedError:
        """Return the error of a host on the way (``ProxyJump``) whose key is not accepted."""
        hint = f"run `{self.location.command}` once: it shows the fingerprints of the keys that are not known"
        return RemoteDeniedError(
            self.remote, "the key of a host on the way there is not among the known hosts", hint=hint
        )
