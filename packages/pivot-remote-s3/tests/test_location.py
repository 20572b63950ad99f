"""A location gives a bucket and keys, or an error that never shows a secret."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.errors import CacheError
from pivot_cache.layout import Layout, sharded
from pivot_core.errors import PivotError
from pivot_remote_s3 import LocationError, S3Error, S3Location

DIGEST = "ab" + "cdef0123" * 3 + "456789"

buckets = st.from_regex(r"[a-o][a-o0-9]{2,5}([.-][a-o0-9]{1,5}){0,3}", fullmatch=True)
parts = st.text(alphabet="ab.é%?#@:+ =", min_size=1, max_size=5).filter(lambda part: part not in (".", ".."))
prefixes = st.lists(parts, max_size=3).map("/".join)
digests = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)


@given(buckets, prefixes)
def test_the_text_of_a_location_can_be_parsed(bucket: str, prefix: str) -> None:
    location = S3Location(bucket, prefix)

    assert S3Location.parse(str(location)) == location


@given(buckets, prefixes, digests, digests)
def test_keys_are_one_for_each_digest_below_the_prefix(bucket: str, prefix: str, left: str, right: str) -> None:
    location = S3Location(bucket, prefix)

    assert location.key(left).startswith(prefix)
    assert (location.key(left) == location.key(right)) == (left == right)
    assert len(location.key(left).encode()) <= 1024


@given(digests)
def test_layout_equals_that_of_the_local_store(digest: str) -> None:
    layout = Layout(Path("/project"))
    local = sharded(layout.objects_dir, digest).relative_to(layout.cache_dir)

    assert S3Location("bucket").key(digest) == local.as_posix()


@pytest.mark.parametrize(
    ("url", "expected", "key"),
    [
        ("s3://bucket", S3Location("bucket"), f"files/ab/{DIGEST[2:]}"),
        ("s3://bucket/", S3Location("bucket"), f"files/ab/{DIGEST[2:]}"),
        ("s3://bucket/team", S3Location("bucket", "team"), f"team/files/ab/{DIGEST[2:]}"),
        ("s3://bucket/team/", S3Location("bucket", "team"), f"team/files/ab/{DIGEST[2:]}"),
        ("S3://bucket/Team/a b", S3Location("bucket", "Team/a b"), f"Team/a b/files/ab/{DIGEST[2:]}"),
        ("s3://bucket/a%20b?c#d", S3Location("bucket", "a%20b?c#d"), f"a%20b?c#d/files/ab/{DIGEST[2:]}"),
        ("s3://bucket/me@home:1", S3Location("bucket", "me@home:1"), f"me@home:1/files/ab/{DIGEST[2:]}"),
    ],
)
def test_url_means_a_location(url: str, expected: S3Location, key: str) -> None:
    location = S3Location.parse(url)

    assert location == expected
    assert location.key(DIGEST) == key


@pytest.mark.parametrize(
    "bucket",
    [
        "abc",
        "a" * 63,
        "my-bucket",
        "my.bucket.2",
        "123",
        "1.2.3",
        "1.2.3.4.5",
        "a--b",
        "point-abc-s3alias",
        "b--use1-az4--x-s3",
    ],
)
def test_bucket_that_s3_allows(bucket: str) -> None:
    assert S3Location.parse(f"s3://{bucket}/x").bucket == bucket


@pytest.mark.parametrize(
    ("bucket", "problem"),
    [
        ("", "it has 0 characters"),
        ("ab", "it has 2 characters"),
        ("a" * 64, "it has 64 characters"),
        ("MyBucket", "it contains 'M'"),
        ("my_bucket", "it contains '_'"),
        ("bücket", "it contains 'ü'"),
        ("bucket٣", "it contains '٣'"),
        ("my bucket", "it contains ' '"),
        ("bucket\n", r"it contains '\n'"),
        ("-bucket", "it must begin and end with a letter or a digit"),
        ("bucket.", "it must begin and end with a letter or a digit"),
        ("my..bucket", "it has two dots in a row"),
        ("192.168.5.4", "it looks like an IP address"),
        ("xn--bucket", "S3 reserves names that begin with 'xn--'"),
        ("sthree-bucket", "S3 reserves names that begin with 'sthree-'"),
        ("amzn-s3-demo-bucket", "S3 reserves names that begin with 'amzn-s3-demo-'"),
        ("bucket--ol-s3", "S3 reserves names that end with '--ol-s3'"),
        ("bucket.mrap", "S3 reserves names that end with '.mrap'"),
        ("bucket--table-s3", "S3 reserves names that end with '--table-s3'"),
    ],
)
def test_bucket_that_s3_forbids(bucket: str, problem: str) -> None:
    with pytest.raises(LocationError) as caught:
        S3Location(bucket)

    assert str(caught.value) == f"{bucket!r} cannot be the name of an S3 bucket: {problem}"
    assert "3 to 63 characters" in str(caught.value.hint)


@given(st.text(alphabet="aZ9.-_", max_size=66))
def test_bucket_follows_the_rules_of_s3_or_is_rejected(bucket: str) -> None:
    allowed = (
        3 <= len(bucket) <= 63
        and set(bucket) <= set(string.ascii_lowercase + string.digits + ".-")
        and bucket[0].isalnum()
        and bucket[-1].isalnum()
        and ".." not in bucket
        and not (bucket.count(".") == 3 and bucket.replace(".", "").isdigit())
    )

    if allowed:
        assert S3Location(bucket).bucket == bucket
    else:
        with pytest.raises(LocationError):
            S3Location(bucket)


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("/a", "its parts must not be empty"),
        ("a/", "its parts must not be empty"),
        ("a//b", "its parts must not be empty"),
        ("a/./b", "its parts must not be empty, '.' or '..'"),
        ("../b", "its parts must not be empty, '.' or '..'"),
        ("a\nb", "an unprintable character"),
        ("a\0", "an unprintable character"),
        ("\udc80", "an unprintable character"),
        ("é" * 500, "it has 1000 bytes, more than the 952 "),
    ],
)
def test_invalid_prefix(prefix: str, problem: str) -> None:
    with pytest.raises(LocationError) as caught:
        S3Location("bucket", prefix)

    assert problem in str(caught.value)


def test_longest_prefix_leaves_room_for_a_key() -> None:
    assert len(S3Location("bucket", "a" * 952).runs(DIGEST)) + len(DIGEST) == 1024


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "begins with s3://"),
        ("bucket/prefix", "begins with s3://"),
        ("s3:bucket", "begins with s3://"),
        ("https://bucket.s3.amazonaws.com/x", "'https://' is not the beginning of an S3 location"),
        ("gs://bucket", "'gs://' is not the beginning of an S3 location"),
        ("s3://", "lacks a bucket"),
        ("s3:///prefix", "lacks a bucket"),
        ("s3://bucket//x", "its parts must not be empty"),
        ("s3://bucket/x//", "its parts must not be empty"),
    ],
)
def test_invalid_url(url: str, said: str) -> None:
    with pytest.raises(LocationError) as caught:
        S3Location.parse(url)

    assert said in str(caught.value)
    assert "s3://bucket/prefix" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAEXAMPLE:hunter2@bucket/x",
        "s3://AKIAEXAMPLE:hunter2/more@bucket/x",
        "s3://hunter2@bucket",
        "https://me:hunter2@bucket.example/x",
        "AKIAEXAMPLE:hunter2@bucket",
        "s3://bucket.example:hunter2/x",
    ],
)
def test_credentials_are_rejected_and_not_shown(url: str) -> None:
    with pytest.raises(LocationError) as caught:
        S3Location.parse(url)

    for text in (str(caught.value), repr(caught.value), str(caught.value.hint)):
        assert "hunter2" not in text
        assert "AKIA" not in text


@pytest.mark.parametrize("digest", ["", "ab", "../" + "a" * 29, DIGEST.upper(), "/" * 32])
def test_key_is_made_of_digests_only(digest: str) -> None:
    with pytest.raises(CacheError, match="is not a digest"):
        S3Location("bucket").key(digest)


def test_location_is_immutable() -> None:
    location = S3Location("bucket", "team")

    with pytest.raises(AttributeError):
        location.prefix = "/x"  # type: ignore[misc]
    assert {location: 1}[S3Location("bucket", "team")] == 1


def test_errors_are_errors_of_pivot() -> None:
    assert issubclass(LocationError, S3Error)
    assert issubclass(S3Error, PivotError)
    assert LocationError.exit_code == 2
