"""The mapping of errors of obstore and of file systems to those of remotes.

It gives a sentence and a hint, and repeats nothing of the server or the client: their messages may contain what
somebody put into a URL or a variable.
"""

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remotes.protocol import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_core.values import Value

_STATUS: Final = re.compile(r"\bstatus code: ([1-5][0-9]{2})\b")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND: Final = re.compile(r"\bkind: ([A-Z][a-z]{1,20})\b")
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_NO_CREDENTIALS: Final = re.compile(
    r"\bError performing (?:token|jwt|credential)|metadata\.google\.internal|169\.254\.169\.254|Account must be"
)
_INSECURE: Final = re.compile(r"certificate|InvalidCertificate|tls handshake|TLS", re.IGNORECASE)
_LOST_DRIVE: Final = frozenset(
    {errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ECONNRESET}
)


def status_of(error: BaseException) -> int:
    """The HTTP status in an error of obstore; 0 if the server has not answered."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def ignores_ranges(error: BaseException) -> bool:
    """Whether the server has answered a request for a range with the whole object."""
    return type(error).__name__ == "NotSupportedError" or "source: NotPartial" in str(error)


@attrs.frozen(eq=False, repr=False)
class ClientErrors(Value):
    """Maps errors of obstore to errors of one remote.

    Attributes:
        remote: The remote's name.
        place: The container of the objects, such as ``bucket 'x'``.
        access: The hint for a refusal.
        network: The hint for a failed connection.
        signed: Whether there are credentials; without any, the client looks for those of a machine in the cloud, and
            does not say so.
    """

    remote: str
    place: str
    access: str
    network: str
    signed: bool = True

    @contextlib.contextmanager
    def as_remote_errors(self, digest: str | None = None) -> Iterator[None]:
        """Turn errors of obstore in the block into a `RemoteError`.

        Args:
            digest: Of the object that the block reads.
        """
        try:
            yield
        except (CacheError, ImportError):
            raise
        except Exception as error:
            failure = self._failure(error, digest)
            if failure is None:
                raise
            raise failure from None

    @contextlib.contextmanager
    def as_opening_errors(self) -> Iterator[None]:
        """As `as_remote_errors`, before the first request: any other error comes from the configuration."""
        try:
            yield
        except (CacheError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001 - obstore does not say which it raises
            raise self._denied("the configuration cannot be used", type(error).__name__) from None

    def no_object(self, digest: str) -> RemoteNotFoundError:
        """The error for an object that is not there."""
        return RemoteNotFoundError(self.remote, f"object {digest} is not there", digest=digest)

    def no_place(self) -> RemoteNotFoundError:
        """The error for a remote that does not exist."""
        return RemoteNotFoundError(
            self.remote, f"there is no {self.place}", hint=f"check the remote's URL; {self.access}"
        )

    def not_ours(self, problem: str) -> RemoteDeniedError:
        """The error for an answer that the service never gives."""
        return RemoteDeniedError(self.remote, problem, hint=self.network)

    def _failure(self, error: Exception, digest: str | None) -> RemoteError | None:
        from obstore.exceptions import BaseError  # lazy

        if isinstance(error, TimeoutError):
            return self._timeout()
        if not isinstance(error, (BaseError, FileNotFoundError, ValueError, OSError)):
            return None
        said = str(error)
        if _NO_CREDENTIALS.search(said):
            return self._denied("no credentials were found that can be used", type(error).__name__)
        status = 404 if isinstance(error, FileNotFoundError) else status_of(error)
        if status:
            return self._refusal(status, _CODE.search(said), digest)
        if type(error).__name__ in ("UnauthenticatedError", "PermissionDeniedError"):
            return self._denied("access denied", type(error).__name__)
        return self._lost(type(error).__name__, said)

    def _refusal(self, status: int, found: re.Match[str] | None, digest: str | None) -> RemoteError:
        code = found[1] if found else str(status)
        if status == 404:  # noqa: PLR2004
            missing = digest is None or code in _NO_BUCKET
            return self.no_place() if digest is None or missing else self.no_object(digest)
        if status in (429, 503, 409, 412):
            return RemoteThrottledError(self.remote, f"the server asks for fewer requests ({code})")
        if status >= 500 or status == 408:  # noqa: PLR2004
            return RemoteUnreachableError(self.remote, f"the server failed ({code})")
        if status in range(300, 400):
            return RemoteDeniedError(self.remote, f"the server points to another address ({status})", hint=self.network)
        return self._denied("access denied" if status in (401, 403) else "the request was refused", code)

    def _lost(self, name: str, said: str) -> RemoteError:
        kind = found[1] if (found := _KIND.search(said)) else name
        if kind == "Timeout":
            return self._timeout()
        if _INSECURE.search(said):
            hint = "check its certificate, the clock, and whether the server speaks https at all"
            return RemoteUnreachableError(self.remote, "no secure connection can be made", hint=hint)
        if "redirect" in said:
            return self.not_ours("the server points to another address")
        if name in ("ValueError", "UnknownConfigurationKeyError", "InvalidPathError", "NotSupportedError"):
            return self._denied("the request could not be made", name)
        return RemoteUnreachableError(self.remote, f"the connection failed ({kind})", hint=self.network)

    def _timeout(self) -> RemoteError:
        if not self.signed:
            return self._denied("no credentials were found that can be used", "Timeout")
        return RemoteTimeoutError(self.remote, "the server does not answer, or answers too slowly")

    def _denied(self, problem: str, why: str) -> RemoteDeniedError:
        return RemoteDeniedError(self.remote, f"{problem} ({why})", hint=self.access)


def drive_error(remote: str, action: str, error: OSError) -> RemoteError:
    """The error of a shared drive for an `OSError` during ``action``."""
    said = f"cannot {action}: {error.strerror or type(error).__name__}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return RemoteDeniedError(remote, said, hint="check the rights of your user and group on the shared drive")
    if error.errno == errno.EROFS:
        return RemoteDeniedError(remote, said, hint="it is mounted read-only")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RemoteError(remote, said, hint="free some space there; what was transferred is kept: repeat the command")
    if error.errno in _LOST_DRIVE:
        hint = "check that the drive is mounted and its server runs; what was transferred is kept: repeat the command"
        return RemoteUnreachableError(remote, said, hint=hint)
    return RemoteError(remote, said, hint="remove the cause and repeat the command; what was transferred is kept")
