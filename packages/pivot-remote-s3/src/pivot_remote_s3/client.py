"""The S3 client of one remote: credentials, region, endpoint and limits; the SDK is imported when it is opened."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import attrs

from pivot_core.values import Value
from pivot_remote_s3.errors import S3Error
from pivot_remote_s3.limits import Limits
from pivot_remote_s3.location import S3Location

if TYPE_CHECKING:
    from pivot_remote_s3.silence import Watch

_OPTIONS: Final = frozenset({"profile", "region", "endpoint", "addressing"})
_ADDRESSING: Final = ("auto", "path", "virtual")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_CONNECT_SECONDS: Final = 10

type Answer = Mapping[str, Any]
"""What a call of the SDK gives: it has no types of its own."""


type Call = Callable[..., Awaitable[Answer]]


class S3Client(Protocol):
    """What is used of the SDK's client."""

    put_object: Call
    get_object: Call
    head_object: Call
    delete_object: Call
    list_objects_v2: Call
    create_multipart_upload: Call
    upload_part: Call
    complete_multipart_upload: Call
    abort_multipart_upload: Call


@attrs.frozen(eq=False, repr=False)
class S3Settings(Value):
    """How to reach S3, where the usual variables and files of AWS are to be overruled.

    Attributes:
        profile: The profile to use.
        region: The bucket's region.
        endpoint: The URL of a server that speaks S3.
        addressing: Where the bucket stands in URLs: ``auto``, ``path`` or ``virtual``; by default ``path`` for an
            endpoint of one's own, and ``auto`` otherwise.
    """

    profile: str | None = None
    region: str | None = None
    endpoint: str | None = None
    addressing: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.addressing not in (None, *_ADDRESSING):
            raise S3Error(f"{self.addressing!r} is no way of addressing", hint=f"use one of {', '.join(_ADDRESSING)}")
        if self.endpoint is not None:
            from urllib.parse import urlsplit  # noqa: PLC0415 - start-up time

            url = urlsplit(self.endpoint)
            if url.username is not None or url.password is not None:
                raise S3Error(
                    "the URL of an endpoint holds no credentials",
                    hint="keep credentials where other S3 tools find them: a profile, or AWS_... variables",
                )
            if url.scheme not in ("http", "https") or not url.hostname:
                raise S3Error("the URL of an endpoint begins with http:// or https:// and a host")

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """The settings that a remote's options say.

        Raises:
            S3Error: There is no such option, or it cannot have this value.
        """
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            raise S3Error(f"{unknown[0]!r} is no option of S3 remotes", hint=f"there are {', '.join(sorted(_OPTIONS))}")
        return cls(**options)

    def place(self) -> str:
        """What leads the same URL to other objects; it may hold what is not to be shown."""
        endpoint = self.endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
        return f"{endpoint} {self.profile or os.environ.get('AWS_PROFILE', '')}"


def is_aws(endpoint: str) -> bool:
    """Whether the server at a URL is AWS, and not another that speaks S3."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - start-up time

    return (urlsplit(endpoint).hostname or "").endswith(_AWS)


@contextlib.asynccontextmanager
async def opened(
    location: S3Location,
    settings: S3Settings,
    connections: int,
    limits: Limits | None = None,
    watch: "Watch | None" = None,
) -> AsyncIterator[S3Client]:
    """A client for the bucket of a location; it tries nothing again by itself."""
    import functools  # noqa: PLC0415 - start-up time
    import logging  # noqa: PLC0415 - the SDK needs it, too

    import aioboto3  # noqa: PLC0415 - half a second
    from aiobotocore.config import AioConfig  # noqa: PLC0415

    from pivot_remote_s3 import credentials  # noqa: PLC0415
    from pivot_remote_s3.connections import Connections, LimitedConfig  # noqa: PLC0415
    from pivot_remote_s3.silence import Watch  # noqa: PLC0415

    limits = limits or Limits()
    watch = watch or Watch(limits.patience)
    # What goes wrong is raised, too, and told once.
    if not (logger := logging.getLogger("aiobotocore")).handlers:
        logger.addHandler(logging.NullHandler())
    session = aioboto3.Session(profile_name=settings.profile, region_name=settings.region)
    inner = session._session  # noqa: SLF001 - the only way to the profile's own settings
    configured = inner.get_scoped_config()
    endpoint = settings.endpoint or _endpoint(inner, configured)
    style = settings.addressing
    if style is None and endpoint and "addressing_style" not in (configured.get("s3") or {}):
        style = "path"
    limited = LimitedConfig(
        connect_timeout=min(_CONNECT_SECONDS, limits.grace),
        read_timeout=limits.silent,
        http_session_cls=functools.partial(Connections, limits, watch),
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    inner.set_default_client_config(limited)  # also those that are asked for credentials
    config = AioConfig(
        max_pool_connections=connections,
        # The hash of each request's body is part of its signature. Checksums beside it are not known to all servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": True} | ({"addressing_style": style} if style else {}),
    )
    async with contextlib.AsyncExitStack() as stack:
        credentials.end_with(stack, inner)
        async with credentials.awaited(limits, watch):
            region = session.region_name
            if region is None and endpoint is None:
                region = await _region(session, config, location.bucket)
            making = session.client("s3", region_name=region or "us-east-1", endpoint_url=endpoint, config=config)
            client = await stack.enter_async_context(making)
        yield client


def _endpoint(session: Any, configured: Mapping[str, Any]) -> str | None:
    """The URL that variables or the profile name, in the order of precedence that all tools for AWS have."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    services = session.full_config.get("services", {}).get(configured.get("services"), {})
    found = (
        *map(os.environ.get, _ENDPOINTS),
        services.get("s3", {}).get("endpoint_url"),
        configured.get("endpoint_url"),
    )
    return next(filter(None, found), None)


async def _region(session: Any, config: Any, bucket: str) -> str | None:
    """The region of a bucket, which S3 tells everybody who asks."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    async with session.client("s3", region_name="us-east-1", config=config) as client:
        try:
            answer = await client.head_bucket(Bucket=bucket)
        except ClientError as error:
            answer = error.response
    region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return region if isinstance(region, str) else None
