"""Results on disk."""

import os
import pathlib

import attrs
import pytest

from pivot_cache.state.results import RecordedStage, Result, Results, dumps, loads
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

DIGEST = "ab" * 16


def result(rate: float = 0.1, time: float = 0.0, seconds: float = 0.0) -> Result:
    stage = RecordedStage(
        lock=DIGEST,
        key=f"{int(rate * 10):032x}",
        code=DIGEST,
        params={"rate": rate},
        sources={ArtifactPath("raw.txt"): DIGEST},
        outs={ArtifactPath("model"): Artifact(DIGEST, 3, tree=True)},
    )
    return Result({"demo.train": stage}, {ArtifactPath("m.json"): {"accuracy": float("nan")}}, time, seconds)


def test_a_result_comes_back(tmp_path: pathlib.Path) -> None:
    results = Results(tmp_path / "results")
    assert results.read() == {}
    late, early = result(0.1, time=2.0), result(0.2, time=1.0, seconds=3.5)
    ids = [results.put(late), results.put(early)]
    found = results.read()
    assert list(found) == [ids[1], ids[0]]
    assert dumps(found[ids[0]]) == dumps(late)
    assert found[ids[1]].stages == early.stages
    assert [each.digest for each in found[ids[0]].artifacts()] == [DIGEST]
    assert results.put(result(0.1, time=3.0)) == ids[0]
    assert list(results.read()) == [ids[1], ids[0]]
    assert {name for name, _, _ in results.recent(0)} == set(ids)
    results.release(ids[0])
    assert [name for name, _, _ in results.recent(0)] == [ids[1]], "a released result keeps nothing"
    assert results.get(ids[0]) is not None
    results.put(late)
    assert {name for name, _, _ in results.recent(0)} == set(ids)
    assert list(results.recent(1 << 62)) == []
    results.remove(ids[0])
    results.remove(ids[0])
    results.release(ids[0])
    assert list(results.read()) == [ids[1]]


def test_texts_stay_while_a_result_needs_them(tmp_path: pathlib.Path) -> None:
    results = Results(tmp_path / "results")
    needed, other, new = (results.put_text(data) for data in (b"lock", b"gone", b"new"))
    assert results.put_text(b"lock") == needed
    for digest in (needed, other):
        os.utime(tmp_path / "results/texts" / digest[:2] / digest[2:], (0, 0))
    stage = result().stages["demo.train"]
    name = results.put(Result({"demo.train": attrs.evolve(stage, lock=needed)}))
    results.remove_texts()
    assert [results.text(digest) for digest in (needed, other, new)] == [b"lock", None, b"new"]
    (tmp_path / "results/texts" / needed[:2] / needed[2:]).write_bytes(b"damaged")
    assert results.text(needed) is None
    assert list(results.read()) == [name]


def test_stages_of_large_results_are_stored_in_shared_groups(tmp_path: pathlib.Path) -> None:
    one = result().stages["demo.train"]
    stages = {f"demo.s{number}": attrs.evolve(one, key=f"{number:032x}") for number in range(90)}
    results = Results(tmp_path / "results")
    first = results.put(Result(stages))
    before = set(tmp_path.rglob("*"))
    second = results.put(Result(stages | {"demo.s7": attrs.evolve(one, key=DIGEST)}))
    assert len([file for file in set(tmp_path.rglob("*")) - before if file.is_file()]) == 2

    found = Results(tmp_path / "results").read()
    assert set(found) == {first, second}
    assert found[first].stages == stages
    for text in tmp_path.glob("results/texts/??/*"):
        os.utime(text, (0, 0))
    results.remove(first)
    Results(tmp_path / "results").remove_texts()
    found = Results(tmp_path / "results").read()
    groups = found[second].groups
    assert len(list(tmp_path.glob("results/texts/??/*"))) == len(groups)

    group = tmp_path / "results/texts" / groups[1][:2] / groups[1][2:]
    for damage in (lambda: group.write_bytes(b"{}"), group.unlink):
        damage()
        assert Results(tmp_path / "results").read() == {}
        assert Results(tmp_path / "results").put(found[second]) == second
        assert list(Results(tmp_path / "results").read()) == [second]
    with pytest.raises(ValueError, match="not known"):
        loads(second, dumps(found[second], groups))


def test_what_is_no_result_is_skipped(tmp_path: pathlib.Path) -> None:
    results = Results(tmp_path)
    name = results.put(result())
    (file,) = tmp_path.glob("??/*")
    for text in (b"", b"{}", file.read_bytes().replace(b'"format":1', b'"format":9'), b"[" * 100_000):
        file.write_bytes(text)
        assert results.read() == {}
        assert list(results.recent(0)) == []
        with pytest.raises(ValueError):  # noqa: PT011  # each has another text
            loads(name, text)
    with pytest.raises(ValueError, match="something else"):
        loads("0" * 32, dumps(result()))
