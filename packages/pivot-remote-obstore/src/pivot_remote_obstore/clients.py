"""Clients of obstore, from the usual variables and files of each service.

They do not retry by themselves; `pivot_cache.remotes.options` does.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from pivot_core.values import Value
from pivot_remote_obstore.errors import ClientErrors
from pivot_remote_obstore.limits import Deadlines
from pivot_remote_obstore.location import BucketLocation, RemoteUrlError

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

_LONGEST: Final = "1day"
"""A limit for whole requests, which have deadlines of their own."""

_ELSEWHERE: Final = {
    "gs": ("GOOGLE_BASE_URL",),
    "az": (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_ENDPOINT",
        "AZURE_STORAGE_USE_EMULATOR",
        "AZURE_USE_EMULATOR",
        "AZURITE_BLOB_STORAGE_URL",
    ),
}
"""The variables that lead the same URL to other objects."""

_GOOGLE_KEYS: Final = ("CREDENTIALS", "SERVICE_ACCOUNT", "TOKEN", "SKIP_SIGNATURE")
_GOOGLE_FILE: Final = (".config", "gcloud", "application_default_credentials.json")
_AZURE_KEYS: Final = ("KEY", "SAS", "SECRET", "TOKEN", "CLI", "SKIP_SIGNATURE", "EMULATOR")
"""The parts of variables and files that provide credentials."""


@attrs.frozen(eq=False, repr=False)
class BucketSettings(Value):
    """How to reach a service, where that differs from its usual variables and files.

    Attributes:
        endpoint: The URL of a server that speaks the service's protocol.
        account: The storage account; Azure only.
    """

    endpoint: str | None = None
    account: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise RemoteUrlError("the URL of an endpoint begins with http:// or https:// and a host")
        if self.endpoint is not None and "@" in self.endpoint:
            raise RemoteUrlError("the URL of an endpoint must not contain credentials")

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Self:
        """The settings that a remote's options describe.

        Raises:
            RemoteUrlError: An option does not exist, or cannot have its value.
        """
        known = {field.name for field in attrs.fields(cls)}
        unknown = sorted(options.keys() - known)
        if unknown:
            raise RemoteUrlError(
                f"{unknown[0]!r} is not an option of these remotes", hint=f"known options: {', '.join(sorted(known))}"
            )
        return cls(**options)

    def identity(self, scheme: str) -> str:
        """The settings that lead the same URL to other objects, as a text that may contain secrets."""
        known = (os.environ.get(name, "") for name in _ELSEWHERE[scheme])
        return " ".join([self.endpoint or "", self.account or "", *known])


def open_bucket(location: BucketLocation, settings: BucketSettings, limits: Deadlines) -> "ObjectStore":
    """A client of a bucket; it opens no connection.

    Raises:
        Exception: The configuration is invalid; obstore does not say which errors it raises.
    """
    from obstore.store import AzureStore, GCSStore  # lazy

    endpoints = [settings.endpoint or "", *(os.environ.get(name, "") for name in _ELSEWHERE[location.scheme])]
    common: dict[str, Any] = {
        "client_options": _client_options(limits, plain=any(url.startswith("http://") for url in endpoints)),
        "retry_config": {"max_retries": 0},
    }
    if location.scheme == "gs":
        if settings.endpoint is not None:
            common["base_url"] = settings.endpoint
        return GCSStore(location.bucket, **common)
    if settings.endpoint is not None:
        common["endpoint"] = settings.endpoint
    if settings.account is not None:
        common["account_name"] = settings.account
    return AzureStore(location.bucket, **common)


def open_website(url: str, limits: Deadlines, headers: Mapping[str, str]) -> "ObjectStore":
    """A client of a web server; it opens no connection."""
    from obstore.store import HTTPStore  # lazy

    options = _client_options(limits, plain=url.startswith("http://"))
    if headers:
        options["default_headers"] = dict(headers)
    return HTTPStore.from_url(url, client_options=options, retry_config={"max_retries": 0})


def client_errors(location: BucketLocation) -> ClientErrors:
    """The mapping of the errors of such a client, with words for the service."""
    bucket = location.bucket
    if location.scheme == "gs":
        return ClientErrors(
            str(location),
            f"bucket {bucket!r}",
            "sign in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS; "
            f"`gcloud storage ls gs://{bucket}/` shows what you may read",
            "check the network, the proxy and GOOGLE_BASE_URL, and repeat the command",
            signed=_has_variables("GOOGLE_", _GOOGLE_KEYS) or Path("~", *_GOOGLE_FILE).expanduser().exists(),
        )
    return ClientErrors(
        str(location),
        f"container {bucket!r}",
        "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, "
        "or AZURE_USE_AZURE_CLI=true after `az login`",
        "check the network, the proxy, AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ENDPOINT, and repeat the command",
        signed=_has_variables("AZURE_", _AZURE_KEYS),
    )


def _has_variables(prefix: str, words: tuple[str, ...]) -> bool:
    return any(name.startswith(prefix) and any(word in name for word in words) for name in os.environ)


def wanted_range(start: int, stop: int | None) -> "GetOptions":
    """The options of a request for bytes from ``start`` up to ``stop``."""
    return {"range": {"offset": start} if stop is None else (start, stop)}


def _client_options(limits: Deadlines, *, plain: bool) -> Any:
    return {"timeout": _LONGEST, "connect_timeout": f"{limits.timeout:.3f}s", "allow_http": plain}
