"""URLs of SSH remotes, and the paths on the server."""

from pathlib import Path

import pytest

from pivot_cache.errors import CacheError
from pivot_cache.layout import sharded
from pivot_cache.remotes.protocol import RemoteSettings, connect
from pivot_remote_ssh import SshLocation, SshLocationError, SshRemote
from pivot_remote_ssh.location import digest_of

DIGEST = "5995c853a1b2c3d45995c853a1b2c3d4"


@pytest.mark.parametrize(
    ("url", "user", "host", "port", "root"),
    [
        ("ssh://host/srv/cache", None, "host", None, "/srv/cache"),
        ("ssh://me@host:2222/srv/cache/", "me", "host", 2222, "/srv/cache"),
        ("ssh://host/~/cache/of team%20x", None, "host", None, "cache/of team%20x"),
        ("ssh://me@corp.org@10.0.0.7/x", "me@corp.org", "10.0.0.7", None, "/x"),
        ("ssh://[fe80::1%eth0]:22/x", None, "[fe80::1%eth0]", 22, "/x"),
        ("ssh://[::1]/x", None, "[::1]", None, "/x"),
    ],
)
def test_urls(url: str, user: str | None, host: str, port: int | None, root: str) -> None:
    location = SshLocation.parse(url)

    assert (location.user, location.host, location.port, location.root) == (user, host, port, root)
    assert str(location) == url.removesuffix("/")
    assert SshLocation.parse(str(location)) == location


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("host:/srv", "begins with ssh://"),
        ("s3://bucket", "begins with ssh://"),
        ("ssh:///srv", "lacks a host"),
        ("ssh://me@/srv", "lacks a host"),
        ("ssh://host", "must name a directory below '/'"),
        ("ssh://host/", "must name a directory below '/'"),
        ("ssh://host/~", "must name a directory below '~'"),
        ("ssh://host/~other/x", "'~' can only mean the home directory"),
        ("ssh://host/a//b", "must not be empty"),
        ("ssh://host/a/../b", "must not be empty, '.' or '..'"),
        ("ssh://host/a\nb", "an unprintable character"),
        ("ssh://host:ssh/a", "is a number"),
        ("ssh://host:0/a", "is not a port"),
        ("ssh://host:70000/a", "is not a port"),
        ("ssh://::1/a", "cannot be the host"),
        # Texts that would become options or commands of a program.
        ("ssh://-oProxyCommand=x/a", "cannot be the host"),
        ("ssh://$(x)/a", "cannot be the host"),
        ("ssh://-l@host/a", "the user of an SSH remote has letters"),
        ("ssh://a;b@host/a", "the user of an SSH remote has letters"),
    ],
)
def test_what_is_no_url(url: str, said: str) -> None:
    with pytest.raises(SshLocationError) as caught:
        SshLocation.parse(url)

    assert said in str(caught.value)
    assert caught.value.hint


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(SshLocationError) as caught:
        SshLocation.parse("ssh://me:hunter2@host/a")

    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert "must not contain a password" in str(caught.value)


def test_the_layout_is_that_of_the_store() -> None:
    location = SshLocation.parse("ssh://host/srv")

    assert location.object(DIGEST) == str(sharded(Path("/srv/files"), DIGEST))
    assert location.runs(DIGEST) == str(sharded(Path("/srv/runs"), DIGEST))
    assert digest_of("59", DIGEST[2:]) == DIGEST
    assert digest_of("59", "x") is None
    assert digest_of("599", DIGEST[3:]) is None
    with pytest.raises(CacheError, match="is not a digest"):
        location.object("../x")


def test_the_entry_point_makes_remotes() -> None:
    remote = connect("ssh://me@host/srv", RemoteSettings(timeout=5))

    assert isinstance(remote, SshRemote)
    assert remote.name == "ssh://me@host/srv"
    with pytest.raises(SshLocationError, match="have no options"):
        connect("ssh://me@host/srv", RemoteSettings(options={"key": "x"}))


def test_the_identity_depends_on_the_configuration_of_ssh(home: Path) -> None:
    def identity() -> str:
        return connect("ssh://storage/srv").identity

    bare = identity()
    (home / ".ssh" / "config").write_text("Host storage\n  HostName one.example.org\nInclude more/*\n")
    configured = identity()
    (home / ".ssh" / "more").mkdir()
    (home / ".ssh" / "more" / "x").write_text("Include config\nHost storage\n  User somebody\n")  # in a circle

    assert len({bare, configured, identity()}) == 3
    assert identity() == identity()
