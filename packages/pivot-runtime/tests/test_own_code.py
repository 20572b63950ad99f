"""Pivot's own code is distinguished from the user's by its package, at any depth below it."""

import os
import pathlib
import sys

import pytest

import pivot_core
import pivot_fingerprint
import pivot_runtime
from pivot_runtime.definitions.source_import import user_code_predicate
from pivot_runtime.history.logs import Frames
from pivot_runtime.tracing import environ
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import failure

HERE = "/home/me/project/pipeline.py"


def below(package: object, *parts: str) -> str:
    """The file of a module that is in a room of a package."""
    (place,) = package.__path__  # type: ignore[attr-defined]
    return os.path.join(place, *parts)


OWN = [
    below(pivot_runtime, "_worker.py"),
    below(pivot_runtime, "worker", "call.py"),
    below(pivot_core, "pipeline.py"),
    below(pivot_core, "stages", "call.py"),
]
own_files = pytest.mark.parametrize("file", OWN, ids=lambda file: os.path.relpath(file, pathlib.Path(file).parents[2]))


def raised_through(file: str) -> ValueError:
    """An error of the user's that has come through a function of another file."""
    user: dict[str, object] = {}
    exec(compile("def stage():\n    raise ValueError('no')\n", HERE, "exec"), user)
    ours: dict[str, object] = {"stage": user["stage"]}
    exec(compile("def call():\n    stage()\n", file, "exec"), ours)
    try:
        ours["call"]()  # type: ignore[operator]
    except ValueError as error:
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    raise AssertionError


@own_files
def test_a_traceback_begins_where_the_users_code_does(file: str) -> None:
    text = failure.format_user_traceback(raised_through(file))

    assert file not in text
    assert HERE in text


def test_a_traceback_keeps_what_only_looks_like_our_own() -> None:
    file = f"{below(pivot_runtime)[:-1]}_plugin/call.py"

    assert file in failure.format_user_traceback(raised_through(file))


@own_files
def test_no_frame_of_ours_is_a_users(file: str) -> None:
    assert not user_code_predicate()(file)


@pytest.mark.parametrize("package", [pivot_core, pivot_fingerprint, pivot_runtime], ids=lambda each: each.__name__)
def test_a_variable_that_we_ask_for_is_none_of_the_stages(package: object) -> None:
    assert below(package, "room", "module.py").startswith(environ.code_directories().own)


def test_our_own_frames_of_a_crash_are_not_shown() -> None:
    crash = [
        "Current thread 0x1 (most recent call first):",
        f'  File "{HERE}", line 3 in stage',
        '  File "/venv/pivot_core/loaders.py", line 7 in load',
        '  File "/venv/pivot_core/stages/pipeline.py", line 7 in call',
        '  File "/venv/pivot_runtime/worker/call.py", line 7 in execute',
        '  File "/venv/pivot_runtime/worker/stage_main.py", line 7 in run',
        '  File "<string>", line 1 in <module>',
    ]

    assert list(filter(Frames().is_users, crash)) == crash[:3]


def test_modules_started_in_other_interpreters_are_found(tmp_path: pathlib.Path) -> None:
    also = StageTracer(TraceOptions(), root=str(tmp_path), declared=(), spool=str(tmp_path / "spool")).companion

    __import__(also.module)
    assert callable(getattr(sys.modules[also.module], also.function))
