"""The stages that are known without importing anything: last loaded, or locked; damage costs completions only."""

import pathlib

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.project import stage_index


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    (tmp_path / ".pivot/stages").mkdir(parents=True)
    for name in ("pipeline.py", "sub/pivot.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return Layout(tmp_path)


def test_loaded_stages_are_known_by_file(layout: Layout) -> None:
    stage_index.remember(layout, {"pipeline.py": ["p.a", "p.b"]})
    stage_index.remember(layout, {"sub/pivot.yaml": ["s.x"]})
    stage_index.remember(layout, {"pipeline.py": ["p.b"]})
    assert stage_index.known(layout.root) == ["p.b", "s.x"]

    (layout.root / "sub/pivot.yaml").unlink()
    assert stage_index.known(layout.root) == ["p.b"]


def test_locks_tell_of_pipelines_that_were_not_loaded_here(layout: Layout) -> None:
    for name in ("p.gone", "other.one"):
        layout.lock_file(name).touch()
    assert stage_index.known(layout.root) == ["other.one", "p.gone"]
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    assert stage_index.known(layout.root) == ["other.one", "p.a"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"pipeline.py": 3, "x": [1]}', b"\xff"])
def test_a_damaged_file_is_written_again(layout: Layout, content: bytes) -> None:
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    (layout.database_dir / "stages.json").write_bytes(content)
    assert stage_index.known(layout.root) == []
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    assert stage_index.known(layout.root) == ["p.a"]


def test_an_unwritable_file_is_no_error(layout: Layout) -> None:
    layout.database_dir.touch()
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    assert stage_index.known(layout.root) == []


def test_nothing_is_written_where_nothing_is_new(layout: Layout) -> None:
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    file = layout.database_dir / "stages.json"
    before = file.stat().st_ino
    stage_index.remember(layout, {"pipeline.py": ["p.a"]})
    assert file.stat().st_ino == before
