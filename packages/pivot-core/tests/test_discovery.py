"""The project's root, its pipelines, and importing one: in a process of its own, as the host does."""

import os
import pathlib
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from pivot_core import discovery
from pivot_core.discovery import all_pipelines, find_pipeline, find_root, import_pipeline, pipelines_above
from pivot_core.errors import DiscoveryError
from pivot_core.files.paths import STATE_DIR
from pivot_core.pipeline import Pipeline

STAGE = """
from pivot_core.pipeline import Pipeline

def train() -> None: ...

pipeline = Pipeline("main")
pipeline.register(train)
"""


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    project = tmp_path / "project"
    (project / STATE_DIR).mkdir(parents=True)
    return project


def write(file: pathlib.Path, text: str) -> pathlib.Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def imported(file: pathlib.Path, root: pathlib.Path, then: str) -> str:
    """The output of a fresh process that imports a pipeline."""
    code = f"""
import pathlib, sys
from pivot_core.discovery import import_pipeline
from pivot_core.errors import DiscoveryError
file, root = map(pathlib.Path, sys.argv[1:])
{textwrap.dedent(then)}
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(file), str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


NAMES = "print([(found.name, list(found.stages)) for found in import_pipeline(file, root=root)])"


# -- the root


def test_root_is_where_the_state_directory_lies(root: pathlib.Path) -> None:
    inner = root / "etl" / "daily"
    inner.mkdir(parents=True)

    assert find_root(root) == find_root(inner) == root


def test_root_is_the_top_most_one(root: pathlib.Path) -> None:
    """Whatever directory of a project a command runs in, it is the same project."""
    inner = root / "vendored"
    (inner / STATE_DIR).mkdir(parents=True)

    assert find_root(inner) == root


def test_file_of_that_name_marks_no_root(tmp_path: pathlib.Path) -> None:
    (tmp_path / STATE_DIR).write_text("")

    with pytest.raises(DiscoveryError, match=r"no \.pivot/ directory here") as caught:
        find_root(tmp_path)
    assert "pivot init" in str(caught.value.hint)
    assert caught.value.exit_code == 2


# -- the pipeline's file


def test_nearest_pipeline_is_found(root: pathlib.Path) -> None:
    outer = write(root / "pipeline.py", STAGE)
    inner = write(root / "etl" / "pipeline.py", STAGE)
    (root / "etl" / "sql").mkdir()
    (root / "docs").mkdir()

    assert find_pipeline(root, root) == find_pipeline(root / "docs", root) == outer
    assert find_pipeline(root / "etl", root) == find_pipeline(root / "etl" / "sql", root) == inner


def test_pipeline_above_the_root_is_none_of_the_project(root: pathlib.Path) -> None:
    write(root.parent / "pipeline.py", STAGE)
    (root / "pipeline.py").mkdir()

    told = r"no pipeline\.py or pivot\.yaml between here and the project's root"
    with pytest.raises(DiscoveryError, match=told) as caught:
        find_pipeline(root, root)
    assert "pipeline.py" in str(caught.value.hint)


def test_search_ends_at_the_top_of_the_file_system(root: pathlib.Path) -> None:
    with pytest.raises(DiscoveryError):
        find_pipeline(pathlib.Path("/"), root)


# -- the import


def test_files_that_may_describe_what_writes_a_path_are_those_around_it(root: pathlib.Path) -> None:
    inner = write(root / "a/b/pivot.yaml", "")
    outer = write(root / "pipeline.py", STAGE)
    write(root / "c/pipeline.py", STAGE)

    assert list(pipelines_above("a/b/x/out.txt", root)) == [inner, outer]
    assert list(pipelines_above("a/b", root)) == [inner, outer]
    assert list(pipelines_above("a/out.txt", root)) == [outer]


def test_all_pipelines_are_those_that_are_the_projects_own(root: pathlib.Path) -> None:
    """Outer ones first, siblings by name."""
    wanted = [
        write(root / name, STAGE) for name in ("pipeline.py", "a/pipeline.py", "a/b/pivot.yaml", "c/d/pipeline.py")
    ]
    for name in (".hidden", "node_modules/x", "__pycache__", "ignored/deep", "venv/lib"):
        write(root / name / "pipeline.py", STAGE)
    write(root / "venv/pyvenv.cfg", "")
    write(root / "pyvenv.cfg", "")  # a project may be an environment itself
    (root / "link").symlink_to(root / "c", target_is_directory=True)
    (root / "closed").mkdir()
    (root / "e/pivot.yaml").mkdir(parents=True)

    with pytest.MonkeyPatch.context() as patch:
        scandir = os.scandir
        patch.setattr(os, "scandir", lambda at: raising(PermissionError) if str(at).endswith("closed") else scandir(at))
        assert list(all_pipelines(root, lambda path: path == "ignored/")) == wanted


def test_two_descriptions_of_one_directory_are_an_error(root: pathlib.Path) -> None:
    write(root / "pipeline.py", STAGE)
    write(root / "pivot.yaml", "")

    with pytest.raises(DiscoveryError, match=r"has both a pipeline\.py and a pivot\.yaml"):
        find_pipeline(root, root)
    with pytest.raises(DiscoveryError, match="has both"):
        list(all_pipelines(root))


def raising(error: type[Exception]) -> Any:
    raise error


def test_pipeline_is_a_real_module(root: pathlib.Path) -> None:
    """So that its functions can be found again by name, and pickled."""
    file = write(root / "pipeline.py", STAGE)
    then = """
    (found,) = import_pipeline(file, root=root)
    stage = found.stages["train"]
    import pipeline, pickle
    assert pipeline.train is stage.func is pickle.loads(pickle.dumps(stage.func))
    print(found.name, stage.func.__module__, pipeline.__file__ == str(file), stage.location)
    """

    assert imported(file, root, then) == f"main pipeline True {file}:4\n"


def test_modules_beside_the_file_and_packages_in_the_root_can_be_imported(root: pathlib.Path) -> None:
    file = write(root / "etl" / "pipeline.py", "import helpers, shared.names\n" + STAGE)
    write(root / "etl" / "helpers.py", "")
    write(root / "helpers.py", "raise RuntimeError('the wrong one')")
    write(root / "shared" / "names.py", "")

    assert imported(file, root, NAMES) == "[('main', ['train'])]\n"


def test_modules_beside_the_file_come_before_installed_ones(root: pathlib.Path) -> None:
    file = write(root / "pipeline.py", "import attrs\nassert attrs.MINE\n" + STAGE)
    write(root / "attrs.py", "MINE = True")

    assert (
        imported(file, root, f"import pivot_core.pipeline\ndel sys.modules['attrs']\n{NAMES}")
        == "[('main', ['train'])]\n"
    )


def test_directories_stand_on_the_path_once(root: pathlib.Path) -> None:
    file = write(root / "etl" / "pipeline.py", STAGE)
    then = """
    sys.path.append(str(root))
    import_pipeline(file, root=root)
    import_pipeline(file, root=root)
    print(sys.path[:2] == [str(file.parent), str(root)], sys.path.count(str(file.parent)), sys.path.count(str(root)))
    """

    assert imported(file, root, then) == "True 1 1\n"


def test_several_pipelines_of_one_file_keep_their_order(root: pathlib.Path) -> None:
    more = """
    def score() -> None: ...
    other = Pipeline("a_second")
    other.register(score)
    alias = pipeline
    """
    file = write(root / "pipeline.py", STAGE + textwrap.dedent(more))

    assert imported(file, root, NAMES) == "[('main', ['train']), ('a_second', ['score'])]\n"


def test_file_without_a_pipeline(root: pathlib.Path) -> None:
    file = write(root / "etl" / "pipeline.py", "from pivot_core.pipeline import Pipeline")
    then = """
    try:
        import_pipeline(file, root=root)
    except DiscoveryError as error:
        print(error, "|", error.hint)
    """

    assert imported(file, root, then) == (
        'etl/pipeline.py defines no pipeline | pipeline = pivot.Pipeline("name"), '
        "and pipeline.register(...) for each stage\n"
    )


def test_import_errors_are_passed_on_and_leave_no_partial_module(root: pathlib.Path) -> None:
    file = write(root / "pipeline.py", "ready = True\n1 / 0")
    then = """
    try:
        import_pipeline(file, root=root)
    except ZeroDivisionError as error:
        print(error.__traceback__.tb_next.tb_next.tb_frame is not None, "pipeline" in sys.modules)
    """

    assert imported(file, root, then) == "True False\n"


def test_failed_import_keeps_the_module_that_was_there(root: pathlib.Path) -> None:
    write(root / "a" / "pipeline.py", STAGE)
    file = write(root / "b" / "pipeline.py", "raise SystemExit(3)")
    then = """
    import_pipeline(root / "a" / "pipeline.py", root=root)
    first = sys.modules["pipeline"]
    try:
        import_pipeline(file, root=root)
    except SystemExit:
        print(sys.modules["pipeline"] is first)
    """

    assert imported(file, root, then) == "True\n"


def test_import_in_this_process(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same where it can be measured: three files, one after the other."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, discovery.MODULE_NAME, sys)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    good = write(root / "pipeline.py", STAGE + "alias = pipeline")
    broken = write(root / "b" / "pipeline.py", "print('seen')\n1 / 0")
    empty = write(root / "c" / "pipeline.py", "")

    with pytest.raises(ZeroDivisionError):
        import_pipeline(broken, root=root)
    assert sys.modules[discovery.MODULE_NAME] is sys
    assert capsys.readouterr().out == "seen\n"
    (found,) = import_pipeline(good, root=root)
    assert isinstance(found, Pipeline)
    with pytest.raises(DiscoveryError, match=r"^c/pipeline\.py defines no pipeline$"):
        import_pipeline(empty, root=root)
    monkeypatch.delitem(sys.modules, discovery.MODULE_NAME)
    with pytest.raises(ZeroDivisionError):
        import_pipeline(broken, root=root)
    assert discovery.MODULE_NAME not in sys.modules


def test_file_that_is_not_python_source(root: pathlib.Path) -> None:
    with pytest.raises(DiscoveryError, match="cannot be imported"):
        import_pipeline(root / "pipeline.yaml", root=root)
