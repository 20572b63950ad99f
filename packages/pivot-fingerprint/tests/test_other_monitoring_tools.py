"""Other monitoring tools, profilers and tracers work as before, and observations release everything."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from pivot_fingerprint import Observer

MONITORING = sys.monitoring
# Another tool's id, unless these very tests are measured by such a tool.
OTHER = next(number for number in (1, 2, 0) if MONITORING.get_tool(number) is None)
START = MONITORING.events.PY_START
PROJECT = "def f(x=0):\n    return g()\ndef g():\n    return 1\n"


@pytest.fixture
def project(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, ModuleType]]:
    root = write(PROJECT)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(os.fspath(root))
    yield root, importlib.import_module("pipeline")
    del sys.modules["pipeline"]


@contextmanager
def tool(number: int, *, every: bool = False) -> Iterator[list[str]]:
    """Another tool, with one event per code (like coverage) or one per call."""
    seen: list[str] = []

    def started(code: CodeType, _offset: int) -> object:
        if code.co_filename.endswith("pipeline.py"):
            seen.append(code.co_name)
        return None if every else MONITORING.DISABLE

    MONITORING.use_tool_id(number, "other")
    MONITORING.register_callback(number, START, started)
    MONITORING.set_events(number, START)
    try:
        yield seen
    finally:
        MONITORING.set_events(number, 0)
        MONITORING.register_callback(number, START, None)
        MONITORING.free_tool_id(number)


def names(observer: Observer) -> list[str]:
    return [ran.qualname for ran in observer.observed.ran]


def test_each_observation_starts_fresh(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    seen = []
    for _ in range(3):
        with Observer(root=root) as observer:
            module.f()
            module.f()
        seen.append(names(observer))

    assert seen == [["f", "g"]] * 3


def test_each_observation_starts_fresh_beside_another_tool(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    with tool(OTHER):
        seen = []
        for _ in range(3):
            with Observer(root=root) as observer:
                module.f()
            seen.append(names(observer))

    assert seen == [["f", "g"]] * 3


def test_observations_may_nest(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    with Observer(root=root) as outer:
        module.g()
        with Observer(root=root) as inner:
            module.f()

    assert names(outer) == names(inner) == ["f", "g"]


def test_a_tool_that_was_there_first_is_left_alone(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    with tool(OTHER) as once, tool(3, every=True) as each:
        module.g()
        with Observer(root=root) as observer:
            assert MONITORING.get_tool(4) == "pivot-fingerprint"
            module.f()
            module.f()
        module.f()

        assert MONITORING.get_tool(OTHER) == MONITORING.get_tool(3) == "other"
        assert MONITORING.get_events(OTHER) == START
    assert names(observer) == ["f", "g"]
    assert once == ["g", "f"]  # what it has disabled stays so
    assert each == ["g", *["f", "g"] * 3]


def test_everything_is_released(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    before = [MONITORING.get_tool(number) for number in range(6)]
    observer = Observer(root=root)
    with pytest.raises(TypeError), observer:
        module.f(1, 2, 3) if module.f() else None

    assert [MONITORING.get_tool(number) for number in range(6)] == before
    MONITORING.use_tool_id(3, "next")
    try:
        assert MONITORING.get_events(3) == 0
        assert MONITORING.register_callback(3, START, None) is None
        assert MONITORING.get_local_events(3, module.f.__code__) == 0
    finally:
        MONITORING.free_tool_id(3)
    assert names(observer) == ["f", "g"]


def test_a_missing_tool_is_reported(project: tuple[Path, ModuleType]) -> None:
    root, module = project
    with tool(3), tool(4), tool(5), Observer(root=root) as observer:
        module.f()

    assert observer.observed.ran == ()
    assert observer.observed.incomplete == ("no tool id of `sys.monitoring` was free: nothing was observed",)


def test_a_profiler_and_a_tracer_still_work(project: tuple[Path, ModuleType]) -> None:
    """Uses another process, since this one may already be measured."""
    root, _ = project
    script = (
        "import sys, pipeline, cProfile\nfrom pivot_fingerprint import Observer\n"
        "seen = []\n"
        "def note(frame, event, arg):\n"
        "    if frame.f_code.co_filename.endswith('pipeline.py') and event == 'call':\n"
        "        seen.append(frame.f_code.co_name)\n"
        "sys.setprofile(note)\nsys.settrace(note)\n"
        "with Observer(root='.') as observer:\n    pipeline.f()\n"
        "    assert sys.getprofile() is sys.gettrace() is note\n"
        "pipeline.f()\nsys.setprofile(None)\nsys.settrace(None)\n"
        "with Observer(root='.') as other:\n    profile = cProfile.Profile()\n    profile.runcall(pipeline.f)\n"
        "assert len(profile.getstats()) == 3, profile.getstats()\n"
        "print(seen, *([ran.qualname for ran in each.observed.ran] for each in (observer, other)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True, timeout=60
    )

    assert done.stdout.strip() == f"{['f', 'f', 'g', 'g'] * 2} ['f', 'g'] ['f', 'g']"


def test_a_prepared_observer_records_the_same(project: tuple[Path, ModuleType]) -> None:
    """User code that runs before the start is still recorded later."""
    root, module = project
    observer = Observer(root=root, is_user_code=lambda file: file.startswith(os.fspath(root)))
    observer.prepare()
    module.f()
    with observer:
        module.f()
    module.f()

    assert names(observer) == ["f", "g"]
    assert all(MONITORING.get_tool(number) is None for number in (3, 4, 5))


def test_a_prepared_observer_starts_in_each_forked_process(project: tuple[Path, ModuleType]) -> None:
    root, _ = project
    (root / "late.py").touch()
    script = f"""
import os, subprocess, sys
sys.path.insert(0, {os.fspath(root)!r})
import pipeline
from pivot_fingerprint import Observer
is_user = lambda file: file.startswith({os.fspath(root)!r})
for number in range(2):
    observer = Observer(root={os.fspath(root)!r}, is_user_code=is_user)
    observer.prepare()
    if os.fork() == 0:
        assert [sys.monitoring.get_tool(each) for each in (3, 4, 5)].count(None) == 2
        with observer:
            pipeline.f()
            import late
            subprocess.run([sys.executable, "-c", ""])
        found = observer.observed
        assert [ran.qualname for ran in found.ran] == ["<module>", "f", "g"], found
        assert any("Python program" in reason for reason in found.incomplete), found
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_end_of_the_interpreter_is_quiet() -> None:
    """By then, names of modules are gone, but audit events still occur."""
    script = (
        "import sys\nfrom pivot_fingerprint.runtime import program_hook\nprogram_hook.watch(print)\n"
        "class Late:\n    def __del__(self, audit=sys.audit):\n        audit('late')\n"
        "sys._late, sys.kept = Late(), program_hook\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr == ""
