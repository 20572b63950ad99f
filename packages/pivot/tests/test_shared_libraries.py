"""Libraries are imported once for several pipelines, and once for all rounds of watch."""

import contextlib
import os
import pathlib
import signal
from collections.abc import Callable

import pytest
from harness import Project
from test_watch import Watching, save

LIBRARY = """\
import os
import time

end = time.monotonic() + 0.11
while time.monotonic() < end:
    pass
with open(os.environ["COUNTED"], "a") as file:
    file.write("imported\\n")
"""
PIPELINE = """\
from typing import Annotated

import slow_library
import pivot

pipeline = pivot.Pipeline("{name}")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return "x"
"""


class Counted:
    """The environment with an installed library, whose imports are counted."""

    def __init__(self, place: pathlib.Path) -> None:
        site = place / "site-packages"
        site.mkdir()
        (site / "slow_library.py").write_text(LIBRARY)
        self._file = place / "counted"
        self.environment = {"PYTHONPATH": str(site), "COUNTED": str(self._file)}

    def take(self) -> int:
        """How often it was imported since the last call."""
        if not self._file.exists():
            return 0
        count = len(self._file.read_text().splitlines())
        self._file.unlink()
        return count


@pytest.fixture
def counted(tmp_path: pathlib.Path) -> Counted:
    return Counted(tmp_path)


def test_several_pipelines_share_the_import_of_a_library(make: Callable[[str], Project], counted: Counted) -> None:
    """In the first run, from the text of the pipelines; in later ones, from what they imported before."""
    project = make(PIPELINE.format(name="one"))
    project.write("two/pipeline.py", PIPELINE.format(name="two"))
    project.write("three/pipeline.py", PIPELINE.format(name="three").replace("import slow_library\n", ""))
    project.pivot("repro", "--all", env=counted.environment)
    assert counted.take() == len(("one", "two"))  # the third one does without, so the others do not share it

    (project.root / "three/pipeline.py").unlink()
    for edit in ("y", "z"):
        for name in ("pipeline.py", "two/pipeline.py"):
            project.replace(name, f'"{"x" if edit == "y" else "y"}"', f'"{edit}"')
        project.pivot("repro", "--all", env=counted.environment)

        assert counted.take() == 1
        assert project.read("two/out.txt") == edit


def test_stages_are_spawned_with_libraries_of_their_own(make: Callable[[str], Project], counted: Counted) -> None:
    project = make(PIPELINE.format(name="one"))
    project.write("two/pipeline.py", PIPELINE.format(name="two"))
    project.pivot("config", "set", "worker.start", "spawn")
    project.pivot("list", "--all", env=counted.environment)

    assert counted.take() == len(("one", "two"))


def test_a_pipeline_that_is_followed_shares_what_the_first_one_imported(
    make: Callable[[str], Project], counted: Counted
) -> None:
    project = make(PIPELINE.format(name="one"))
    project.replace(
        "pipeline.py", "stage()", 'stage(x: Annotated[str, pivot.Dep("two/out.txt", pivot.loaders.Text())])'
    )
    project.write("two/pipeline.py", PIPELINE.format(name="two"))
    project.pivot("repro", env=counted.environment)
    assert counted.take() == len(("one", "two"))

    for name in ("pipeline.py", "two/pipeline.py"):
        project.replace(name, '"x"', '"y"')
    project.pivot("repro", env=counted.environment)

    assert counted.take() == 1
    assert project.read("two/out.txt") == "y"


@pytest.mark.parametrize("found", ["imported", "known"])
def test_watch_imports_libraries_once_for_all_rounds(
    make: Callable[[str], Project], counted: Counted, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    """After the first round, also where that imported nothing."""
    for name, value in counted.environment.items():
        monkeypatch.setenv(name, value)
    project = make(PIPELINE.format(name="one").replace("import pivot\n", "import mine\nimport pivot\n"))
    project.replace("pipeline.py", '"x"', "mine.VALUE")
    project.write("mine.py", "VALUE = 'x'\n")
    if found == "known":
        project.pivot("repro", env=counted.environment)
        assert counted.take() == 1
    with contextlib.closing(Watching(project)) as watching:
        watching.round()
        for edit in ("y", "z"):
            save(project, "mine.py", f"VALUE = '{edit}'\n")
            watching.round()
            assert project.read("out.txt") == edit

    assert counted.take() == (1 if found == "known" else len(("first round", "prepared")))


def test_watch_goes_on_when_the_process_with_the_libraries_is_killed(
    make: Callable[[str], Project], counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in counted.environment.items():
        monkeypatch.setenv(name, value)
    project = make(PIPELINE.format(name="one").replace("import slow_library\n", "import slow_library, mine\n"))
    project.replace("pipeline.py", '"x"', "mine.VALUE")
    project.write("mine.py", "import os\nopen('parent', 'w').write(str(os.getppid()))\nVALUE = 'x'\n")
    with contextlib.closing(Watching(project)) as watching:
        watching.round()
        save(project, "mine.py", project.read("mine.py").replace("'x'", "'y'"))
        watching.round()
        os.kill(int(project.read("parent")), signal.SIGKILL)
        save(project, "mine.py", project.read("mine.py").replace("'y'", "'z'"))
        watching.round()

    assert project.read("out.txt") == "z"
