"""What goes wrong with S3, as the errors of remotes: a sentence and a way out, and nothing that the server said.

The SDK's messages are not shown: they may hold what somebody put into a URL or a variable.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remote import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_core.values import Value

NO_OBJECT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
EXISTS: Final = frozenset({"PreconditionFailed", "412"})
CONFLICT: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
UNSUPPORTED: Final = frozenset({"NotImplemented", "501"})
NO_UPLOAD: Final = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"})

_NO_BUCKET: Final = frozenset({"NoSuchBucket"})
_BUSY: Final = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TooManyRequests",
        "TooManyRequestsException",
        "ServiceUnavailable",
        "429",
        "503",
    }
)
_ON_THE_WAY: Final = frozenset({"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"})
_SIGN_IN: Final = "sign in again, with `aws sso login` or as you did before; `aws sts get-caller-identity` says whether"
_TOLD: Final = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"),
        ("the credentials have expired", _SIGN_IN),
    ),
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ("the bucket is in another region", "set its region: AWS_REGION, or `region` in the profile"),
    ),
    "RequestTimeTooSkewed": (
        "the clocks differ too much",
        "set this machine's clock, since requests are signed with the time",
    ),
}
"""Codes, with what they mean and the way out."""

_SERVER_ERRORS: Final = range(500, 600)
_AS_THEY_ARE: Final = frozenset({"", "identity", "aws-chunked"})
_REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_CODE: Final = re.compile(r"\w{1,64}", re.ASCII)

_CONFIGURATION: Final = (
    "look into the AWS_... variables, ~/.aws/config and ~/.aws/credentials; `aws configure list` shows what counts"
)
_UNUSABLE: Final = {
    **dict.fromkeys(
        ("ConfigNotFound", "ConfigParseError", "InvalidConfigError"),
        ("the configuration of AWS cannot be used", _CONFIGURATION),
    ),
    **dict.fromkeys(
        ("EndpointResolutionError", "InvalidEndpointConfigurationError"),
        ("no endpoint follows from the configuration", "check AWS_ENDPOINT_URL: it begins with http:// or https://"),
    ),
    "InvalidRegionError": ("there is no such region", "check AWS_REGION, AWS_DEFAULT_REGION, and the profile's region"),
    "ProfileNotFound": (
        "there is no such profile",
        "check AWS_PROFILE; `aws configure list-profiles` shows which there are",
    ),
}
"""Errors of the SDK, by name, that no request can mend, with what they mean and the way out."""

_STUMBLED: Final = (ValueError, FileNotFoundError, IsADirectoryError, PermissionError)
"""What the SDK raises, by the way of its HTTP client, where it takes what it is told without a look."""

_CREDENTIALS: Final = frozenset(
    {
        "CredentialRetrievalError",
        "MetadataRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RefreshWithMFAUnsupportedError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnknownCredentialError",
    }
)
"""Errors of the SDK, by name: no request was made, since there is nothing to sign it with."""


class ForeignError(Exception):
    """An answer is none of S3; the text says why."""


@attrs.frozen(eq=False, repr=False)
class Place(Value):
    """What errors speak of.

    Attributes:
        remote: The remote's name.
        bucket: Its bucket.
    """

    remote: str
    bucket: str

    @contextlib.contextmanager
    def reporting(self, digest: str | None = None) -> Iterator[None]:
        """Turn what the SDK raises in the block into a `RemoteError`.

        Args:
            digest: The object that the block is about.
        """
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:
            failure = self._failure(error, digest)
            if failure is None:
                raise
            raise failure from None

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """As `reporting`, before the first request: what else is raised comes of the SDK's configuration."""
        try:
            with self.reporting():
                yield
        except (CacheError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises whatever it stumbles over
            raise self._unusable(error) from None

    def recognise(self, answer: Mapping[str, object], *fields: str) -> None:
        """Refuse an answer without any of the fields that S3 has in it: a page to sign in says yes to every request.

        Raises:
            RemoteDeniedError: There is none of them.
        """
        if not any(field in answer for field in fields):
            raise self.foreign("what answers there does not speak S3")

    def foreign(self, said: str) -> RemoteDeniedError:
        """What to raise where a server says what S3 never does."""
        hint = "check AWS_ENDPOINT_URL, its port, and whether a proxy wants you to sign in"
        return RemoteDeniedError(self.remote, said, hint=hint)

    def readable(self, answer: Mapping[str, object]) -> None:
        """Refuse the bytes of an object that are encoded, or of which nobody knows how many there are.

        Raises:
            RemoteDeniedError: Nobody has asked for that.
        """
        hint = "a proxy may be in the way: check AWS_ENDPOINT_URL, HTTP_PROXY and HTTPS_PROXY"
        if str(answer.get("ContentEncoding") or "").strip().lower() not in _AS_THEY_ARE:
            said = "the server sends an object compressed (Content-Encoding), which was not asked for"
            raise RemoteDeniedError(self.remote, said, hint=hint)
        if number(str(answer.get("ContentLength"))) is None:
            said = "the server does not say how long an object is (Content-Length)"
            raise RemoteDeniedError(self.remote, said, hint=hint)

    def _failure(self, error: Exception, digest: str | None) -> RemoteError | None:  # noqa: PLR0911 - one per cause
        import aiohttp  # noqa: PLC0415 - it is loaded by now
        from botocore import exceptions  # noqa: PLC0415

        if isinstance(error, exceptions.ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return self._answer(code(error), status, digest)
        if isinstance(error, ForeignError):
            return self.foreign(str(error))
        if _misread(error):
            return self.foreign("what answers there does not speak S3")
        if type(error).__name__ in _CREDENTIALS:
            return self._denied("no credentials were found that can be used", type(error).__name__)
        # A line break in a variable, say, or a file of certificates that is not there.
        inner = error.kwargs.get("error") if isinstance(error, exceptions.HTTPClientError) else None
        if type(error).__name__ in _UNUSABLE or type(inner) in _STUMBLED:
            return self._unusable(inner or error)
        if isinstance(inner, (aiohttp.ClientResponseError, aiohttp.http_exceptions.HttpProcessingError)):
            hint = "check AWS_ENDPOINT_URL: whether it begins with http:// or https://, and its port"
            return RemoteUnreachableError(self.remote, "what answers there does not speak HTTP", hint=hint)
        if isinstance(error, exceptions.SSLError):
            hint = (
                "check its certificate, the clock, AWS_CA_BUNDLE if the server has a certificate of its own, and "
                "whether it speaks https at all"
            )
            return RemoteUnreachableError(self.remote, "no secure connection can be made", hint=hint)
        if isinstance(error, (TimeoutError, exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError)):
            return RemoteTimeoutError(self.remote, "the server does not answer, or too slowly")
        lost = (
            exceptions.HTTPClientError,
            exceptions.ConnectionError,
            exceptions.IncompleteReadError,
            aiohttp.ClientError,
        )
        if isinstance(error, (*lost, ConnectionError)):
            hint = "check the network, the remote's URL and AWS_ENDPOINT_URL (http or https?), and repeat the command"
            return RemoteUnreachableError(self.remote, f"the connection failed ({type(error).__name__})", hint=hint)
        botocore = isinstance(error, exceptions.BotoCoreError)
        return self._denied("the request could not be made", type(error).__name__) if botocore else None

    def _answer(self, code: str, status: int, digest: str | None) -> RemoteError:  # noqa: PLR0911 - one per cause
        if code in _NO_BUCKET:
            hint = f"check the remote's URL; `aws s3 ls s3://{self.bucket}/` shows whether the bucket is there"
            return RemoteNotFoundError(self.remote, f"there is no bucket {self.bucket!r}", hint=hint)
        if code in NO_OBJECT and digest is not None:
            return RemoteNotFoundError(self.remote, f"object {digest} is not there", digest=digest)
        if code in _BUSY | CONFLICT or status == 503:  # noqa: PLR2004
            return RemoteThrottledError(self.remote, f"the server asks for fewer requests ({code})")
        if code in _ON_THE_WAY | NO_UPLOAD or status in _SERVER_ERRORS:
            return RemoteUnreachableError(self.remote, f"the server failed ({code})")
        if status in _REDIRECTS and code not in _TOLD:
            hint = "nothing was sent there: check AWS_ENDPOINT_URL and the region, and whether a proxy is in the way"
            return RemoteDeniedError(self.remote, f"the server points to another address ({status})", hint=hint)
        if code in _TOLD:
            said, hint = _TOLD[code]
            return RemoteDeniedError(self.remote, f"{said} ({code})", hint=hint)
        if code == str(status) and status not in (401, 403):  # not a word of S3
            hint = "check AWS_ENDPOINT_URL (http or https?), its port, and whether a proxy is in the way"
            return RemoteDeniedError(self.remote, f"the request was refused ({code})", hint=hint)
        return self._denied("access denied" if status in (401, 403) else "the request was refused", code)

    def _unusable(self, error: Exception) -> RemoteDeniedError:
        name = type(error).__name__
        said, hint = _UNUSABLE.get(name, ("the configuration of AWS cannot be used", _CONFIGURATION))
        return RemoteDeniedError(self.remote, f"{said} ({name})", hint=hint)

    def _denied(self, said: str, why: str) -> RemoteDeniedError:
        hint = f"`aws sts get-caller-identity` shows who you are, `aws s3 ls s3://{self.bucket}/` what you may see"
        return RemoteDeniedError(self.remote, f"{said} ({why})", hint=hint)


def number(text: str) -> int | None:
    """The number of bytes that a header tells; None for what is none, also for more than there can be."""
    return int(text) if _NUMBER.fullmatch(text) else None


def code(error: Exception) -> str:
    """The code of an error that the server answered with; empty for other errors, and for what is no code."""
    response = getattr(error, "response", None) or {}
    found = str(response.get("Error", {}).get("Code", ""))
    return found if _CODE.fullmatch(found) else str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))


def _misread(error: BaseException) -> bool:
    """Whether the SDK stumbled over an answer: it believes that servers say what they should."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").endswith("botocore.parsers"):
            return True
        trace = trace.tb_next
    return False
