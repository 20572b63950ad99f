"""Locations of remotes: a bucket, a directory or a website, and below each the layout of the local object store.

<location>/
  files/ab/cdef...        objects, named by the digest of their bytes; locally .pivot/cache/files/ab/cdef...
  runs/ab/cdef.../...     run records under their inputs key, each named by the digest of its bytes
"""

import re
from pathlib import Path
from typing import Final, Self

import attrs

from pivot_cache.layout import shard, sharded
from pivot_core.errors import PivotError
from pivot_core.files.digest import is_digest
from pivot_core.values import Value

OBJECTS: Final = Path("files")
RUNS: Final = Path("runs")
_FILES: Final = f"{OBJECTS}/"

_KEY_BYTES: Final = 1024
_ENCODED: Final = re.compile(r"""[\\{}^%`\[\]"<>~#|*?]|[^\x20-\x7e]""")
"""Characters that the client would write in another way."""

_BUCKETS: Final = {
    "gs": ("Google Cloud Storage", re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"), "a-z, 0-9, '-', '_' and '.'"),
    "az": ("Azure", re.compile(r"\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62}"), "a-z, 0-9 and '-'"),
}
"""The service, the names that it allows for a bucket (in Azure, a container), and their characters."""


class RemoteUrlError(PivotError):
    """A text is not the location of a remote; the message never shows a possible secret."""


def object_key(digest: str) -> str:
    """The path of an object below a location.

    Raises:
        CacheError: It is not a digest; no other text becomes part of a path.
    """
    return f"{_FILES}{shard(digest)}"


def run_prefix(key: str) -> str:
    """The path of the run records of an inputs key below a location.

    Raises:
        CacheError: It is not a digest; no other text becomes part of a path.
    """
    return sharded(RUNS, key).as_posix()


def digest_of(key: str) -> str | None:
    """The digest of the object with this path below a location; None for any other path."""
    digest = key.removeprefix(f"{OBJECTS}/").replace("/", "", 1)
    return digest if is_digest(digest) and object_key(digest) == key else None


def _check_scheme(_: object, __: object, scheme: str) -> None:
    if scheme not in _BUCKETS:
        raise RemoteUrlError(f"{scheme!r} is not a scheme of buckets", hint="write gs://bucket/prefix or az://…")


def _check_bucket(location: "BucketLocation", _: object, bucket: str) -> None:
    service, names, characters = _BUCKETS[location.scheme]
    if not names.fullmatch(bucket):
        kind = "container" if location.scheme == "az" else "bucket"
        raise RemoteUrlError(
            f"{bucket!r} cannot be the name of a {kind} of {service}",
            hint=f"the name of a {kind} has 3 to 63 characters: {characters}",
        )


def _check_prefix(location: "BucketLocation", _: object, prefix: str) -> None:
    problem = _prefix_problem(prefix)
    if problem is not None:
        hint = f"write {location.scheme}://bucket or {location.scheme}://bucket/prefix"
        raise RemoteUrlError(f"{prefix!r} cannot be the prefix of a remote: {problem}", hint=hint)


def _prefix_problem(prefix: str) -> str | None:
    if not prefix:
        return None
    if {"", ".", ".."}.intersection(prefix.split("/")):
        return "its parts must not be empty, '.' or '..'"
    wrong = _ENCODED.search(prefix)
    if wrong is not None:
        return f"it contains {wrong[0]!r}"
    longest = _KEY_BYTES - len(f"/{run_prefix('0' * 32)}/{'0' * 32}")  # that of a run record
    return f"it has {len(prefix)} bytes, more than {longest}" if len(prefix) > longest else None


@attrs.frozen(eq=False, repr=False)
class BucketLocation(Value):
    """A bucket and a prefix in it; ``str()`` is the URL that `parse` reads.

    Attributes:
        scheme: ``gs`` or ``az``.
        bucket: The name of the bucket; in Azure, of the container.
        prefix: Without a slash at either end; empty for the bucket itself.
    """

    scheme: str = attrs.field(validator=_check_scheme)
    bucket: str = attrs.field(validator=_check_bucket)
    prefix: str = attrs.field(default="", validator=_check_prefix)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The location that ``gs://bucket/prefix`` or ``az://container/prefix`` names; nothing is decoded.

        Raises:
            RemoteUrlError: It is not such a URL, contains credentials, or breaks a rule of the service.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        if "@" in bucket or ":" in bucket:
            raise RemoteUrlError(
                f"the location of a {scheme.lower()}:// remote must not contain credentials or a port",
                hint="keep credentials in the variables or files of the service",
            )
        if "?" in prefix:
            raise RemoteUrlError(
                f"the location of a {scheme.lower()}:// remote must not contain a query",
                hint="keep a token in a variable, such as AZURE_STORAGE_SAS_TOKEN",
            )
        return cls(scheme.lower(), bucket, prefix.removesuffix("/"))

    def key(self, path: str) -> str:
        """The key of a path below the location."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def path(self, key: str) -> str:
        """The path below the location of one of its keys."""
        return key.removeprefix(f"{self.prefix}/") if self.prefix else key

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key_of_bucket}"

    @property
    def key_of_bucket(self) -> str:
        """The bucket and the prefix, as one path."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket


def directory_of(url: str) -> Path:
    """The directory that ``file:///absolute/path`` names; nothing is decoded.

    Raises:
        RemoteUrlError: It is not such a URL, or the path is relative.
    """
    _, _, rest = url.partition("://")
    host, separator, path = rest.partition("/")
    hint = "write file:///absolute/path, with three slashes"
    if not separator or host not in ("", "localhost"):
        problem = "is relative" if not separator or host.startswith((".", "~")) else f"names a host, {host!r}"
        raise RemoteUrlError(f"the path of a file:// remote {problem}", hint=hint)
    if not path.strip("/"):
        raise RemoteUrlError("the root of the file system cannot be a remote", hint=hint)
    if ".." in path.split("/") or not path.isprintable():
        raise RemoteUrlError("the path of a file:// remote contains '..' or an unprintable character", hint=hint)
    return Path("/", path.strip("/"))


def website_of(url: str) -> str:
    """The URL of a website, checked and without a slash at its end.

    Raises:
        RemoteUrlError: It has no host, or contains credentials, a query or a fragment.
    """
    from urllib.parse import urlsplit  # lazy

    hint = "write https://host/path"
    try:
        parts = urlsplit(url)
        known = parts.hostname, parts.port
    except ValueError:
        known = None, None
    if known[0] is None:
        raise RemoteUrlError("the URL of the remote has no host, or an invalid port", hint=hint)
    if "@" in parts.netloc:
        raise RemoteUrlError(
            "the URL of a remote must not contain credentials", hint="keep the user and the password in ~/.netrc"
        )
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise RemoteUrlError("the URL of a remote has no query, no fragment and no spaces", hint=hint)
    return f"{parts.scheme.lower()}://{parts.netloc}{parts.path.rstrip('/')}"
