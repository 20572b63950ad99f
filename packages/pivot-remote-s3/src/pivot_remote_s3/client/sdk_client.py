"""The SDK's S3 client of one remote, and its settings; the SDK is imported when the client is opened."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import attrs

from pivot_cache.remotes.stalls import StallWatch
from pivot_core.values import Value
from pivot_remote_s3.client.limits import RequestLimits
from pivot_remote_s3.errors import S3Error
from pivot_remote_s3.location import S3Location

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_OPTIONS: Final = frozenset({"profile", "region", "endpoint", "addressing"})
_ADDRESSING: Final = ("auto", "path", "virtual")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_CONNECT_SECONDS: Final = 10
_CREDENTIALS: Final = "the credentials of AWS"

type S3Response = Mapping[str, Any]
"""The result of an SDK call, which is untyped."""

type S3Call = Callable[..., Awaitable[S3Response]]
"""A method of the SDK's client, which takes the parameters of S3's API by name."""


class S3Client(Protocol):
    """The methods in use of the SDK's client."""

    put_object: S3Call
    get_object: S3Call
    head_object: S3Call
    delete_object: S3Call
    list_objects_v2: S3Call
    create_multipart_upload: S3Call
    upload_part: S3Call
    complete_multipart_upload: S3Call
    abort_multipart_upload: S3Call


@attrs.frozen(eq=False, repr=False)
class S3Settings(Value):
    """How to reach S3, where that differs from the usual variables and files of AWS.

    Attributes:
        profile: The profile to use.
        region: The bucket's region.
        endpoint: The URL of a server that speaks S3.
        addressing: The bucket's position in URLs: ``auto``, ``path`` or ``virtual``; by default ``path`` for a custom
            endpoint, and ``auto`` otherwise.
    """

    profile: str | None = None
    region: str | None = None
    endpoint: str | None = None
    addressing: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.addressing not in (None, *_ADDRESSING):
            raise S3Error(
                f"{self.addressing!r} is not a way of addressing", hint=f"use one of {', '.join(_ADDRESSING)}"
            )
        if self.endpoint is not None:
            from urllib.parse import urlsplit  # lazy

            url = urlsplit(self.endpoint)
            if url.username is not None or url.password is not None:
                raise S3Error(
                    "the URL of an endpoint must not contain credentials",
                    hint="keep credentials where other S3 tools find them: a profile, or AWS_... variables",
                )
            if url.scheme not in ("http", "https") or not url.hostname:
                raise S3Error("the URL of an endpoint begins with http:// or https:// and a host")

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """Return the settings that a remote's options describe.

        Raises:
            S3Error: An option does not exist, or cannot have its value.
        """
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            raise S3Error(
                f"{unknown[0]!r} is not an option of S3 remotes", hint=f"known options: {', '.join(sorted(_OPTIONS))}"
            )
        return cls(**options)

    def identity(self) -> str:
        """Return what makes the same URL lead to other objects; it may contain secrets."""
        endpoint = self.endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
        return f"{endpoint} {self.profile or os.environ.get('AWS_PROFILE', '')}"


def is_aws(endpoint: str) -> bool:
    """Return whether the server at a URL is AWS, and not another that speaks S3."""
    from urllib.parse import urlsplit  # lazy

    return (urlsplit(endpoint).hostname or "").endswith(_AWS)


@functools.cache
def _loader(data_path: str | None) -> object:
    """The SDK's reader of its own megabytes of JSON, which keeps them for the next client of this process."""
    from botocore.loaders import create_loader  # lazy

    return create_loader(data_path)


@contextlib.asynccontextmanager
async def open_client(
    location: S3Location,
    settings: S3Settings,
    connections: int,
    limits: RequestLimits | None = None,
    watch: StallWatch | None = None,
) -> AsyncIterator[S3Client]:
    """Open a client for the bucket of a location; it repeats no request by itself."""
    import logging  # lazy

    import aioboto3  # lazy
    from aiobotocore.config import AioConfig  # lazy
    from aiobotocore.session import get_session  # lazy

    from pivot_remote_s3.client.connections import LimitedConnections  # lazy
    from pivot_remote_s3.sdk_adapter import SessionConfig  # lazy

    limits = limits or RequestLimits()
    watch = watch or StallWatch(limits.stall_seconds)
    # The SDK logs errors that it raises as well, and they are reported once.
    if not (logger := logging.getLogger("aiobotocore")).handlers:
        logger.addHandler(logging.NullHandler())
    core = get_session()
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    session = aioboto3.Session(botocore_session=core, profile_name=settings.profile, region_name=settings.region)
    profile = core.get_scoped_config()
    endpoint = settings.endpoint or _endpoint(core, profile)
    style = settings.addressing
    if style is None and endpoint and "addressing_style" not in (profile.get("s3") or {}):
        style = "path"
    limited = SessionConfig(
        connect_timeout=min(_CONNECT_SECONDS, limits.timeout),
        read_timeout=limits.read_timeout,
        http_session_cls=functools.partial(LimitedConnections, limits, watch),
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    core.set_default_client_config(limited)  # also for the clients that fetch credentials
    config = AioConfig(
        max_pool_connections=connections,
        # The signature covers the hash of each request's body. Not all servers know checksums beside it.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": True} | ({"addressing_style": style} if style else {}),
    )
    async with contextlib.AsyncExitStack() as stack:
        async with _credentials(core, stack, limits, watch):
            region = session.region_name
            if region is None and endpoint is None:
                region = await _region(session, config, location.bucket)
            opening = session.client("s3", region_name=region or "us-east-1", endpoint_url=endpoint, config=config)
            client = await stack.enter_async_context(opening)
        yield client


@contextlib.asynccontextmanager
async def _credentials(
    session: Any, stack: contextlib.AsyncExitStack, limits: RequestLimits, watch: StallWatch
) -> AsyncIterator[None]:
    """Limit how long the block waits for credentials, which the SDK gets from a program or another server.

    Args:
        session: Of aiobotocore.
        stack: The program that a profile names ends with it, whatever it waits for.
        limits: The SDK's own are minutes for a server, and none for a program.
        watch: Reports that the credentials are missing.

    Raises:
        CredentialRetrievalError: They take too long.
    """
    import asyncio  # lazy

    from botocore.exceptions import CredentialRetrievalError  # lazy

    from pivot_remote_s3 import sdk_adapter  # lazy

    async def start(*command: str, **options: Any) -> "Process":
        program = await asyncio.create_subprocess_exec(*command, **options)
        stack.push_async_callback(sdk_adapter.kill, program)
        return program

    sdk_adapter.run_credential_program_with(session, start)
    watch.begin(_CREDENTIALS)
    try:
        async with asyncio.timeout(limits.credentials):
            yield
    except TimeoutError:
        raise CredentialRetrievalError(provider=sdk_adapter.CREDENTIAL_PROGRAM, error_msg="it does not end") from None
    finally:
        watch.end()


def _endpoint(session: Any, profile: Mapping[str, Any]) -> str | None:
    """Return the URL that variables or the profile name, in the order of precedence that all AWS tools share."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    candidates = (
        *map(os.environ.get, _ENDPOINTS),
        services.get("s3", {}).get("endpoint_url"),
        profile.get("endpoint_url"),
    )
    return next(filter(None, candidates), None)


async def _region(session: Any, config: Any, bucket: str) -> str | None:
    """Return the region of a bucket, which S3 reports to everybody who asks."""
    from botocore.exceptions import ClientError  # lazy

    async with session.client("s3", region_name="us-east-1", config=config) as client:
        try:
            response = await client.head_bucket(Bucket=bucket)
        except ClientError as error:
            response = error.response
    region = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return region if isinstance(region, str) else None
