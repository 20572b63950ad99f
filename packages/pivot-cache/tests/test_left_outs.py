"""Which outs runs have left on a cluster."""

import pathlib

import pytest

from pivot_cache.errors import CacheError
from pivot_cache.layout import Layout
from pivot_cache.state import left_outs
from pivot_core.files.paths import ArtifactPath

A, B = ArtifactPath("a"), ArtifactPath("b/\n\u20ac")


def test_they_are_noted_and_forgotten_when_they_are_here(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    left_outs.prune(layout)
    assert left_outs.read(layout) == {}
    with pytest.raises(CacheError):
        left_outs.add(layout, {A: ("1", False)})
    layout.database_dir.mkdir(parents=True)
    left_outs.add(layout, {})
    assert not layout.left_outs_file.exists()

    left_outs.add(layout, {A: ("1", False), B: ("2", True)})
    left_outs.add(layout, {A: ("3", False)})
    assert left_outs.read(layout) == {A: ("3", False), B: ("2", True)}
    with layout.left_outs_file.open("a") as file:
        file.write('[1, "2", true]\n{}\n["a", "b"')  # a killed writer
    left_outs.add(layout, {ArtifactPath("c"): ("4", False)})
    found = left_outs.read(layout)
    assert found == {A: ("3", False), B: ("2", True), "c": ("4", False)}

    (tmp_path / "b").mkdir()
    (tmp_path / B).symlink_to("nowhere")
    left_outs.prune(layout)
    assert left_outs.read(layout).keys() == {A, "c"}
    written = layout.left_outs_file.stat().st_ino
    left_outs.prune(layout)
    assert layout.left_outs_file.stat().st_ino == written
    (tmp_path / "a").mkdir()
    (tmp_path / "c").touch()
    left_outs.prune(layout)
    assert not layout.left_outs_file.exists()
