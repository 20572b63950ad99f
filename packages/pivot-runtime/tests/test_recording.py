"""Recording of results: what a run has not changed is taken from the result of the last run, and is the same."""

import json
import pathlib

import attrs
import pytest
from workshop import Workshop

from pivot_cache.state.results import Result, Results
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Inputs, StageLock
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.results import recording

STAGES = 40
METRICS = frozenset({ArtifactPath("data/0.json"), ArtifactPath("data/20.json")})


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write("in.json", "1")
    for number in range(STAGES):
        shop.copying(f"s{number}", "in.json", f"data/{number}.json", lambda text: f"[{text}]")
    shop.run()
    return shop


def recorded(shop: Workshop, metrics: frozenset[ArtifactPath] = METRICS) -> tuple[Result, set[pathlib.Path]]:
    """The result of the last run, which is that of all locks, and the files that recording it has written."""
    files = set(shop.layout.results_dir.rglob("*"))
    with open_stores(shop.context) as stores:
        recording.record_run(stores, (f"p.{name}" for name in shop.pipeline.stages), metrics, seconds=1)
        result = Results(shop.layout.results_dir).get(shop.layout.last_result_file.read_text().split()[0])
        assert result is not None
        assert like(result) == like(recording.result_of(stores, locks(shop), metrics))
    return result, {file for file in shop.layout.results_dir.rglob("*") if file.is_file()} - files


def locks(shop: Workshop) -> dict[str, StageLock]:
    return {f"p.{name}": lock for name in shop.pipeline.stages if (lock := shop.lock(name)) is not None}


def like(result: Result) -> Result:
    return attrs.evolve(result, time=0, seconds=0)


def test_a_result_costs_what_has_changed(shop: Workshop) -> None:
    first, files = recorded(shop)
    assert len(files) == 1 + STAGES + len(first.groups) > STAGES + 2
    assert first.metrics == {ArtifactPath("data/0.json"): [1], ArtifactPath("data/20.json"): [1]}

    shop.versions["s20"] = 1
    shop.run()
    second, files = recorded(shop)
    assert (second.id != first.id, len(files)) == (True, 1 + 1 + 1)
    assert second.metrics == first.metrics

    shop.write("in.json", "2")
    shop.run()
    third, files = recorded(shop)
    assert len(files) == 1 + STAGES + len(third.groups)
    assert third.metrics == {ArtifactPath("data/0.json"): [2], ArtifactPath("data/20.json"): [2]}


def test_only_what_still_holds_is_taken_from_the_last_result(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(shop)
    computed = []
    made = recording.code_digest

    def counted(inputs: Inputs) -> str:
        computed.append(inputs)
        return made(inputs)

    monkeypatch.setattr(recording, "code_digest", counted)

    def count() -> int:
        computed.clear()
        recorded(shop)
        return len(computed) - len(shop.pipeline.stages)  # `result_of` computes all

    assert count() == 0
    shop.copying("writer", "other.json", "in.json")  # what it writes was source data of the others
    shop.write("other.json", "1")
    shop.run()
    assert count() == STAGES + 1
    assert count() == 0
    shop.layout.config_file.write_text("fingerprint.library_versions: minor\n")
    assert count() == STAGES + 1
    shop.layout.last_result_file.write_text("nonsense")
    assert count() == STAGES + 1
    assert count() == 0
    name = shop.layout.last_result_file.read_text().split()[0]
    file = shop.layout.results_dir / name[:2] / name[2:]
    group = json.loads(file.read_text())["stages"][0]
    (shop.layout.results_dir / "texts" / group[:2] / group[2:]).write_text("damaged")
    assert count() == STAGES + 1


def test_damaged_lock_files_are_left_out(shop: Workshop) -> None:
    recorded(shop)
    file = shop.layout.lock_file("p.s3")
    file.write_text("damaged")
    shop.layout.lock_file("p.s4").unlink()
    with open_stores(shop.context) as stores:
        recording.record_run(stores, ["p.s3", "p.s4", "p.s5"], METRICS, seconds=1)
    assert list(Results(shop.layout.results_dir).read().popitem()[1].stages) == ["p.s5"]
