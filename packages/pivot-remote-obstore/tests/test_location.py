"""URLs of remotes: either a location, or an error that shows no secret."""

from pathlib import Path

import pytest

from pivot_cache.remotes.protocol import RemoteSettings, connect
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import BucketLocation, RemoteUrlError
from pivot_remote_obstore.location import digest_of, directory_of, object_key, website_of


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("gs://bucket", "bucket", ""),
        ("GS://bucket/a/b/", "bucket", "a/b"),
        ("az://container/a b", "container", "a b"),
        ("az://$web/x", "$web", "x"),
    ],
)
def test_locations_in_buckets(url: str, bucket: str, prefix: str) -> None:
    location = BucketLocation.parse(url)
    assert (location.bucket, location.prefix) == (bucket, prefix)
    assert BucketLocation.parse(str(location)) == location
    assert location.path(location.key("files/x")) == "files/x"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gs://", "cannot be the name of a bucket"),
        ("gs://Bucket", "cannot be the name of a bucket"),
        ("az://a_b_c", "cannot be the name of a container"),
        ("gs://me:hunter2@bucket", "must not contain credentials"),
        ("az://container/x?sig=hunter2", "must not contain a query"),
        ("gs://bucket//x", "must not be empty"),
        ("gs://bucket/../x", "must not be empty, '.' or '..'"),
        ("gs://bucket/a%20b", "contains '%'"),
        (f"gs://bucket/{'a' * 1000}", "has 1000 bytes"),
        ("file://drive/x", "names a host, 'drive'"),
        ("file://./x", "is relative"),
        ("file://x", "is relative"),
        ("file:///a/../b", "contains '..'"),
        ("file:////", "the root of the file system"),
        ("https://", "has no host"),
        ("https://host:x/", "has no host, or an invalid port"),
        ("https://me:hunter2@host", "must not contain credentials"),
        ("https://host/x?sig=hunter2", "no query"),
    ],
)
def test_other_urls_are_refused(url: str, said: str) -> None:
    with pytest.raises(RemoteUrlError) as caught:
        connect(url)
    assert said in str(caught.value)
    assert caught.value.hint
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["file:///x", "https://host"])
def test_other_remotes_have_no_options(url: str) -> None:
    with pytest.raises(RemoteUrlError, match="'region' is not an option"):
        connect(url, RemoteSettings(options={"region": "x"}))


def test_other_locations() -> None:
    assert directory_of("file:///mnt/My Drive/x/") == Path("/mnt/My Drive/x")
    assert directory_of("file://localhost/x") == Path("/x")
    assert website_of("HTTPS://host:8443/x/") == "https://host:8443/x"
    with pytest.raises(RemoteUrlError, match="'s3' is not a scheme"):
        BucketLocation("s3", "bucket")


def test_only_paths_of_objects_have_digests() -> None:
    digest = digest_bytes(b"")
    assert digest_of(object_key(digest)) == digest
    for path in ("", "files", f"files/{digest}", f"runs/{digest[:2]}/{digest[2:]}", f"files/{digest[:3]}/{digest[3:]}"):
        assert digest_of(path) is None
