"""Errors of S3 remotes: the package's own, and the mapping from those of the SDK to those of remotes.

The mapping gives a sentence and a hint, and repeats nothing of the server or the SDK: their messages may contain what
somebody put into a URL or a variable.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
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
from pivot_core.errors import PivotError
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
_DAMAGED: Final = frozenset({"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"})
_SIGN_IN: Final = "sign in again, with `aws sso login` or as you did before; `aws sts get-caller-identity` checks it"
_EXPLAINED: Final = {
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
"""Codes, with their meaning and a hint."""

_SERVER_ERRORS: Final = range(500, 600)
_UNENCODED: Final = frozenset({"", "identity", "aws-chunked"})
_REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_CODE: Final = re.compile(r"\w{1,64}", re.ASCII)

_CONFIGURATION: Final = (
    "check the AWS_... variables, ~/.aws/config and ~/.aws/credentials; `aws configure list` shows which apply"
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
"""Errors of the SDK's configuration, by name, with their meaning and a hint."""

_UNCHECKED: Final = (ValueError, FileNotFoundError, IsADirectoryError, PermissionError)
"""Errors of the HTTP client about settings that the SDK passes on unchecked: a line break, or a missing certificate."""

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
"""Errors of the SDK, by name: it sent no request, since it has no credentials to sign it with."""


class S3Error(PivotError):
    """An error of an S3 remote that the user can act on."""


class LocationError(S3Error):
    """A text is not the location of an S3 remote; the message never shows a possible secret."""


class NotS3Error(Exception):
    """A response does not come from S3; the text says why."""


@attrs.frozen(eq=False, repr=False)
class ErrorMapper(Value):
    """Maps errors of the SDK, and responses that S3 never gives, to errors of one remote.

    Attributes:
        remote: The remote's name.
        bucket: Its bucket.
    """

    remote: str
    bucket: str

    @contextlib.contextmanager
    def as_remote_errors(self, digest: str | None = None) -> Iterator[None]:
        """Turn errors that the SDK raises in the block into a `RemoteError`.

        Args:
            digest: Of the object that the block transfers.
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
    def as_opening_errors(self) -> Iterator[None]:
        """As `as_remote_errors`, before the first request: any other error comes from the SDK's configuration."""
        try:
            with self.as_remote_errors():
                yield
        except (CacheError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001 - the SDK does not say which it raises
            raise self._unusable(error) from None

    def require_any(self, response: Mapping[str, object], *fields: str) -> None:
        """Refuse a response without any of the fields that S3 gives: a sign-in page answers every request with 200.

        Raises:
            RemoteDeniedError: It has none of them.
        """
        if not any(field in response for field in fields):
            raise self.not_s3("the server does not speak S3")

    def not_s3(self, problem: str) -> RemoteDeniedError:
        """Return the error for a response that S3 never gives."""
        hint = "check AWS_ENDPOINT_URL, its port, and whether a proxy wants you to sign in"
        return RemoteDeniedError(self.remote, problem, hint=hint)

    def require_plain(self, response: Mapping[str, object]) -> None:
        """Refuse an object that is encoded, or whose length is unknown.

        Raises:
            RemoteDeniedError: It is one of these.
        """
        hint = "a proxy may be in the way: check AWS_ENDPOINT_URL, HTTP_PROXY and HTTPS_PROXY"
        if str(response.get("ContentEncoding") or "").strip().lower() not in _UNENCODED:
            problem = (
                "the server sends an object compressed (Content-Encoding), although the request does not accept that"
            )
            raise RemoteDeniedError(self.remote, problem, hint=hint)
        if parse_number(str(response.get("ContentLength"))) is None:
            problem = "the server does not say how long an object is (Content-Length)"
            raise RemoteDeniedError(self.remote, problem, hint=hint)

    def _failure(self, error: Exception, digest: str | None) -> RemoteError | None:  # noqa: PLR0911 - one per cause
        import aiohttp  # lazy
        from botocore import exceptions  # lazy

        from pivot_remote_s3 import sdk_adapter  # lazy

        if isinstance(error, exceptions.ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return self._refusal(code(error), status, digest)
        if isinstance(error, NotS3Error):
            return self.not_s3(str(error))
        if sdk_adapter.failed_to_parse(error):
            return self.not_s3("the server does not speak S3")
        if type(error).__name__ in _CREDENTIALS:
            return self._denied("no credentials were found that can be used", type(error).__name__)
        inner = sdk_adapter.wrapped_error(error)
        if type(error).__name__ in _UNUSABLE or type(inner) in _UNCHECKED:
            return self._unusable(inner or error)
        if sdk_adapter.is_no_http(inner):
            hint = "check AWS_ENDPOINT_URL: whether it begins with http:// or https://, and its port"
            return RemoteUnreachableError(self.remote, "the server does not speak HTTP", hint=hint)
        if isinstance(error, exceptions.SSLError):
            hint = (
                "check its certificate, the clock, AWS_CA_BUNDLE if the server has a certificate of its own, and "
                "whether it speaks https at all"
            )
            return RemoteUnreachableError(self.remote, "no secure connection can be made", hint=hint)
        if isinstance(error, (TimeoutError, exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError)):
            return RemoteTimeoutError(self.remote, "the server does not answer, or answers too slowly")
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

    def _refusal(self, code: str, status: int, digest: str | None) -> RemoteError:  # noqa: PLR0911 - one per cause
        if code in _NO_BUCKET:
            hint = f"check the remote's URL; `aws s3 ls s3://{self.bucket}/` shows whether the bucket exists"
            return RemoteNotFoundError(self.remote, f"there is no bucket {self.bucket!r}", hint=hint)
        if code in NO_OBJECT and digest is not None:
            return RemoteNotFoundError(self.remote, f"object {digest} is not there", digest=digest)
        if code in _BUSY | CONFLICT or status == 503:  # noqa: PLR2004
            return RemoteThrottledError(self.remote, f"the server asks for fewer requests ({code})")
        if code in _DAMAGED | NO_UPLOAD or status in _SERVER_ERRORS:
            return RemoteUnreachableError(self.remote, f"the server failed ({code})")
        if status in _REDIRECTS and code not in _EXPLAINED:
            hint = "nothing was sent there: check AWS_ENDPOINT_URL and the region, and whether a proxy is in the way"
            return RemoteDeniedError(self.remote, f"the server points to another address ({status})", hint=hint)
        if code in _EXPLAINED:
            problem, hint = _EXPLAINED[code]
            return RemoteDeniedError(self.remote, f"{problem} ({code})", hint=hint)
        if code == str(status) and status not in (401, 403):  # no code of S3
            hint = "check AWS_ENDPOINT_URL (http or https?), its port, and whether a proxy is in the way"
            return RemoteDeniedError(self.remote, f"the request was refused ({code})", hint=hint)
        return self._denied("access denied" if status in (401, 403) else "the request was refused", code)

    def _unusable(self, error: Exception) -> RemoteDeniedError:
        name = type(error).__name__
        problem, hint = _UNUSABLE.get(name, ("the configuration of AWS cannot be used", _CONFIGURATION))
        return RemoteDeniedError(self.remote, f"{problem} ({name})", hint=hint)

    def _denied(self, problem: str, why: str) -> RemoteDeniedError:
        hint = f"`aws sts get-caller-identity` shows who you are, `aws s3 ls s3://{self.bucket}/` what you may read"
        return RemoteDeniedError(self.remote, f"{problem} ({why})", hint=hint)


def parse_number(text: str) -> int | None:
    """Return the number of bytes in a header; None for any other text, and for more than an object can have."""
    return int(text) if _NUMBER.fullmatch(text) else None


def code(error: Exception) -> str:
    """Return the code of an error that the server reported, or its HTTP status; empty for other errors."""
    response = getattr(error, "response", None) or {}
    found = str(response.get("Error", {}).get("Code", ""))
    return found if _CODE.fullmatch(found) else str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
