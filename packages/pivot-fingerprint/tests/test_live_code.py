"""With the code objects that live in a process, an observation sees the same, and no other code gets events."""

import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot_fingerprint import Observer
from pivot_fingerprint.observation import LiveCode
from pivot_fingerprint.runtime import monitoring_tool

MONITORING = sys.monitoring
USERS = "/users/code.py"
STARTS = MONITORING.events.PY_START | MONITORING.events.PY_RESUME
PROJECT = """
import contextlib, subprocess, sys, types

class A:
    def method(self):
        return [each for each in self.numbers()]
    def numbers(self):
        yield from range(2)

@contextlib.contextmanager
def opened():
    try:
        yield
    finally:
        closed()

def closed():
    pass

def replaced():
    pass

def unused():
    pass

def stage():
    A().method()
    made = compile("def made():\\n    pass\\nmade()", __file__, "exec")
    for _ in range(2):
        exec(made)
    exec("def text():\\n    pass\\ntext()")
    types.FunctionType(closed.__code__.replace(co_name="copied", co_qualname="copied"), globals())()
    replaced.__code__ = (lambda: None).__code__
    replaced()
    import late
    late.late()
    held.__exit__(None, None, None) if PLAIN else held.gen.throw(KeyError)

held = opened()
held.__enter__()
# file: late.py
def late():
    return 1
"""
SCRIPT = """
import gc, os, sys
{first}
from pivot_fingerprint import Observer
from pivot_fingerprint.observation import LiveCode
root = {root!r}
is_user = lambda file: file.startswith(root)
if {live}:
    live = LiveCode(is_user)
    live.begin()
sys.path.insert(0, root)
import pipeline
pipeline.PLAIN = {plain}
gc.freeze()
observer = Observer(root=root, is_user_code=is_user, spool=root + "/spool")
if {live}:
    live.prepare()
observer.prepare()
if os.fork() == 0:
    library = sys.monitoring.get_events(3)
    with observer:
        try:
            pipeline.stage()
        except KeyError:
            pass
        import subprocess
        subprocess.run([sys.executable, "-c", "import late; late.late()"], env={{"PYTHONPATH": root}})
    print(bool(library), *sorted(set(ran.qualname for ran in observer.observed.ran)), *observer.observed.incomplete)
    print(observer.observed)
    sys.stdout.flush()
    os._exit(0)
os.wait()
os._exit(0)
"""


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("first", ["import subprocess", "assert 'subprocess' not in sys.modules"])
def test_an_observation_sees_the_same(write: Callable[[str], Path], first: str, *, plain: bool) -> None:
    root = write(PROJECT)
    found = []
    for live in (True, False):
        script = SCRIPT.format(root=os.fspath(root), live=live, first=first, plain=plain)
        done = subprocess.run(
            [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        found.append(done.stdout.partition("\n")[::2])

    (head, observed), (_, usual) = found
    assert observed == usual
    assert {"A.method", "late", "made", "copied", "closed", "opened", "stage"} <= set(head.split()), head
    assert not {"unused", "text", "replaced"} & set(head.split()), head


def test_library_code_gets_no_events(write: Callable[[str], Path]) -> None:
    """Not even the event of exceptions thrown into generators, unless the user's code has some that are suspended."""
    root = write(PROJECT.partition("held = ")[0] + PROJECT.partition("__enter__()")[2])
    script = SCRIPT.format(root=os.fspath(root), live=True, first="", plain=True).replace("pipeline.stage()", "pass")
    done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.startswith("False "), done.stdout


def begin(code: LiveCode, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "addaudithook", lambda _: None)
        code.begin()


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveCode]:
    """Live code whose hook is called by the test alone, as the interpreter would."""
    code = LiveCode(lambda file: file == USERS)
    begin(code, monkeypatch)
    yield code
    for tool in monitoring_tool._ready:
        MONITORING.set_events(tool, 0)
        MONITORING.free_tool_id(tool)
        monitoring_tool._local.discard(tool)
    monitoring_tool._ready.clear()


def some() -> list[int]:
    return sorted([1], key=lambda each: each)


def events_of(code: types.CodeType) -> list[int]:
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return [MONITORING.get_local_events(monitoring_tool._ready[0], each) for each in (code, *inner)]


def test_code_is_watched_with_all_code_in_it(live: LiveCode) -> None:
    code, other = some.__code__.replace(co_filename=USERS), os.path.join.__code__.replace()
    for args in ((code,), (other,), ("text",)):
        live._on_event("exec", args)
    live._on_event("import", (code,))
    live._on_event("object.__setattr__", (some, "__code__", code))
    live.prepare()

    assert events_of(code) == [STARTS, STARTS]
    assert events_of(other) == [0]
    assert MONITORING.get_events(monitoring_tool._ready[0]) == 0


def test_later_code_is_watched_immediately_and_once(live: LiveCode) -> None:
    live.prepare()
    code = some.__code__.replace(co_filename=USERS)
    live._on_event("exec", (code,))
    assert events_of(code) == [STARTS, STARTS]
    assert MONITORING.get_events(monitoring_tool._ready[0]) == MONITORING.events.PY_THROW

    MONITORING.set_local_events(monitoring_tool._ready[0], code, 0)
    live._on_event("exec", (code,))
    assert events_of(code) == [0, STARTS]


def test_code_after_the_observation_gets_no_events(live: LiveCode, tmp_path: Path) -> None:
    live.prepare()
    with Observer(root=tmp_path):
        pass
    live._on_event("exec", (some.__code__.replace(co_filename=USERS),))

    assert all(MONITORING.get_tool(number) is None for number in (3, 4, 5))


def test_of_libraries_only_what_starts_programs_is_watched(live: LiveCode, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced() -> None:
        pass

    popen = types.new_class("Popen")
    popen._launch = replaced  # type: ignore[attr-defined]
    module = types.ModuleType("popen_other")
    module.Popen = popen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "library.popen_other", module)
    begin(live, monkeypatch)
    assert subprocess.Popen._execute_child.__code__ in live._noted.values()  # type: ignore[attr-defined]
    text = "class Popen:\n    def _launch(self):\n        pass\n    def other(self):\n        pass\n"
    code = compile(text, "/library/popen_new.py", "exec")
    live._on_event("exec", (code,))
    live.prepare()

    (body,) = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    assert dict(zip(["Popen", "_launch", "other"], events_of(body), strict=True)) == {
        "Popen": 0,
        "_launch": STARTS,
        "other": 0,
    }


@pytest.mark.parametrize(
    ("text", "needed"),
    [("def f():\n    yield 1\nheld = f()\nnext(held)", True), ("held = (each for each in [1])\nnext(held)", False)],
)
def test_suspended_generators_of_the_user_need_one_more_event(live: LiveCode, text: str, *, needed: bool) -> None:
    code = compile(text, USERS, "exec")
    live._on_event("exec", (code,))
    exec(code, {})
    live.prepare()

    assert MONITORING.get_events(monitoring_tool._ready[0]) == (MONITORING.events.PY_THROW if needed else 0)
    assert live._on_yield(code, 0, None) is MONITORING.DISABLE


def test_without_a_tool_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring_tool, "TOOL_IDS", ())
    live = LiveCode()
    begin(live, monkeypatch)
    live._on_event("exec", (some.__code__.replace(co_filename=USERS),))
    live.prepare()

    assert monitoring_tool._ready == []


def test_a_second_preparation_returns_the_same_tool(live: LiveCode) -> None:
    live.prepare()
    assert monitoring_tool.prepare_local() == monitoring_tool._ready[0]
