"""A remote is found by its URL, fails in one of five ways, and does what every remote must do."""

import asyncio
import sys
from collections.abc import Callable
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from pivot_cache.errors import CacheError
from pivot_cache.remotes import protocol as remotes
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    Remote,
    RemoteAbsentError,
    RemoteCorruptError,
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteSchemeError,
    RemoteSettings,
    RemoteThrottledError,
    RemoteUnreachableError,
    connect,
)
from pivot_cache.testing.remote_contract import MemoryRemote, RemoteContract

URL = "memory://remote"


class TestMemoryRemote(RemoteContract):
    @pytest.fixture
    def make(self) -> Callable[[], Remote]:
        remote = MemoryRemote()
        return lambda: remote


def provided(monkeypatch: pytest.MonkeyPatch, *schemes: str) -> None:
    """Let these schemes, and no others, be provided by `made`."""
    entries = EntryPoints(EntryPoint(scheme, f"{__name__}:made", remotes.GROUP) for scheme in schemes)
    monkeypatch.setattr(EntryPoint, "load", lambda _: made)
    monkeypatch.setattr(metadata, "entry_points", entries.select)
    monkeypatch.setattr(sys, "path", [])


def made(url: str, settings: RemoteSettings) -> MemoryRemote:
    return MemoryRemote(f"{url} {settings.jobs}")


def test_a_remote_is_found_by_the_scheme_of_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    provided(monkeypatch, "memory")

    assert connect("memory://x").name == "memory://x 20"
    assert connect("MEMORY://x", RemoteSettings(jobs=3)).name == "MEMORY://x 3"


@pytest.mark.parametrize(
    ("text", "quick"),
    [
        ("[pivot.remotes]\ns3 = here.made:connect\n", True),
        ("[console_scripts]\ns3=x:y\n\n[pivot.remotes]\ngs=a:b\ns3=here.made:connect", True),
        ("[pivot.remotes]\ns3 = here.made:connect [extra]\n", False),
        ("[pivot.remotes]\ns3 = here.made\n", False),
        ("[other]\ns3 = here.made:connect\n", False),
        ("\xff", False),
        (None, False),
    ],
)
def test_the_usual_package_is_found_without_looking_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, quick: bool
) -> None:
    provided(monkeypatch, "s3")
    info = tmp_path / "pivot_remote_s3-1.0.dist-info"
    info.mkdir()
    if text is not None:
        (info / "entry_points.txt").write_text(text, "latin-1")
    module = ModuleType("here.made")
    module.__dict__["connect"] = lambda url, _: MemoryRemote(f"{url} quick")
    monkeypatch.setitem(sys.modules, "here.made", module)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "absent"), str(tmp_path)])

    assert connect("s3://x").name == ("s3://x quick" if quick else "s3://x 20")


@pytest.mark.parametrize(
    ("url", "said", "hint"),
    [
        ("s3://bucket", "remotes with s3:// URLs need the package pivot-remote-s3", "install pivot-remote-s3"),
        ("gs://bucket", "remotes with gs:// URLs need the package pivot-remote-obstore", "the extra pivot[gcs] has it"),
        ("file:///x", "remotes with file:// URLs need the package pivot-remote-obstore", "the extra pivot[remotes]"),
        ("ssh://host/x", "remotes with ssh:// URLs need the package pivot-remote-ssh", "the extra pivot[ssh] has it"),
        ("ftp://bucket", "no remote supports URLs with 'ftp'://", "begins with memory:// or s3://"),
        ("bucket/prefix", "the URL of a remote has no scheme", "begins with memory:// or s3://"),
        ("", "the URL of a remote has no scheme", "begins with memory:// or s3://"),
    ],
)
def test_url_that_nothing_provides(monkeypatch: pytest.MonkeyPatch, url: str, said: str, hint: str) -> None:
    provided(monkeypatch, "memory")

    with pytest.raises(RemoteSchemeError) as caught:
        connect(url)

    assert str(caught.value) == said
    assert hint in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_a_server_that_was_never_reached_is_given_up_soon() -> None:
    attempts = Attempts(9, RemoteAbsentError(URL, "no such host"))

    with pytest.raises(RemoteAbsentError):
        attempts.run(attempts=6)
    assert attempts.pauses == [1, 2]


@pytest.mark.parametrize(
    "error",
    [
        RemoteNotFoundError(URL, "there is no such object", digest="0" * 32),
        RemoteDeniedError(URL, "access denied"),
        RemoteUnreachableError(URL, "no answer"),
        RemoteThrottledError(URL, "too many requests"),
        RemoteCorruptError(URL, "0" * 32),
    ],
)
def test_every_error_names_the_remote_and_a_way_out(error: RemoteError) -> None:
    assert isinstance(error, CacheError)
    assert str(error).startswith(f"{URL}: ")
    assert error.remote == URL
    assert error.exit_code == 3
    assert error.hint


class Attempts:
    """Fails so many times, and keeps the pauses between."""

    def __init__(self, failures: int, error: RemoteError, *, progress: int = 0) -> None:
        self.left = failures
        self.error = error
        self.pauses: list[float] = []
        self.reached = 0
        self.progress = progress

    async def work(self) -> str:
        if self.left:
            self.left -= 1
            self.reached += self.progress
            raise self.error
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def run(self, *, attempts: int = 4) -> str:
        retry = Retry(attempts=attempts, first=1, longest=5, sleep=self.sleep, chance=lambda: 1)
        return asyncio.run(retry(self.work, lambda: self.reached))


@pytest.mark.parametrize("error", [RemoteThrottledError(URL, "busy"), RemoteUnreachableError(URL, "gone")])
def test_transient_errors_are_retried_after_growing_pauses(error: RemoteError) -> None:
    attempts = Attempts(3, error)

    assert attempts.run() == "done"
    assert attempts.pauses == [1, 2, 4]


def test_pauses_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts(4, RemoteThrottledError(URL, "busy"))

    with pytest.raises(RemoteThrottledError):
        attempts.run()
    assert attempts.pauses == [1, 2, 4]

    attempts = Attempts(5, RemoteThrottledError(URL, "busy"))
    assert attempts.run(attempts=6) == "done"
    assert attempts.pauses == [1, 2, 4, 5, 5]


def test_attempts_that_get_somewhere_are_not_counted() -> None:
    attempts = Attempts(9, RemoteUnreachableError(URL, "gone"), progress=Retry().step)

    assert attempts.run() == "done"
    assert attempts.pauses == [1] * 9


def test_a_byte_now_and_then_leads_nowhere() -> None:
    attempts = Attempts(1000, RemoteUnreachableError(URL, "gone"), progress=1)

    with pytest.raises(RemoteUnreachableError):
        attempts.run()
    assert attempts.pauses == [1, 2, 4]


def test_progress_of_several_attempts_adds_up() -> None:
    attempts = Attempts(9, RemoteUnreachableError(URL, "gone"), progress=Retry().step // 2)

    assert attempts.run() == "done"
    assert attempts.pauses == [1, 1, 2, 1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize(
    "error",
    [
        RemoteNotFoundError(URL, "there is no such object"),
        RemoteDeniedError(URL, "access denied"),
        RemoteCorruptError(URL, "0" * 32),
    ],
)
def test_permanent_errors_are_not_retried(error: RemoteError) -> None:
    attempts = Attempts(1, error)

    with pytest.raises(type(error)):
        attempts.run()
    assert attempts.pauses == []


def test_pauses_are_random_and_really_waited_for() -> None:
    attempts = Attempts(2, RemoteThrottledError(URL, "busy"))

    assert asyncio.run(Retry(first=1e-6)(attempts.work)) == "done"
