"""The recorder alone, called like by the interpreter, since coverage tools cannot trace its callbacks."""

import ast
import importlib
import importlib.machinery
import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pivot_fingerprint
from pivot_fingerprint import Observer, programs
from pivot_fingerprint.programs import starts_python
from pivot_fingerprint.runtime import monitoring_tool, program_hook
from pivot_fingerprint.runtime import recorder as recording
from pivot_fingerprint.runtime.observed import Ran
from pivot_fingerprint.runtime.recorder import Recorder, start_in_child
from pivot_fingerprint.runtime.start_file import (
    Companion,
    ProgramRun,
    StartArguments,
    add_start_file,
    end_start_file,
    remove_start_files,
)
from pivot_fingerprint.user_code import cached, default_is_user_code

DISABLE = sys.monitoring.DISABLE
HOME = "pivot_observed_home"


def recorder_of(root: Path, *, spool: str | None = None) -> Recorder:
    return Recorder(os.fspath(root), default_is_user_code, None if spool is None else os.fspath(root / spool))


@pytest.fixture
def load(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Import a module whose code calls `sys.recorder` as the interpreter would."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(project: str, recorder: Recorder | None = None) -> Any:
        root = write(project)
        chosen = recorder or recorder_of(root)
        monkeypatch.setattr(sys, "recorder", chosen, raising=False)
        monkeypatch.syspath_prepend(os.fspath(root))
        return importlib.import_module("pipeline"), chosen

    yield load
    sys.modules.pop("pipeline", None)


SELF = "import sys\ndef f():\n    return sys.recorder.started(f.__code__, 0)\n"


def test_a_function_is_recorded_once(load: Callable[..., Any]) -> None:
    module, recorder = load(SELF + "def g():\n    return sys.recorder.thrown(g.__code__, 0, None)\n")

    assert [module.f(), module.f(), module.g()] == [DISABLE, DISABLE, None]
    assert recorder.ran == {Ran("pipeline.py", "pipeline", "f", 2), Ran("pipeline.py", "pipeline", "g", 4)}


def test_other_code_is_ignored(load: Callable[..., Any]) -> None:
    module, recorder = load("class A:\n    pass\n")
    classes = compile("class A:\n    pass\n", module.__file__, "exec").co_consts[0]
    generic = compile("def f[T](): pass", module.__file__, "exec").co_consts[0]
    text = compile("x = 1", "<string>", "exec")

    for code in (classes, generic, text, json.dumps.__code__):
        assert recorder.record(code, sys._getframe()) is DISABLE
    assert recorder.ran == set()


def test_a_function_called_by_an_import_stays_enabled_for_a_while(load: Callable[..., Any]) -> None:
    module, recorder = load(SELF + "answers = [f() for _ in range(1002)]\n")

    assert module.answers == [None] * 1000 + [DISABLE] * 2
    assert recorder.ran == {Ran("pipeline.py", "pipeline", "f", 2, by) for by in ("", "pipeline")}


def test_an_observation_that_an_import_starts_belongs_to_that_import(load: Callable[..., Any]) -> None:
    observing = (
        "def observe():\n    sys.recorder.start()\n    f()\n    (lambda: f())()\n    sys.recorder.stop()\nobserve()\n"
    )
    module, recorder = load(SELF + observing)

    assert {ran.importing for ran in recorder.ran if ran.qualname == "f"} == {"pipeline"}
    module.f()
    assert {ran.importing for ran in recorder.ran if ran.qualname == "f"} == {"pipeline", ""}


def test_an_error_never_reaches_the_observed_code(load: Callable[..., Any]) -> None:
    errors: list[Exception] = [ValueError("no"), RecursionError()]

    def predicate(_file: str) -> bool:
        raise errors[0]

    recorder = Recorder("/", predicate, None)
    module, _ = load(SELF, recorder)

    assert module.f() is DISABLE
    assert recorder.reasons == {"the observation failed: ValueError: no"}
    errors.pop(0)
    assert module.f() is None
    assert recorder.ran == set()


# Children


def test_a_child_writes_immediately_and_its_parent_reads(tmp_path: Path) -> None:
    child, parent = recorder_of(tmp_path, spool="spool"), recorder_of(tmp_path, spool="spool")
    ran = Ran("a.py", "a", "f", 1)
    (tmp_path / "spool").mkdir()
    child.enter_child()
    child.add(ran)
    child.add(ran)
    child.add_reason("why")
    child.add_reason("why")
    (tmp_path / "spool" / "notes.txt").write_text("not ours")

    assert parent.observed() == ((ran,), ("why",))
    with open(child.file, "a") as file:
        file.write('["a.py", "a", ')
    assert parent.observed() == ((ran,), ("what a child wrote cannot be read", "why"))


def test_a_record_that_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    child = recorder_of(tmp_path, spool="nowhere")
    child.enter_child()

    child.add(Ran("a.py", "a", "f", 1))


def test_records_by_another_predicate_are_filtered_by_the_parent(tmp_path: Path) -> None:
    spool = os.fspath(tmp_path / "spool")
    parent = Recorder(os.fspath(tmp_path), lambda file: file.endswith("a.py"), spool)
    child = Recorder(os.fspath(tmp_path), default_is_user_code, spool, trusted=False)
    os.mkdir(spool)
    child.enter_child()
    child.add(Ran("a.py", "a", "f", 1))
    child.add(Ran("b.py", "b", "f", 1))

    assert parent.observed().ran == (Ran("a.py", "a", "f", 1),)


def test_forks_are_followed_with_a_spool(tmp_path: Path) -> None:
    with_spool, without = recorder_of(tmp_path, spool="spool"), recorder_of(tmp_path)
    recording._active.extend([with_spool, without])
    try:
        recording._in_parent()
        assert with_spool.reasons == set()
        assert len(without.reasons) == 1
        recording._in_child()
    finally:
        del recording._active[-2:]
    assert with_spool.file.endswith(f"{os.getpid()}.lines")
    assert without.file == ""


def test_a_new_interpreter_observes_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = importlib.machinery.SourceFileLoader
    monkeypatch.setattr(loader, "path_stats", loader.path_stats)
    spool = os.fspath(tmp_path / "spool")
    for predicate in (None, recording._pickled(default_is_user_code)):
        assert start_in_child(os.fspath(tmp_path), spool, predicate)
        running = recording._active[-1]
        running.stop()
        assert running.trusted == (predicate is not None)
        with pytest.raises(OSError, match=r"^$"):
            loader("m", "m.py").path_stats(os.fspath(tmp_path / "m.py"))
        assert loader("os", os.__file__).path_stats(os.__file__)["size"]
    assert recording._pickled(lambda _file: True) is None


class Process:
    def __init__(self) -> None:
        self._config: dict[str, Any] = {}


def frame(name: str, **variables: object) -> Any:
    return types.SimpleNamespace(f_globals={"__name__": name}, f_locals=variables)


def test_a_recorder_is_sent_with_the_process_object(tmp_path: Path) -> None:
    importlib.import_module("multiprocessing.spawn")
    observer, process = Observer(root=tmp_path, spool=tmp_path / "spool"), Process()
    observer.add_companion(Companion("tool", "begin", (1,)))
    observer.set_program_run(ProgramRun(("/a",), place="/home"))
    recorder = observer._recorder
    for home in ("mine", "multiprocessing.popen_fork"):
        recorder._before_multiprocessing_start(frame(home, process_obj=process))
    assert process._config == {}

    recorder._before_multiprocessing_start(frame("multiprocessing.popen_spawn_posix", process_obj=process))
    (starter,) = process._config.values()
    function, arguments = starter.__reduce__()
    assert function is start_in_child
    assert arguments[:2] == (os.fspath(tmp_path.resolve()), os.fspath(tmp_path / "spool"))
    assert arguments[3:] == (("tool", "begin", (1,)), (("/a",), (), False, "/home", ()))
    assert recorder.reasons == set()


def test_a_process_without_a_recorder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = importlib.import_module("multiprocessing.spawn")
    started = frame("multiprocessing.popen_spawn_posix", process_obj=Process())
    without = recorder_of(tmp_path)
    without._before_multiprocessing_start(started)
    strange = recorder_of(tmp_path, spool="spool")
    strange._before_multiprocessing_start(frame("multiprocessing.popen_spawn_posix", process_obj=None))
    monkeypatch.setattr(spawn, "get_executable", lambda: b"/another/python")
    other = recorder_of(tmp_path, spool="spool")
    other._before_multiprocessing_start(started)

    assert [len(each.reasons) for each in (without, strange, other)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("home", "args", "named"),
    [
        ("subprocess", [sys.executable, "-c", ""], True),
        ("subprocess", "python3.13 -m this", True),
        ("subprocess", [b"env", Path("tool.py")], True),
        ("subprocess", ("git", "status"), False),
        ("subprocess", None, False),
        ("mine", ["python"], False),
    ],
)
def test_a_python_program_is_named(tmp_path: Path, home: str, args: object, named: bool) -> None:
    recorder = recorder_of(tmp_path)
    recorder._before_subprocess_start(frame(home, args=args))

    assert bool(recorder.reasons) == named


@pytest.mark.parametrize("given", [None, {}, {"PYTHONPATH": "/a"}, {b"PYTHONPATH": b"/a"}])
def test_a_python_program_gets_a_start_file(tmp_path: Path, given: dict[object, object] | None) -> None:
    recorder = recorder_of(tmp_path, spool="spool")
    started = frame("subprocess", args=["python"], env=given)
    recorder._before_subprocess_start(started)

    (place,) = (tmp_path / "spool/starts").glob("[0-9]*")
    env = started.f_locals["env"]
    path = os.fsdecode(env[b"PYTHONPATH"] if given and b"PYTHONPATH" in given else env["PYTHONPATH"])
    before = os.environ.get("PYTHONPATH") if given is None else "/a" if given else None
    assert path.split(os.pathsep) == [os.fspath(place), *([before] if before else [])]
    assert [len(recorder.reasons), len(recorder.observed().incomplete)] == [0, 1]
    assert (place / "sitecustomize.py").exists()
    for mark in (tmp_path / "spool").glob("boot-*"):
        mark.unlink()
    assert recorder.observed().incomplete == ()


@pytest.mark.parametrize(
    ("args", "env"), [(["python", "-I"], None), (["python", "-sE", "x.py"], None), (["python"], 5)]
)
def test_a_python_program_that_ignores_the_environment_is_named(tmp_path: Path, args: list[str], env: object) -> None:
    recorder = recorder_of(tmp_path, spool="spool")
    started = frame("subprocess", args=args, env=env)
    recorder._before_subprocess_start(started)

    assert len(recorder.reasons) == 1
    assert started.f_locals["env"] is env


def test_a_script_is_recognised_by_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in {"python-tool": "#!/usr/bin/env python3 -u", "shell": "#!/bin/sh", "text": "python"}.items():
        (tmp_path / name).write_text(line)
    (tmp_path / "closed").symlink_to("/proc/self/mem" if os.path.exists("/proc/self/mem") else "/nowhere")
    monkeypatch.setenv("PATH", os.pathsep.join(["/nowhere", os.fspath(tmp_path)]))

    for _ in range(2):
        named = [each for each in ("python-tool", "shell", "text", "closed", "absent") if starts_python([each])]
        assert named == ["python-tool"]
    assert starts_python([f"{tmp_path}/python-tool --option"])
    assert not starts_python([])


def test_a_prepared_tool_disables_irrelevant_code() -> None:
    started = monitoring_tool.disable_others(lambda file: file == __file__)

    assert started(recorder_of.__code__, 0) is None
    assert started(recorder_of.__code__.replace(co_filename="<string>"), 0) is DISABLE
    assert started(os.path.join.__code__, 0) is DISABLE
    assert started(os.path.join.__code__.replace(co_qualname="Popen._launch"), 0) is None


def test_a_second_preparation_does_nothing(tmp_path: Path) -> None:
    observer = Observer(root=tmp_path)
    tools = []
    for _ in range(2):
        observer.prepare()
        tools.append([*monitoring_tool._ready])
    with observer:
        assert monitoring_tool._ready == []

    assert tools[0] == tools[1] != []


def test_a_spool_that_is_missing_or_no_directory_is_empty(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, spool="spool")
    assert recorder.observed().ran == ()
    (tmp_path / "spool").touch()
    assert add_start_file(["python"], {}, StartArguments("", f"{tmp_path}/spool", ProgramRun())) is None
    assert add_start_file(["python"], {}, StartArguments("", f"{tmp_path}/a:b", ProgramRun())) is None


def test_programs_are_asked_about_once_and_only_where_something_observes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_hook, "_hooks", [recording._path_for_program])
    program_hook.watch(recording._path_for_program)

    assert program_hook._hooks == [recording._path_for_program]
    assert recording._path_for_program([sys.executable], None) is None


def test_start_files_are_where_the_caller_wants_them_and_can_be_removed(tmp_path: Path) -> None:
    home = tmp_path / "programs/stage"
    observer = Observer(root=tmp_path, spool=tmp_path / "spool")
    observer.set_program_run(ProgramRun(("/declared",), ("NAME",), files=True, place=str(home)))
    path = observer._recorder.path_for_program([sys.executable, "x.py"], None)

    assert path is not None
    place = Path(path.partition(os.pathsep)[0])
    assert place.parent == home
    run = ast.literal_eval((place / "run").read_text())
    assert (run["declared"], run["assigned"], run["files"]) == (["/declared"], ["NAME"], True)
    assert run["observer"] == str(tmp_path / "programs/observer.py")
    end_start_file(str(place))
    assert not (place / "run").exists()
    end_start_file(str(place))
    (place / "__pycache__").mkdir()
    remove_start_files(str(home))
    remove_start_files(str(home))
    assert [each.name for each in (tmp_path / "programs").iterdir()] == ["observer.py"]


def test_the_environment_of_programs_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    programs.track_putenv()
    monkeypatch.setenv("BOTH", "python")
    monkeypatch.setenv("GONE", "python")
    os.putenv("BOTH", "c")
    os.putenv("ONLY", "c")
    os.unsetenv("GONE")
    found = programs.inherited_environment()
    os.unsetenv("ONLY")
    for change in (("os.putenv", (b"BOTH", b"c")), ("os.unsetenv", (b"GONE",)), ("open", ())):
        programs._record(*change)  # as the interpreter does, where no coverage tool sees it

    assert programs.inherited_environment()["BOTH"] == "c"
    assert (found["BOTH"], found["ONLY"], "GONE" in found) == ("c", "c", False)


def test_programs_that_are_started_without_subprocess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/before")
    recorder = recorder_of(tmp_path, spool="spool")
    monkeypatch.setattr(program_hook, "_hooks", [recorder.path_for_program])
    programs.track_putenv()

    for event, args in [
        ("os.system", (b"python x.py",)),
        ("os.exec", (sys.executable, ["python"], None)),
        ("os.exec", (0, ["one", "x.py"], None)),
    ]:
        program_hook._on_event(event, args)
        given = programs.inherited_environment()["PYTHONPATH"]
        assert given.startswith(f"{tmp_path}/spool/starts/"), event
        assert given.endswith(":/before")
        assert os.environ["PYTHONPATH"] == "/before"
        program_hook._on_event("open", ())
        assert programs.inherited_environment()["PYTHONPATH"] == "/before"
    monkeypatch.delenv("PYTHONPATH")
    program_hook._on_event("os.system", ("python x.py",))
    program_hook.restore()
    assert "PYTHONPATH" not in programs.inherited_environment()
    for event, args in [
        ("os.system", ("true",)),
        ("os.exec", ("/nowhere/python", ["python"], None)),
        ("os.system", ()),
    ]:
        program_hook._on_event(event, args)
        assert "PYTHONPATH" not in programs.inherited_environment()
    assert recorder.reasons == set()

    arranged = {"PYTHONPATH": f"{recorder.spool}/starts/1"}
    program_hook._on_event("os.posix_spawn", (sys.executable, ["python"], arranged))
    assert recorder.reasons == set()
    program_hook._on_event("os.posix_spawn", (sys.executable, ["python"], {}))
    assert len(recorder.reasons) == 1


def test_a_caller_may_observe_its_programs_itself(tmp_path: Path) -> None:
    with Observer(root=tmp_path) as observer:
        observer.pass_over_programs()
        program_hook._on_event("os.posix_spawn", (sys.executable, ["python"], {}))

    assert observer.observed.incomplete == ()


def test_a_companion_starts_with_the_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = importlib.machinery.SourceFileLoader
    monkeypatch.setattr(loader, "path_stats", loader.path_stats)
    begun: list[object] = []
    monkeypatch.setattr(recording, "begin", lambda *args: begun.extend(args), raising=False)
    spool = os.fspath(tmp_path / "spool")

    assert start_in_child(
        os.fspath(tmp_path),
        spool,
        None,
        ("pivot_fingerprint.runtime.recorder", "begin", (1, "two")),
        ((), (), True, f"{tmp_path}/home"),
    )
    running = recording._active[-1]
    running.stop()
    assert begun == [1, "two"]
    started = frame("subprocess", args=["python"], env={})
    running._before_subprocess_start(started)
    place = Path(started.f_locals["env"]["PYTHONPATH"])
    assert place.parent == tmp_path / "home"
    assert place.name.startswith(f"{os.getpid()}-")  # other processes of the observer have files there too


def test_launchers_stay_enabled(tmp_path: Path) -> None:
    popen = importlib.import_module("subprocess").Popen
    recorder = recorder_of(tmp_path)

    assert recorder.record(popen._execute_child.__code__, frame("subprocess", args=["python"])) is None
    assert len(recorder.reasons) == 1


# Modules and names


def test_modules_that_were_imported_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorder_of(tmp_path)
    recorder._before = frozenset(sys.modules)
    for name, file in (("py", "py.py"), ("so", "so.so"), ("pyc", "pyc.pyc"), ("none", None)):
        module = types.ModuleType(f"{HOME}.{name}")
        module.__file__ = None if file is None else os.fspath(tmp_path / file)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, f"{HOME}.strange", object())
    recorder.record_imports()

    assert recorder.ran == {Ran("py.py", f"{HOME}.py", "<module>", 1)}
    assert recorder.reasons == {f"the module `{HOME}.so` is compiled code"}


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ({"__name__": "pkg.mod"}, "pkg.mod"),
        ({"__name__": "__main__", "__spec__": types.SimpleNamespace(name="pkg.__main__")}, "pkg"),
        ({"__name__": "__mp_main__", "__spec__": None, "__file__": "/x/tool.py"}, "tool"),
        ({"__name__": "__main__", "__spec__": types.SimpleNamespace(name="__main__")}, "code"),
        ({"__name__": 3}, "code"),
        ({}, "code"),
    ],
)
def test_modules_are_named_as_in_manifests(namespace: dict[str, object], name: str) -> None:
    assert recording._module(namespace, "/x/code.py") == name


def test_stale_events_are_restarted_without_other_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted = []
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "getprofile", lambda: None)
    monkeypatch.setattr(sys.monitoring, "restart_events", lambda: restarted.append(1))
    for other in (None, 4):
        if other is not None:
            sys.monitoring.use_tool_id(other, "other")
        recorder = recorder_of(tmp_path)
        recorder.start()
        recorder.stop()
    sys.monitoring.free_tool_id(4)

    free = all(sys.monitoring.get_tool(number) is None for number in range(6))
    assert restarted == [1] * free


def test_a_deleted_code_needs_no_restoring(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path)
    recorder.start()
    namespace: dict[str, Any] = {"__name__": "gone"}
    exec(compile("def f(): pass", os.fspath(tmp_path / "gone.py"), "exec"), namespace)
    recorder.record(namespace["f"].__code__, sys._getframe())
    namespace.clear()
    recorder.stop()

    assert recorder._disabled == []


def test_no_file_of_the_package_is_a_users_at_any_depth() -> None:
    (place,) = pivot_fingerprint.__path__
    is_user = cached(lambda _: True)

    assert not is_user(os.path.join(place, "module.py"))
    assert not is_user(os.path.join(place, "room", "module.py"))
    assert is_user(f"{place}_plugin/module.py")
