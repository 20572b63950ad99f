"""The record of stage runs that a killed command has sent."""

import pathlib

from pivot_cache.layout import Layout
from pivot_core.files.digest import digest_bytes
from pivot_runtime.cluster import sent_runs


def test_keys_last_until_a_command_ends_by_itself(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    layout.database_dir.mkdir(parents=True)
    first, second = digest_bytes(b"1"), digest_bytes(b"2")
    sent_runs.add(layout, [first])
    sent_runs.add(layout, [second, first])

    assert sent_runs.read(layout) == [first, second]

    sent_runs.clear(layout)
    assert sent_runs.read(layout) == []


def test_damage_and_missing_directories_cost_only_the_keys(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    sent_runs.add(layout, [digest_bytes(b"1")])
    sent_runs.clear(layout)

    assert sent_runs.read(layout) == []

    layout.database_dir.mkdir(parents=True)
    layout.sent_runs_file.write_bytes(b"\xff\n" + digest_bytes(b"2").encode() + b"\n../x\n12")
    assert sent_runs.read(layout) == [digest_bytes(b"2")]
