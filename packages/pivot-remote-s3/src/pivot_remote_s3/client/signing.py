"""Signatures of requests for single objects: AWS Signature Version 4."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from pivot_core.values import Value

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@attrs.frozen(eq=False, repr=False)
class Credentials(Value):
    """An access key of AWS; never shown.

    Attributes:
        key: Its public part.
        secret: Its secret part.
        token: Of a temporary access key.
    """

    key: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    token: str | None = attrs.field(default=None, repr=False)


class Signer:
    """Signs requests to one service in one region."""

    def __init__(self, region: str, service: str = "s3") -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._keys: dict[tuple[str, Credentials], bytes] = {}

    def headers(self, method: str, url: str, digest: str, credentials: Credentials, moment: str) -> Mapping[str, str]:
        """Return the headers that sign a request.

        Args:
            method: ``GET``, ``PUT``, ...
            url: Quoted as it will be sent, with its query in alphabetical order.
            digest: The SHA-256 of the body, in hex.
            credentials: Those of the sender.
            moment: The present in UTC, as in ``20261231T235959Z``.
        """
        parts = urlsplit(url)
        headers = {"x-amz-content-sha256": digest, "x-amz-date": moment}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))
        signed = {"host": host, **headers}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = f"{method}\n{parts.path}\n{parts.query}\n{lines}\n{names}\n{digest}"
        scope = f"{moment[:8]}/{self._scope}"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(moment[:8], credentials), text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _key(self, day: str, credentials: Credentials) -> bytes:
        """Return the signing key of one day."""
        key = self._keys.get((day, credentials))
        if key is None:
            key = f"AWS4{credentials.secret}".encode()
            for part in (day, *self._scope.split("/")):
                key = hmac.digest(key, part.encode(), "sha256")
            self._keys = {(day, credentials): key}
        return key
