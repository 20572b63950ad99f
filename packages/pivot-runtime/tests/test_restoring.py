"""Refusals of a checkout."""

import os
import pathlib

import pytest

from pivot_core.files.paths import ArtifactPath
from pivot_runtime.artifacts import checkout, stores
from pivot_runtime.context import CommandContext
from pivot_runtime.project.project import init


@pytest.mark.parametrize("folding", [False, True])
def test_two_paths_that_are_one_on_this_file_system_are_not_restored(tmp_path: pathlib.Path, *, folding: bool) -> None:
    init(tmp_path)
    with stores.open_stores(CommandContext.find(tmp_path, os.environ)) as opened:
        wanted = {}
        for name in ("Data.csv", "data.csv", "other"):
            (tmp_path / "source").write_text(name)
            wanted[ArtifactPath(name)] = opened.ingest(tmp_path / "source")
        under_test = checkout._Checkout(opened, checkout.CheckoutOptions(), (), lambda _: folding)  # the probe
        done = under_test.run(wanted)

    assert (tmp_path / "other").read_text() == "other"
    assert set(done.failed) == ({"Data.csv", "data.csv"} if folding else set())
    if folding:
        assert "the same name as data.csv" in done.failed[ArtifactPath("Data.csv")]
        assert not (tmp_path / "Data.csv").exists()
