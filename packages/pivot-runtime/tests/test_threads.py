"""Which threads keep a process from being forked, and that this is reported once for each pipeline."""

import pathlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.layout import Layout
from pivot_runtime.processes import live_threads
from pivot_runtime.project.spawned_pipelines import SpawnedPipelines


def test_running_threads_are_named_with_their_origin(tmp_path: pathlib.Path) -> None:
    before = live_threads.count()
    over = threading.Event()
    starts = live_threads.ThreadStarts(lambda file: file == __file__)
    thread = threading.Thread(target=over.wait, name="mine")
    starts.note(thread.run, depth=1)
    thread.start()
    try:
        assert live_threads.count() == before + 1
        told = live_threads.describe_others(starts, str(pathlib.Path(__file__).parent))
        (mine,) = (each for each in told if each.startswith("mine"))
        assert mine.startswith(f"mine, started at {pathlib.Path(__file__).name}:")
    finally:
        over.set()
        thread.join()
    strange = live_threads.ThreadStarts(lambda _: False)
    strange.note(print, depth=1)
    strange.note(thread.run, depth=1)
    assert strange.describe(thread, str(tmp_path)) == "mine"


@given(st.lists(st.tuples(st.sampled_from(["a.py", "b/pipeline.yaml"]), st.lists(st.text(max_size=3), max_size=2))))
def test_each_pipeline_is_news_once_until_it_has_no_threads(
    tmp_path_factory: pytest.TempPathFactory, looks: list[tuple[str, list[str]]]
) -> None:
    layout = Layout(tmp_path_factory.mktemp("project"))
    told: set[str] = set()
    for file, threads in looks:
        assert SpawnedPipelines(layout).found(file, threads) == (bool(threads) and file not in told)
        told = told | {file} if threads else told - {file}
        assert SpawnedPipelines(layout).known().keys() == told


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a.py": 3}', "\0"])
def test_a_damaged_record_is_reported_again(tmp_path: pathlib.Path, damage: str) -> None:
    layout = Layout(tmp_path)
    layout.database_dir.mkdir(parents=True)
    (layout.database_dir / "threads.json").write_text(damage)
    assert SpawnedPipelines(layout).known() == {}
    assert SpawnedPipelines(layout).found("a.py", ["mine"])
    assert not SpawnedPipelines(layout).found("a.py", ["mine", "other"])
