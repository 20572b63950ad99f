"""A stage run on another machine survives the way there and back as JSON."""

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.cluster import task
from pivot_runtime.cluster.task import (
    InlineRoute,
    Refusal,
    RemoteRoute,
    SharedRoute,
    StageAnswer,
    StageTask,
    TaskError,
    TaskOut,
    TaskTemplate,
)
from pivot_runtime.executors.base import Failure, Finished
from pivot_runtime.freshness.load_trace import Fact, LoadTrace
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.tracing.usage import ResourceUsage, TraceOptions, UsedFiles

TEXT = st.text("ab.é\n\"\\'\udcff", max_size=5)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
PATHS = st.lists(st.sampled_from("abé "), min_size=1, max_size=3).map("/".join).map(ArtifactPath)
DIGESTS = st.sampled_from(["0" * 32, "f" * 32])
ARTIFACTS = st.dictionaries(
    PATHS, st.builds(Artifact, DIGESTS, st.integers(0, 9), st.booleans(), st.booleans()), max_size=2
)
OBJECTS = st.lists(st.binary(max_size=5), max_size=2).map(lambda each: {digest_bytes(data): data for data in each})
ROUTES = (
    st.builds(SharedRoute, TEXT, TEXT, TEXT)
    | st.builds(RemoteRoute, TEXT, TEXT, st.integers(1, 9), st.just(1.5))
    | st.builds(InlineRoute)
)
TEMPLATES = st.builds(
    TaskTemplate,
    TEXT,
    PATHS,
    DIGESTS,
    ROUTES,
    TEXTS,
    st.dictionaries(TEXT, st.none() | TEXT, max_size=2),
    st.builds(TraceOptions, st.booleans(), st.booleans()),
    st.booleans(),
    st.booleans(),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.booleans(),
)
TASKS = st.builds(
    StageTask,
    TEMPLATES,
    st.integers(0, 9),
    TEXT,
    DIGESTS,
    DIGESTS,
    ARTIFACTS,
    ARTIFACTS,
    st.lists(st.builds(TaskOut, PATHS, st.booleans(), st.booleans(), st.booleans()), max_size=2).map(tuple),
    TEXTS,
    st.booleans(),
    OBJECTS,
)
FINISHED = st.builds(
    Finished,
    TEXT,
    st.just(1.5),
    st.none() | st.builds(Failure, TEXT, TEXT, st.none() | TEXT),
    st.dictionaries(
        TEXT, st.builds(CodeEntry, DIGESTS, st.none() | st.builds(Location, TEXT, st.integers(0, 9))), max_size=2
    ),
    TEXTS,
    st.builds(UsedFiles, TEXTS, TEXTS, TEXTS, TEXTS),
    st.none() | st.builds(ResourceUsage, st.just(0.5), st.integers(0, 9)),
    TEXTS,
)
ANSWERS = st.builds(
    StageAnswer,
    st.integers(0, 9),
    TEXT,
    st.none() | st.builds(Refusal, st.just("load"), TEXT, TEXT, st.none() | TEXT, st.none() | st.just({"a": ["b"]})),
    st.none() | FINISHED,
    st.booleans(),
    ARTIFACTS,
    OBJECTS,
    st.binary(max_size=9),
)


@given(TASKS)
def test_a_task_comes_back_from_json(one: StageTask) -> None:
    assert StageTask.from_plain(task.parse(task.encode(one))) == one


@given(ANSWERS)
def test_an_answer_comes_back_from_json(one: StageAnswer) -> None:
    assert StageAnswer.from_plain(task.parse(task.encode(one))) == one


TEMPLATE = TaskTemplate("r", "pipeline.py", "0" * 32, InlineRoute(), environment={"TOKEN": "secret"})


@pytest.mark.parametrize(
    "change",
    [
        {"deps": {"../up": {"digest": "0" * 32, "size": 1, "executable": False}}},
        {"outs": [["/etc/passwd", False, True, True]]},
        {"file": "../pipeline.py"},
        {"objects": {"0" * 32: "AAAA"}},
        {"objects": {"0" * 32: "A"}},
        {"route": {"kind": "pigeon"}},
        {"deps": []},
        {"key": "../../x"},
        {"outs": [["a"]]},
    ],
)
def test_paths_outside_the_project_wrong_bytes_and_other_damage_are_refused(change: dict[str, Any]) -> None:
    plain = StageTask(TEMPLATE, 1, "p.s", "0" * 32, "0" * 32).to_plain()

    with pytest.raises(TaskError):
        StageTask.from_plain({**plain, **change})
    with pytest.raises(TaskError, match="is missing"):
        StageTask.from_plain({name: value for name, value in plain.items() if name != next(iter(change))})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"number": "1"}', b"[" * 100_000])
def test_other_data_are_no_message(data: bytes) -> None:
    with pytest.raises(TaskError):
        task.parse(data)


def test_an_answer_of_another_protocol_is_refused_but_for_what_its_worker_refuses() -> None:
    with pytest.raises(TaskError, match="protocol"):
        StageAnswer.from_plain({**StageAnswer(1, "w").to_plain(), "protocol": 0})
    refused = {"kind": "of old", "summary": "w has Pivot 0.1", "more": 1}
    answer = StageAnswer.from_plain({"protocol": 0, "number": 1, "worker": "w", "refused": refused, "finished": None})
    assert answer.refused is not None
    assert (answer.refused.kind, answer.refused.summary) == ("protocol", "w has Pivot 0.1")
    assert "install the same Pivot" in str(answer.refused.hint)


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(StageTask(TEMPLATE, 1, "p.s", "0" * 32, "0" * 32, objects={"0" * 32: b"secret"}))


def test_a_task_has_what_the_stage_declares_and_what_its_inputs_are() -> None:
    outs = (
        OutSpec(ArtifactPath("big.bin")),
        OutSpec(ArtifactPath("scores.json"), kind="metric"),
        OutSpec(ArtifactPath("here"), cache=False, directory=True),
    )
    spec = StageSpec("s", "p", "", Location("p.py", 1), outs=outs)
    inputs = Inputs(1, deps={ArtifactPath("a"): Artifact("0" * 32, 1)}, env={"B": "", "A": ""})
    made = TEMPLATE.task(7, spec, inputs, expected="0" * 32)

    assert (made.address, made.key, made.deps, made.variables) == ("p.s", inputs.key(), inputs.deps, ("A", "B"))
    assert {out.path: (out.directory, out.home) for out in made.outs} == {
        "big.bin": (False, False),
        "scores.json": (False, True),
        "here": (True, True),
    }
    assert made.publish
    assert json.loads(task.encode(made))["environment"] == {"TOKEN": "secret"}


@pytest.mark.parametrize(
    "change", [{"always": True}, {"ttl": 1.0}, {"outs": (OutSpec(ArtifactPath("a"), incremental=True),)}]
)
def test_a_result_of_a_time_or_of_an_earlier_result_is_not_for_others(change: dict[str, Any]) -> None:
    assert not task.is_published(StageSpec("s", "p", "", Location("p.py", 1), **change))


def test_variables_that_count_travel_and_those_of_the_machine_only_if_they_are_declared() -> None:
    facts = tuple(Fact("variable", name, "") for name in ("MODE", "HOME", "PATH", "PYTHONPATH", "UNSET"))
    spec = StageSpec("s", "p", "", Location("p.py", 1))
    stages = (LoadedStage(spec, {}, env={"TOKEN": "x", "PATH": "y"}),)
    loaded = Loaded(1, stages, {}, LoadTrace((*facts, Fact("file", "X", "")), (), (), "", ""))
    here = {"MODE": "fast", "HOME": "/home/me", "PATH": "/bin", "TOKEN": "t", "X": "x", "OTHER": "o"}

    assert task.environment_of(loaded, here) == {"MODE": "fast", "PATH": "/bin", "TOKEN": "t", "UNSET": None}


FINISHED_PLAIN: dict[str, Any] = StageAnswer(
    1, "w", None, Finished("p.s", 0.5, usage=ResourceUsage(0.5, 1))
).to_plain()["finished"]


OTHER_ENDS: list[dict[str, Any]] = [
    {"address": 1},
    {"seconds": float("nan")},
    {"seconds": float("inf")},
    {"seconds": -1},
    {"seconds": 10**400},
    {"usage": ["1", 2]},
    {"usage": [1]},
    {"failure": {"summary": "", "detail": 1, "hint": None}},
    {"observed": {"a": {"digest": "0"}}},
    {"incomplete": "abc"},
    {"left": [1]},
    {"seen": {"read": "abc", "wrote": [], "variables": [], "unseen": []}},
    {"seen": {}},
]


@pytest.mark.parametrize(
    "change",
    [
        {"worker": []},
        {"outs": {"../up": {"digest": "0" * 32, "size": 1, "executable": False}}},
        {"outs": {"a": {"digest": "../../x", "size": 1, "executable": False}}},
        {"outs": {"a": {"digest": "0" * 32, "size": -1, "executable": False}}},
        {"objects": {"0" * 32: "AAAA"}},
        {"log": 5},
        {"log": "AAAA"},
        {"log": base64.b64encode(zlib.compress(bytes(65 << 20))).decode()},
        {"refused": {"kind": "load", "summary": 1, "detail": "", "hint": None, "facts": None}},
        {"refused": {"kind": "load", "summary": "", "detail": "", "hint": None, "facts": ["a"]}},
        {"refused": {"kind": "load", "summary": "", "detail": "", "hint": None, "facts": {"code": {"a": 1}}}},
        {"refused": {}},
        {"finished": []},
        {"number": 2},
        *({"finished": {**FINISHED_PLAIN, **one}} for one in OTHER_ENDS),
    ],
)
def test_damaged_answers_are_refused(change: dict[str, Any]) -> None:
    plain = StageAnswer(1, "w").to_plain()

    with pytest.raises(TaskError):
        StageAnswer.from_plain({**plain, **change}, 1)
