"""The file by which workers recognise a shared cache."""

import os
import pathlib
import time

from pivot_cache.layout import Layout
from pivot_runtime.cluster.cache_probe import CacheProbe


def test_it_is_there_during_a_run_whoever_removes_it_and_old_ones_of_others_go(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    left, other = layout.probe_file("left"), layout.probe_file("other")
    left.parent.mkdir(parents=True)
    for file in (left, other):
        file.write_text("x")
    os.utime(left, (0, time.time() - 31 * 24 * 3600))

    probe = CacheProbe(layout, "run")
    assert not probe.file.exists()
    probe.write()
    probe.file.unlink()
    probe.write()
    assert probe.file.read_text() == probe.token
    assert sorted(file.name for file in left.parent.iterdir()) == ["other", "run"]
    os.utime(probe.file, (0, 0))
    probe.write()
    assert time.time() - probe.file.stat().st_mtime < 24 * 3600

    probe.remove()
    probe.remove()
    assert list(left.parent.iterdir()) == [other]


def test_the_group_of_a_shared_cache_may_read_it_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2775)
    before = os.umask(0o077)
    try:
        probe = CacheProbe(Layout(shared, shared), "run")
        probe.write()
    finally:
        os.umask(before)

    assert probe.file.stat().st_mode & 0o7777 == 0o640
    assert probe.file.parent.stat().st_mode & 0o7777 == 0o2770
