"""``params.yaml``: which file gives which stage what."""

import os
import pathlib

import pytest

from pivot_core.params.overrides import ParamError
from pivot_runtime.definitions import params_file
from pivot_runtime.definitions.params import secret_digest
from pivot_runtime.errors import EngineError, YamlError

STAGES = [("demo", "train", True), ("demo", "eval@a", True), ("demo", "plot", False)]


def test_the_file_beside_the_pipeline_wins_over_that_at_the_root(tmp_path: pathlib.Path) -> None:
    beside = tmp_path / "sub"
    beside.mkdir()
    (tmp_path / "params.yaml").write_text("train: {rate: 1}\nother: {x: 1}\n")
    (beside / "params.yaml").write_text("\ndemo.train:\n  rate: 2\n")

    files = params_file.read(beside, tmp_path)
    files.check(STAGES)

    assert [dict(each.values) for each in files.layers("demo", "train")] == [{"rate": 1}, {"rate": 2}]
    assert files.layers("demo", "train")[1].place("rate") == "sub/params.yaml:3"
    assert list(files.sources) == [os.fspath(tmp_path / "params.yaml"), os.fspath(beside / "params.yaml")]


def test_more_specific_keys_win_inside_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "params.yaml").write_text("demo.eval@a: {x: 4}\neval@a: {x: 3}\neval: {x: 1}\ndemo.eval: {x: 2}\n")

    files = params_file.read(tmp_path, tmp_path)
    files.check(STAGES)

    assert [each.values["x"] for each in files.layers("demo", "eval@a")] == [1, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "train:\n"])
def test_nothing_gives_nothing(tmp_path: pathlib.Path, text: str) -> None:
    assert params_file.read(tmp_path, tmp_path).layers("demo", "train") == ()
    (tmp_path / "params.yaml").write_text(text)
    files = params_file.read(tmp_path, tmp_path)
    files.check(STAGES)

    assert all(not each.values for each in files.layers("demo", "train"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tran: {x: 1}", r"^params\.yaml:1: there is no stage 'tran'$", "did you mean train"),
        ("zzz: {x: 1}", r"there is no stage 'zzz'", "train, eval, eval@a"),
        ("train: {}\nplot: {x: 1}", r"^params\.yaml:2: stage 'plot' takes no parameters", "StageParams"),
    ],
)
def test_unknown_stages_are_named_with_their_line(tmp_path: pathlib.Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "params.yaml").write_text(text)

    with pytest.raises(ParamError, match=message) as caught:
        params_file.read(tmp_path, tmp_path).check(STAGES)

    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"- 1", "must be a mapping"), (b"train: 1", r"params\.yaml:1: 'train' must be"), (b"\xff", "not UTF-8")],
)
def test_invalid_params_files_are_refused(tmp_path: pathlib.Path, data: bytes, message: str) -> None:
    (tmp_path / "params.yaml").write_bytes(data)

    with pytest.raises(YamlError, match=message):
        params_file.read(tmp_path, tmp_path).check(STAGES)


def test_a_file_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "params.yaml").mkdir()

    with pytest.raises(EngineError, match=r"^params\.yaml cannot be read"):
        params_file.read(tmp_path, tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")

    with pytest.raises(EngineError, match="it is not a file"):
        params_file.read(tmp_path, tmp_path)


def test_a_secret_is_sealed_for_its_stage_and_name() -> None:
    sealed = [
        secret_digest("a.s", "x", '"k"'),
        secret_digest("a.s", "y", '"k"'),
        secret_digest("a.t", "x", '"k"'),
        secret_digest("a.s", "x", '"l"'),
    ]

    assert len(set(sealed)) == 4
    assert sealed[0] == secret_digest("a.s", "x", '"k"')
