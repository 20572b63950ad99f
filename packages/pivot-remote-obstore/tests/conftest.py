"""Servers for the tests, one of each kind in a session, on 127.0.0.1."""

import base64
import contextlib
import email.utils
import functools
import hashlib
import hmac
import http.server
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from gcs_server import GcsServer

from pivot_remote_obstore import BucketLocation, BucketSettings

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every installation of Azurite has, and its published key."""

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the configuration of the developer."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "hunter2")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)


@pytest.fixture(scope="session")
def gcs() -> Iterator[GcsServer]:
    with contextlib.closing(GcsServer()) as server:
        yield server


@pytest.fixture
def bucket(gcs: GcsServer) -> BucketLocation:
    location = BucketLocation("gs", f"bucket-{next(_numbers)}", "team/cache")
    gcs.buckets[location.bucket] = {}
    return location


@pytest.fixture
def gcs_settings(gcs: GcsServer) -> BucketSettings:
    return BucketSettings(endpoint=gcs.url)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketSettings]:
    """The settings for Azurite, Microsoft's own emulator, if it is installed."""
    found = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if found is None:
        pytest.skip("Azurite is not installed: npm install azurite, and set AZURITE to its azurite-blob")
    flags = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")
    address = ("--blobHost", "127.0.0.1", "--blobPort", "0")
    place = tmp_path_factory.mktemp("azurite")
    with subprocess.Popen([found, *flags, *address], stdout=subprocess.PIPE, text=True, cwd=place) as process:
        try:
            assert process.stdout is not None
            said = ""
            while (listens := re.search(r"listens on (http://\S+)", said)) is None:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield BucketSettings(endpoint=f"{listens[1]}/{ACCOUNT}", account=ACCOUNT)
        finally:
            process.kill()


@pytest.fixture
def container(azurite: BucketSettings) -> BucketLocation:
    location = BucketLocation("az", f"container-{next(_numbers)}", "team/cache")
    date = email.utils.formatdate(usegmt=True)
    wanted = f"{ACCOUNT}/{location.bucket}"
    signed = f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{wanted}\nrestype:container"
    key = base64.b64encode(hmac.digest(base64.b64decode(KEY), signed.encode(), hashlib.sha256)).decode()
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey {ACCOUNT}:{key}"}
    request = urllib.request.Request(
        f"{azurite.endpoint}/{location.bucket}?restype=container", method="PUT", headers=headers
    )
    urllib.request.urlopen(request).close()
    return location


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def website(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a web server without ranges, and the directory that it serves."""
    directory = tmp_path / "www"
    directory.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/cache", directory / "cache"
    server.shutdown()
    thread.join()
    server.server_close()
