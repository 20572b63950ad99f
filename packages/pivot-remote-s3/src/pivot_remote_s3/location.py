"""Location of a remote on S3: a bucket and a prefix, and below it the layout of the local object store.

s3://<bucket>/<prefix>/
  files/ab/cdef...        objects, named by the digest of their bytes; locally .pivot/cache/files/ab/cdef...
  runs/ab/cdef.../...     run records under their inputs key, each named by the digest of its bytes
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import attrs

from pivot_cache.layout import sharded
from pivot_core.files.digest import is_digest
from pivot_core.values import Value
from pivot_remote_s3.errors import LocationError

_SCHEME: Final = "s3"
_OBJECTS: Final = Path("files")
_RUNS: Final = Path("runs")
_KEY_BYTES: Final = 1024
_KEY_HINT: Final = "write s3://bucket or s3://bucket/prefix"

_BUCKET_LENGTHS: Final = range(3, 64)
_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
# Not among them: `-s3alias` (an access point) and `--x-s3` (a directory bucket), which can hold objects.
_RESERVED_SUFFIXES: Final = ("--ol-s3", ".mrap", "--table-s3")


def _check_bucket(_: object, __: object, bucket: str) -> None:
    problem = next(_bucket_problems(bucket), None)
    if problem is not None:
        raise LocationError(
            f"{bucket!r} cannot be the name of an S3 bucket: {problem}",
            hint="the name of a bucket has 3 to 63 characters: a-z, 0-9, '-' and '.'",
        )


def _bucket_problems(bucket: str) -> Iterator[str]:
    """Yield the rules of S3 for bucket names that a name breaks."""
    wrong = re.search(r"[^a-z0-9.-]", bucket)
    if wrong is not None:
        yield f"it contains {wrong[0]!r}"
    if len(bucket) not in _BUCKET_LENGTHS:
        yield f"it has {len(bucket)} characters"
    if bucket[:1] in ".-" or bucket[-1:] in ".-":
        yield "it must begin and end with a letter or a digit"
    if ".." in bucket:
        yield "it has two dots in a row"
    if _ADDRESS.fullmatch(bucket):
        yield "it looks like an IP address"
    yield from (f"S3 reserves names that begin with {text!r}" for text in _RESERVED_PREFIXES if bucket.startswith(text))
    yield from (f"S3 reserves names that end with {text!r}" for text in _RESERVED_SUFFIXES if bucket.endswith(text))


def _check_prefix(_: object, __: object, prefix: str) -> None:
    problem = _prefix_problem(prefix)
    if problem is not None:
        raise LocationError(f"{prefix!r} cannot be the prefix of an S3 remote: {problem}", hint=_KEY_HINT)


def _prefix_problem(prefix: str) -> str | None:
    if not prefix:
        return None
    if {"", ".", ".."}.intersection(prefix.split("/")):
        return "its parts must not be empty, '.' or '..', which some clients change on the way"
    if not prefix.isprintable():
        return "it contains an unprintable character"
    longest = _KEY_BYTES - len(f"/{_run('0' * 32)}{'0' * 32}")  # that of a run record
    size = len(prefix.encode())
    return (
        f"it has {size} bytes, more than the {longest} that leave room for an object's key" if size > longest else None
    )


def _key(digest: str) -> str:
    return sharded(_OBJECTS, digest).as_posix()


def _run(key: str) -> str:
    return f"{sharded(_RUNS, key).as_posix()}/"


@attrs.frozen(eq=False, repr=False)
class S3Location(Value):
    """A bucket and a prefix in it; ``str()`` is the URL that `parse` reads.

    Attributes:
        bucket: A name that S3 allows, or an alias of an access point.
        prefix: Without a slash at either end; empty for the bucket itself.
    """

    bucket: str = attrs.field(validator=_check_bucket)
    prefix: str = attrs.field(default="", validator=_check_prefix)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the location that ``s3://bucket/prefix`` names; nothing in the prefix is decoded.

        Raises:
            LocationError: It is not such a URL, contains credentials, or breaks a rule of S3.
        """
        scheme, separator, rest = url.partition("://")
        if not separator:
            raise LocationError("the location of an S3 remote begins with s3://", hint=_KEY_HINT)
        if scheme.lower() != _SCHEME:
            raise LocationError(f"{scheme + separator!r} is not the beginning of an S3 location", hint=_KEY_HINT)
        bucket, _, prefix = rest.partition("/")
        if "@" in bucket or ":" in bucket:
            raise LocationError(
                "the location of an S3 remote must not contain credentials or a port",
                hint="keep credentials where other S3 tools find them: a profile, or AWS_... variables",
            )
        if not bucket:
            raise LocationError("the location of an S3 remote lacks a bucket", hint=_KEY_HINT)
        return cls(bucket, prefix.removesuffix("/"))

    def key(self, digest: str) -> str:
        """Return the key of the object with this digest.

        Raises:
            CacheError: It is not a digest; no other text becomes part of a key.
        """
        key = _key(digest)
        return f"{self.prefix}/{key}" if self.prefix else key

    def runs(self, key: str) -> str:
        """Return the prefix of the keys of all run records of an inputs key.

        Raises:
            CacheError: It is not a digest; no other text becomes part of a key.
        """
        runs = _run(key)
        return f"{self.prefix}/{runs}" if self.prefix else runs

    @property
    def root(self) -> str:
        """The prefix of the keys of all objects."""
        return f"{self.prefix}/{_OBJECTS}/" if self.prefix else f"{_OBJECTS}/"

    def digest(self, key: str) -> str | None:
        """Return the digest of the object with this key; None for any other key."""
        digest = key.removeprefix(self.root).replace("/", "", 1)
        return digest if is_digest(digest) and self.key(digest) == key else None

    def __str__(self) -> str:
        return f"{_SCHEME}://{self.bucket}/{self.prefix}" if self.prefix else f"{_SCHEME}://{self.bucket}"
