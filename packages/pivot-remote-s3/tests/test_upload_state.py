"""The state of uploads is untrusted input, and belongs to one process at a time."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_remote_s3.uploads import upload_state
from pivot_remote_s3.uploads.upload_state import StartedUpload, UploadState

REMOTE, KEY = "s3://bucket here", "files/00/1"
STARTED = StartedUpload(REMOTE, KEY, "upload", 100, 10)


def begun(directory: Path) -> Path:
    """Return the state of an upload that a process has left behind."""
    with contextlib.suppress(InterruptedError), upload_state.open_upload(directory, REMOTE, KEY) as upload:
        upload.start(STARTED)
        upload.add(1, "etag")
        raise InterruptedError
    (file,) = directory.iterdir()
    return file


def found(directory: Path) -> tuple[StartedUpload | None, dict[int, str]]:
    """Return the state that the next process reads."""
    state: tuple[StartedUpload | None, dict[int, str]] = (None, {})
    with contextlib.suppress(InterruptedError), upload_state.open_upload(directory, REMOTE, KEY) as upload:
        state = upload.started, dict(upload.parts)
        raise InterruptedError
    return state


def test_an_upload_resumes(tmp_path: Path) -> None:
    begun(tmp_path)
    assert found(tmp_path) == (STARTED, {1: "etag"})


def test_an_upload_of_another_process_is_not_touched(tmp_path: Path) -> None:
    file = begun(tmp_path)
    old = time.time() - upload_state.STALE_S - 60
    with contextlib.suppress(InterruptedError), upload_state.open_upload(tmp_path, REMOTE, KEY):
        os.utime(file, (old, old))
        assert found(tmp_path) == (None, {})
        assert list(upload_state.abandoned_uploads(tmp_path, REMOTE)) == []
        raise InterruptedError
    assert list(upload_state.abandoned_uploads(tmp_path, "another")) == []
    assert found(tmp_path) == (STARTED, {1: "etag"})
    os.utime(file, (old, old))
    assert list(upload_state.abandoned_uploads(tmp_path, REMOTE)) == [STARTED]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["9" * 5000 + " etag", "-1 etag", "2", "\u00b2 etag", "x etag", "etag", ""])
def test_an_invalid_line_is_ignored(tmp_path: Path, line: str) -> None:
    file = begun(tmp_path)
    with file.open("a") as journal:
        journal.write(f"{line}\n3 last\n4 cut o")
    assert found(tmp_path) == (STARTED, {1: "etag", 3: "last"})


def test_the_line_of_an_upload_has_these_names(tmp_path: Path) -> None:
    line = b'{"remote": "s3://bucket here", "key": "files/00/1", "upload": "upload", "size": 100, "part": 10}'
    assert begun(tmp_path).read_bytes() == line + b"\n1 etag\n"


def read(head: object) -> StartedUpload | None:
    """Return the upload of a state that begins with this JSON."""
    with tempfile.TemporaryFile() as file:
        file.write(f"{json.dumps(head)}\n1 etag\n".encode())
        file.seek(0)
        state = UploadState(file.fileno())
        assert state.started is not None or state.parts == {}
        return state.started


FIELDS = {"remote": REMOTE, "key": KEY, "upload": "upload", "size": 100, "part": 10}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@given(st.sampled_from(sorted(FIELDS)), VALUES)
def test_values_of_other_types_are_rejected(field: str, value: object) -> None:
    assert read(FIELDS) == STARTED
    assert read(value) is None
    assert (read({**FIELDS, field: value}) is None) == (type(value) is not type(FIELDS[field]))
    assert read({name: each for name, each in FIELDS.items() if name != field}) is None
    assert read({**FIELDS, "another": value}) is None


@pytest.mark.parametrize("value", ["3", 3.0, True])
def test_a_value_that_would_make_a_number_is_rejected(value: object) -> None:
    assert read({**FIELDS, "size": value}) is None


def directory(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, directory, link])
def test_only_a_regular_file_is_the_state_of_an_upload(tmp_path: Path, make: Callable[[Path], object]) -> None:
    file = begun(tmp_path)
    file.unlink()
    make(file)
    with upload_state.open_upload(tmp_path, REMOTE, KEY) as upload:
        assert (upload.started, upload.parts) == (None, {})
        upload.start(STARTED)
    assert list(upload_state.abandoned_uploads(tmp_path, REMOTE)) == []
    assert UploadState().started is None
