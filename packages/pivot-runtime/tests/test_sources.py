"""Which files are the user's code, and that what is imported is what they say now."""

import json
import os
import pathlib
import py_compile
import subprocess
import sys
import sysconfig
import venv

import attrs
import pytest
import xxhash
from source_projects import Sources

import pivot_cache
import pivot_core
import pivot_fingerprint
import pivot_runtime
from pivot_core.files.digest import digest_bytes
from pivot_runtime.definitions.source_import import ABSENT, Changes, user_code_predicate
from pivot_runtime.freshness.stamps import stamp

STAGE = """
import {module}

def stage() -> Annotated[str, Out("out.txt", Text())]:
    return {module}.value()

pipeline.register(stage)
"""

INSTALLED = [
    json.__file__,
    os.__file__,
    pytest.__file__,
    attrs.__file__,
    xxhash.__file__,
    str(pathlib.Path(sysconfig.get_path("purelib")) / "anything/below.py"),
    str(pathlib.Path(sysconfig.get_path("stdlib")) / "lib-dynload/_x.so"),
]
OWN = [module.__file__ for module in (pivot_core, pivot_cache, pivot_runtime, pivot_fingerprint)]


@pytest.mark.parametrize("file", [*INSTALLED, *OWN])
def test_library_files_are_not_user_code(file: str) -> None:
    assert not user_code_predicate()(file)


@pytest.mark.parametrize(
    ("file", "users"),
    [
        ("pipeline.py", True),
        ("package/module.py", True),
        ("namespace/only/module.py", True),
        ("elsewhere/src/editable/__init__.py", True),
        (".venv/lib/python3.13/site-packages/numpy/__init__.py", False),
        ("env/lib64/python3.13/site-packages/one_module.py", False),
        ("usr/lib/python3/dist-packages/x.py", False),
        ("site-packages.py", True),
        ("my-site-packages/x.py", True),
    ],
)
def test_files_of_a_project(tmp_path: pathlib.Path, file: str, users: bool) -> None:
    assert user_code_predicate()(str(tmp_path / file)) is users


@pytest.mark.parametrize("file", ["<stdin>", "<string>", "<frozen importlib._bootstrap>", "<attrs generated init X>"])
def test_what_is_no_file(file: str) -> None:
    assert not user_code_predicate()(file)


def test_a_link_is_where_it_leads(tmp_path: pathlib.Path) -> None:
    (tmp_path / "linked.py").symlink_to(json.__file__)
    (tmp_path / "installed").mkdir()
    (tmp_path / "mine.py").touch()
    (tmp_path / "installed/site-packages").mkdir()
    (tmp_path / "installed/site-packages/mine.py").symlink_to(tmp_path / "mine.py")

    assert not user_code_predicate()(str(tmp_path / "linked.py"))
    assert user_code_predicate()(str(tmp_path / "installed/site-packages/mine.py"))


def test_installed_in_a_virtual_environment_inside_the_project(tmp_path: pathlib.Path) -> None:
    """Of an environment whose own interpreter asks."""
    venv.create(tmp_path / ".venv", symlinks=True)
    python = tmp_path / ".venv/bin/python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = subprocess.run([python, "-I", "-c", where], capture_output=True, text=True, check=True).stdout.strip()

    assert purelib.startswith(str(tmp_path.resolve()))
    assert not user_code_predicate()(f"{purelib}/numpy/__init__.py")


# -- what a load imports


def test_modules_of_all_kinds_are_recorded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "editable.py").write_text("def value(): return 'e'")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    project = Sources(
        tmp_path / "project",
        {
            "pipeline.py": STAGE.format(module="beside"),
            "beside.py": "import editable, space.inner, package.deep\ndef value(): return editable.value()",
            "space/inner.py": "",
            "package/__init__.py": "import json, attrs, pytest",
            "package/deep.py": "",
        },
    )

    assert project.imported() == {
        "pipeline.py",
        "beside.py",
        "editable.py",
        "inner.py",
        "__init__.py",
        "deep.py",
    }
    assert any("editable" in key for key in project.stages()["stage"].code)


def test_digests_are_of_the_imported_bytes(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "project", {"pipeline.py": STAGE.format(module="beside"), "beside.py": "value = str"})

    assert {file: found for file, found in project.load().sources.items() if found} == {
        str(project.root / name): digest_bytes((project.root / name).read_bytes())
        for name in ("pipeline.py", "beside.py")
    }


def test_a_stale_pyc_is_not_used(tmp_path: pathlib.Path) -> None:
    """One of an edit of the same size in the same second is valid for Python."""
    project = Sources(
        tmp_path / "project", {"pipeline.py": STAGE.format(module="beside"), "beside.py": "def value(): return 'old'\n"}
    )
    beside = project.root / "beside.py"
    py_compile.compile(str(beside))
    before = project.stages()["stage"]
    status = beside.stat()
    project.replace("beside.py", "old", "new")
    os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
    stale = subprocess.run(
        [sys.executable, "-c", "import beside; print(beside.value())"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )

    assert stale.stdout == "old\n"
    assert project.stages()["stage"].code.keys() == before.code.keys()
    assert project.stages()["stage"].code != before.code


def test_a_load_writes_nothing_that_git_or_the_user_could_see(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "project", {"pipeline.py": STAGE.format(module="beside"), "beside.py": "value = str"})
    before = sorted(project.root.rglob("*"))
    project.load()

    state = project.context.project.layout.database_dir
    assert sorted(each for each in project.root.rglob("*") if not each.is_relative_to(state)) == before


# -- changes


@pytest.fixture
def module(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "module.py"
    file.write_text("x = 1\n")
    return file


def watch(*files: pathlib.Path) -> Changes:
    return Changes({str(file): digest_bytes(file.read_bytes()) for file in files})


def test_unchanged_files_are_not_found(module: pathlib.Path) -> None:
    changes = watch(module)
    os.utime(module)

    assert (changes.find(), changes.find()) == ([], [])


def test_edits_are_found_again_and_again(module: pathlib.Path) -> None:
    changes = watch(module)
    changes.find()
    module.write_text("x = 2\n")

    assert (changes.find(), changes.find()) == ([str(module)], [str(module)])
    module.write_text("x = 1\n")
    assert changes.find() == []


def test_files_with_the_stamp_of_their_content_are_not_read(module: pathlib.Path) -> None:
    changes = Changes({str(module): "another digest"}, {str(module): stamp(str(module))})

    assert changes.find() == []
    module.write_text("x = 2\n")
    assert changes.find() == [str(module)]


def test_deleted_files_are_found(module: pathlib.Path) -> None:
    changes = watch(module)
    module.unlink()

    assert changes.find() == [str(module)]


def test_an_edit_that_keeps_size_and_time_is_found(module: pathlib.Path) -> None:
    changes = watch(module)
    changes.find()
    before = module.stat()
    module.write_text("x = 2\n")
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert changes.find() == [str(module)]


def test_absent_files_are_found_when_they_appear(tmp_path: pathlib.Path) -> None:
    """A link that leads nowhere, or a directory, is still none, however often one looks."""
    for name in ("nothing", "link", "directory"):
        file = tmp_path / name
        if name == "link":
            file.symlink_to("nowhere")
        elif name == "directory":
            file.mkdir()
        changes = Changes({str(file): ABSENT})
        assert changes.find() == []
    (tmp_path / "nowhere").write_text("")
    assert Changes({str(tmp_path / "link"): ABSENT}).find() == [str(tmp_path / "link")]


def test_only_what_changed_is_found(module: pathlib.Path) -> None:
    other = module.with_name("other.py")
    other.touch()
    changes = watch(module, other)
    other.write_text("x")

    assert changes.find() == [str(other)]
