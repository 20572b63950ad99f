"""Hints for stages that lack a file or a module of the project on a worker."""

import pathlib

import pytest

from pivot_runtime.executors import absent_files
from pivot_runtime.executors.base import Failure


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("sub/table.csv", "shared.csv", "sub/helper.py", "package/__init__.py", "bare/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("error", "path"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: 'table.csv'", "sub/table.csv"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../shared.csv'", "shared.csv"),
        ("ModuleNotFoundError: No module named 'helper'", "sub/helper.py"),
        ("ModuleNotFoundError: No module named 'package'", "package/__init__.py"),
        ("ModuleNotFoundError: No module named 'bare'", "bare"),
        ("python: can't open file '/there/sub/helper.py': [Errno 2] No such file or directory", "sub/helper.py"),
        ("python: can't open file 'bare/a.py': [Errno 2] No such file or directory", "bare/a.py"),
    ],
)
def test_what_exists_here_is_named(root: pathlib.Path, error: str, path: str) -> None:
    found = absent_files.hint(Failure(error), root, "sub")

    assert found is not None
    assert found.startswith(f"{path} exists here")
    assert "worker.include" in found


def test_commands_say_it_in_what_they_print(root: pathlib.Path) -> None:
    failure = Failure("its command ended with exit status 1")

    for output, path in (("cat: shared.csv: No such file or directory\n", "shared.csv"), (MODULE, "sub/helper.py")):
        found = absent_files.hint(failure, root, "", output=output, scripts=["run.py", "sub/tool.py"])
        assert found is not None
        assert found.startswith(f"{path} exists here")
    assert absent_files.hint(failure, root, "", output=MODULE) is None


MODULE = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'helper'\n"


@pytest.mark.parametrize(
    "error",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.csv'",
        "FileNotFoundError: [Errno 2] No such file or directory: '../../../etc/passwd'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/etc/passwd'",
        "ModuleNotFoundError: No module named 'pandas'",
        "ValueError: 'table.csv'",
        "python: can't open file '/there/none.py': [Errno 2] No such file or directory",
    ],
)
def test_other_failures_get_no_hint(root: pathlib.Path, error: str) -> None:
    assert absent_files.hint(Failure(error), root, "sub") is None
