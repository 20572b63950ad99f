"""Which stages are run once more, for how long a result is about a stage, and what a copy of a project holds."""

import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_projects import Sources

from pivot_cache.layout import Layout
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs, StageLock
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.history import stage_stats
from pivot_runtime.inspecting.rerun import DIFFERS, Rerun, sample
from pivot_runtime.inspecting.scratch import InputGoneError, open_scratch

stages = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=6)


@given(stages, st.integers(1, 100))
def test_a_part_is_never_empty_and_keeps_the_order(addresses: list[str], percent: int) -> None:
    some = sample(addresses, percent, {})

    assert [each for each in addresses if each in some] == list(some)
    assert bool(some) == bool(addresses)
    assert len(some) * 100 >= len(addresses) * percent > (len(some) - 1) * 100 or not addresses


@given(stages, st.integers(1, 100))
def test_after_some_rounds_every_stage_has_had_its_turn(addresses: list[str], percent: int) -> None:
    known: dict[str, dict[str, dict[str, float]]] = {}
    for turn in range(1, 101):
        for address in sample(addresses, percent, known):
            known[address] = {stage_stats.RERUN: {"time": float(turn)}}

    assert known.keys() == set(addresses)


def test_a_result_is_about_the_state_that_it_was_taken_of() -> None:
    path = ArtifactPath("out")
    lock = StageLock(Inputs(1), {path: Artifact("a" * 32, 1)})
    known = {
        stage_stats.SECONDS: 1.0,
        stage_stats.RERUN: stage_stats.bound_to(lock, Rerun("p.s", DIFFERS, "out in line 1").to_stats()),
    }

    assert stage_stats.valid_stats(lock, known) == known
    for other in [None, StageLock(Inputs(2), lock.outs), StageLock(Inputs(1), {path: Artifact("b" * 32, 1)})]:
        assert stage_stats.valid_stats(other, known) == {stage_stats.SECONDS: 1.0}


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    files = {
        "pipeline.py": "import lib\npipeline.register\nTEXT = open('read.txt').read()\n",
        "lib/__init__.py": "",
        "late.py": "",
        "read.txt": "at import",
        "data.csv": "data",
        "ignored/x.py": "",
        "env/pyvenv.cfg": "",
        "env/lib/x.py": "",
        ".git/x.py": "",
        ".pivotignore": "ignored/\n",
    }
    return Sources(tmp_path / "project", files)


def names(root: pathlib.Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def test_a_copy_has_what_a_pipeline_is_made_of_and_no_data(project: Sources) -> None:
    with open_stores(project.context) as stores, open_scratch(stores) as copy:
        copy.copy_sources([project.load()])
        root = copy.root
        assert names(root) == {"pipeline.py", "lib/__init__.py", "late.py", "read.txt"}
    assert not root.exists()


def test_inputs_come_from_the_cache_or_else_as_they_are_if_they_are_as_they_were(project: Sources) -> None:
    with open_stores(project.context) as stores, open_scratch(stores) as copy:
        path = ArtifactPath("data.csv")
        before = stores.look(path)
        assert before is not None
        copy.place_inputs({path: before})
        assert (copy.root / path).read_text() == "data"

        project.write("data.csv", "other")
        with pytest.raises(InputGoneError):
            copy.place_inputs({path: before})
        project.write("data.csv", "data")
        stores.ingest(project.root / path)
        project.write("data.csv", "other")
        copy.place_inputs({path: before})
        assert (copy.root / path).read_text() == "data"
        copy.clear([path])
        assert names(copy.root) == set()


def test_leftovers_of_a_killed_process_are_removed(project: Sources) -> None:
    home = Layout(project.root).database_dir / "rerun"
    (home / "999999999" / "deep").mkdir(parents=True)
    (home / str(os.getppid())).mkdir()
    with open_stores(project.context) as stores, open_scratch(stores):
        assert set(os.listdir(home)) == {str(os.getpid()), str(os.getppid())}
