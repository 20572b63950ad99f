"""Modules are compiled once, and code from elsewhere is never run."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from source_projects import Sources

from pivot_runtime.definitions import code_cache
from pivot_runtime.definitions.code_cache import CodeCache

CODE = compile("x = 1", "m.py", "exec")
OTHER = compile("x = 2", "m.py", "exec")
KEY = bytes(20)


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    """A cache's directory that holds ``CODE`` under ``KEY``."""
    CodeCache(tmp_path / "compiled").put(KEY, CODE)
    return tmp_path / "compiled"


def kept(directory: pathlib.Path) -> pathlib.Path:
    return directory / KEY.hex()


def test_another_process_finds_the_code(directory: pathlib.Path) -> None:
    assert CodeCache(directory).get(KEY) == CODE
    assert CodeCache(directory).get(bytes(19) + b"x") is None


def test_only_the_user_can_read_and_write_it(directory: pathlib.Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    assert kept(directory).stat().st_mode & 0o777 == 0o600


def test_new_code_replaces_what_was_there(directory: pathlib.Path) -> None:
    CodeCache(directory).put(KEY, OTHER)
    assert CodeCache(directory).get(KEY) == OTHER


def test_a_directory_that_was_copied_here_is_not_trusted(directory: pathlib.Path) -> None:
    shutil.copytree(directory, directory.with_name("copy"))
    assert CodeCache(directory.with_name("copy")).get(KEY) is None


def test_a_directory_in_which_others_can_write_is_not_trusted(directory: pathlib.Path) -> None:
    directory.chmod(0o770)
    CodeCache(directory).put(KEY, OTHER)
    assert CodeCache(directory).get(KEY) is None

    directory.chmod(0o700)
    assert CodeCache(directory).get(KEY) == CODE


def test_code_of_another_key_is_not_used(directory: pathlib.Path) -> None:
    other = bytes(19) + b"x"
    kept(directory).rename(directory / other.hex())
    assert CodeCache(directory).get(other) is None


@pytest.mark.parametrize("content", [b"", b"short", bytes(200)])
def test_damaged_code_counts_as_absent_and_is_replaced(directory: pathlib.Path, content: bytes) -> None:
    kept(directory).write_bytes(content)
    assert CodeCache(directory).get(KEY) is None

    CodeCache(directory).put(KEY, CODE)
    assert CodeCache(directory).get(KEY) == CODE


def test_neither_links_nor_pipes_are_followed(directory: pathlib.Path, tmp_path: pathlib.Path) -> None:
    kept(directory).rename(tmp_path / "elsewhere")
    kept(directory).symlink_to(tmp_path / "elsewhere")
    assert CodeCache(directory).get(KEY) is None

    kept(directory).unlink()
    os.mkfifo(kept(directory))
    assert CodeCache(directory).get(KEY) is None
    CodeCache(directory).put(KEY, CODE)
    assert CodeCache(directory).get(KEY) == CODE


def test_no_project_is_created_by_keeping_code(tmp_path: pathlib.Path) -> None:
    CodeCache(tmp_path / ".pivot/state.db/compiled").put(KEY, CODE)
    assert not list(tmp_path.iterdir())


def test_the_older_half_is_removed_when_there_are_too_many(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_cache, "_MOST", 3)
    for number in range(4):
        CodeCache(tmp_path).put(bytes([number]), CODE)
        os.utime(tmp_path / bytes([number]).hex(), ns=(number, number))

    CodeCache(tmp_path).put(KEY, CODE)
    assert sorted(os.listdir(tmp_path)) == sorted([KEY.hex(), "02", "03"])


def test_keys_differ_by_source_path_and_options(tmp_path: pathlib.Path) -> None:
    program = f"""if True:
        import pathlib
        from pivot_runtime.definitions.code_cache import CodeCache
        print(CodeCache(pathlib.Path({os.fspath(tmp_path)!r})).key(b"x", "a").hex())
    """
    keys = {
        subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=True).stdout
        for options in ([], ["-O"], ["-X", "no_debug_ranges"], ["-B"])
    }
    cache = CodeCache(tmp_path)
    assert len(keys) == 3
    assert cache.key(b"x", "a").hex() in {key.strip() for key in keys}
    assert len({cache.key(*each) for each in ((b"x", "a"), (b"y", "a"), (b"x", "b"), (b"", "ax"))}) == 4


# -- in a load

PIPELINE = """
import helper

@pipeline.register
def stage() -> Annotated[str, Out("out.txt", Text())]:
    return helper.VALUE
"""


def values(project: Sources) -> str:
    """The digest of the value of `helper.VALUE`, as the load found it."""
    return project.stages()["stage"].code["const:helper:VALUE"].digest


def test_a_load_runs_code_that_an_earlier_load_compiled(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "project", {"pipeline.py": PIPELINE, "helper.py": "VALUE = 'source'\n"})
    from_source = values(project)
    file = project.root / "helper.py"
    cache = CodeCache(project.context.project.layout.compiled_dir)
    found = {key: cache.get(key) for key in map(bytes.fromhex, os.listdir(project.context.project.layout.compiled_dir))}
    assert sorted(os.path.basename(code.co_filename) for code in found.values() if code) == ["helper.py", "pipeline.py"]
    for key, code in found.items():
        if code is not None and code.co_filename == str(file):
            cache.put(key, compile("VALUE = 'cache'\n", str(file), "exec"))

    assert values(project) != from_source
    file.write_text("VALUE = 'edited'\n")
    edited = values(project)
    file.write_text("VALUE = 'source'\n# \n")
    assert len({values(project), edited}) == 2
    assert values(project) == from_source


def test_code_that_warns_is_compiled_each_time(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "helper.py"
    program = """if True:
        import pathlib, sys
        from pivot_runtime.definitions import source_import
        from pivot_runtime.definitions.code_cache import CodeCache
        source_import.import_from_source(lambda file: "helper" in file, {}, CodeCache(pathlib.Path("compiled")))
        import helper
        print(helper.VALUE)
    """

    def imported() -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    for _ in range(2):
        file.write_text("VALUE = '\\d'\n")
        told = imported()
        assert told.stdout == "\\d\n"
        assert told.stderr.count("SyntaxWarning") == 1
    file.write_text("VALUE = 1 +\n")
    told = imported()
    assert told.stderr.rstrip().endswith("SyntaxError: invalid syntax")
    assert "source_import.py" not in told.stderr.partition("helper.py")[2]
    assert not (tmp_path / "compiled").exists()
