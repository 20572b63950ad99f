"""Loading through a host: what comes back, and every way in which the user's module may end it."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from processes import alive, wait_until
from source_projects import Sources

from pivot_core.errors import DiscoveryError, PivotError
from pivot_core.spec import OutSpec
from pivot_runtime.errors import HostError, LoadError
from pivot_runtime.loading import host_client
from pivot_runtime.loading.host_client import HostClient
from pivot_runtime.loading.host_pool import HostPool, LazyHost

STAGE = """
def stage(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    return x

pipeline.register(stage)
"""

LETTING_GO = """
import pathlib, sys
from pivot_runtime.loading import host_client
from pivot_runtime.loading.host_pool import HostPool, LazyHost
from pivot_runtime.processes import process_tree

process_tree.adopt()
file, pool = pathlib.Path(sys.argv[1], "pipeline.py"), HostPool()


def prepared():
    loaded, host = host_client.load(file.parent, file)
    host.prepare()
    while not pathlib.Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text():
        pass
    return LazyHost(loaded, lambda: None, host), host


def keep_next(*, let_go):
    (before, old), (after, new) = prepared(), prepared()
    pool.put(file, before)
    if let_go:
        pool.let_go(file)
    pool.put(file, after)
    print(process_tree.children() - {new.pid})
    pool.close()
    process_tree.end_leftovers(())


keep_next(let_go=True)
keep_next(let_go=False)
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    return Sources((tmp_path / "project").resolve(), {"pipeline.py": STAGE})


def test_loaded_stages(project: Sources) -> None:
    (stage,) = project.load().stages

    assert stage.spec.address == "p.stage"
    assert (stage.spec.base, stage.spec.deps, stage.spec.outs) == ("", ("in.txt",), (OutSpec(stage.spec.outs[0].path),))
    assert stage.spec.location.file == "pipeline.py"
    assert any(key.endswith("stage") for key in stage.code)


def test_paths_are_relative_to_the_pipeline(project: Sources) -> None:
    (project.root / "sub").mkdir()
    (project.root / "pipeline.py").rename(project.root / "sub/pipeline.py")
    loaded, host = host_client.load(project.root, project.root / "sub/pipeline.py")
    host.close()

    (stage,) = loaded.stages
    assert (stage.spec.base, stage.spec.deps, stage.spec.outs[0].path) == ("sub", ("sub/in.txt",), "sub/out.txt")


def test_two_loads_are_equal(project: Sources) -> None:
    assert project.load() == project.load()


def test_loader_and_its_options_are_part_of_the_code(project: Sources) -> None:
    before = project.stages()["stage"].code
    project.replace("pipeline.py", 'Dep("in.txt", Text())', 'Dep("in.txt", Text("latin-1"))')

    assert project.stages()["stage"].code != before


def test_module_that_raises(project: Sources) -> None:
    project.write("pipeline.py", "import broken\n")
    project.write("broken.py", "def f():\n    raise ValueError('first\\nlast')\nf()\n")
    with pytest.raises(LoadError) as caught:
        project.load()

    assert str(caught.value) == "pipeline.py cannot be imported: ValueError: last"
    told = caught.value.traceback
    assert told.startswith('Traceback (most recent call last):\n  File "' + str(project.root / "pipeline.py"))
    assert told.endswith("ValueError: first\nlast\n")
    assert "pivot_core" not in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x = (", "SyntaxError: '(' was never closed"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import helper_with_error", "SyntaxError"),
    ],
)
def test_failing_imports_are_errors(project: Sources, line: str, told: str) -> None:
    project.write("pipeline.py", f"{line}\n")
    project.write("helper_with_error.py", "def f(:\n")
    with pytest.raises(LoadError) as caught:
        project.load()

    assert str(caught.value).startswith("pipeline.py cannot be imported: ")
    assert told in str(caught.value)
    assert caught.value.traceback.endswith("\n")
    assert "pivot_runtime" not in caught.value.traceback


def test_definition_that_is_wrong(project: Sources) -> None:
    project.replace("pipeline.py", '"out.txt"', '"../out.txt"')
    with pytest.raises(PivotError) as caught:
        project.load()

    assert not isinstance(caught.value, LoadError)
    assert str(caught.value).startswith("pipeline.py:10: stage 'stage': Out of the returned value: '../out.txt'")
    assert caught.value.hint


def test_no_pipeline_in_it(project: Sources) -> None:
    (project.root / "pipeline.py").write_text("x = 1\n")
    with pytest.raises(PivotError, match="defines no pipeline"):
        project.load()


def test_no_such_file(project: Sources) -> None:
    (project.root / "pipeline.py").unlink()
    with pytest.raises((DiscoveryError, LoadError)):
        project.load()


@pytest.mark.parametrize("line", ["import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_module_that_ends_the_host(project: Sources, line: str) -> None:
    project.write("pipeline.py", f"{line}\n")
    with pytest.raises(HostError) as caught:
        project.load()

    assert caught.value.hint


def test_module_that_edits_itself(project: Sources) -> None:
    """A load of files that keep changing is no load."""
    project.write(
        "pipeline.py",
        STAGE + "\nimport beside\nwith open('beside.py', 'a') as file:\n    file.write('# again\\n')\n",
    )
    project.write("beside.py", "")
    with pytest.raises(HostError, match="keeps changing") as caught:
        project.load()
    assert caught.value.hint == "wait for the edits to end, and repeat the command"


def test_a_module_of_the_user_does_not_stand_in_for_one_that_the_host_needs(project: Sources) -> None:
    project.write("binascii.py", "raise ValueError('imported')\n")

    assert [stage.spec.name for stage in project.load().stages] == ["stage"]


def test_module_that_is_edited_once_while_it_is_imported(project: Sources) -> None:
    """It is loaded again."""
    project.write(
        "pipeline.py",
        STAGE
        + "\nimport beside, pathlib\nif not beside.DONE:\n    pathlib.Path('beside.py').write_text('DONE = True\\n')\n",
    )
    project.write("beside.py", "DONE = False\n")

    assert project.load().stages
    assert (project.root / "beside.py").read_text() == "DONE = True\n"


def test_output_of_a_module_is_not_an_answer(project: Sources, capfd: pytest.CaptureFixture[str]) -> None:
    project.write("pipeline.py", STAGE + "\nimport os\nprint('hello')\nos.write(1, b'low\\n')\n")
    loaded, host = host_client.load(project.root, project.root / "pipeline.py")
    host.close()
    told = capfd.readouterr()

    assert len(loaded.stages) == 1
    assert (told.out, sorted(told.err.split())) == ("", ["hello", "low"])


def test_quiet(project: Sources, capfd: pytest.CaptureFixture[str]) -> None:
    project.write("pipeline.py", STAGE + "\nimport sys\nprint('hello')\nprint('hello', file=sys.stderr)\n")
    project.load()

    assert capfd.readouterr() == ("", "")


def test_module_has_no_way_to_the_line_of_the_host(project: Sources) -> None:
    """Processes that the module starts do not inherit it."""
    project.write(
        "pipeline.py",
        STAGE + "\nimport subprocess\nsubprocess.run('echo garbage >&4', shell=True, close_fds=False)\n",
    )

    assert len(project.load().stages) == 1


def test_a_closed_host_is_gone(project: Sources) -> None:
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    host.close()
    host.close()
    host.kill()

    with pytest.raises(ProcessLookupError):
        os.kill(host.pid, 0)


def test_a_host_is_not_waited_for_as_long_as_its_threads_like(
    project: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_client, "_PATIENCE_SECONDS", 0.1)
    project.write("pipeline.py", "import threading\nthreading.Thread(target=threading.Event().wait).start()\n" + STAGE)
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    host.close()

    with pytest.raises(ProcessLookupError):
        os.kill(host.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no children are listed")
def test_a_prepared_host_has_forked_the_first_stage_and_ends_it(project: Sources) -> None:
    host = HostClient.begin(quiet=True)
    host.ask_to_load(project.root, project.root / "pipeline.py")
    host.prepare()
    assert host.loaded() is not None
    listed = pathlib.Path(f"/proc/{host.pid}/task/{host.pid}/children")
    while not (children := listed.read_text().split()):
        assert os.waitid(os.P_PID, host.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None, "the host has died"
    host.close()

    assert len(children) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(children[0]), 0)


def test_a_busy_host_can_be_killed(project: Sources) -> None:
    project.write("pipeline.py", "open('busy', 'w').close()\nwhile True: pass\n")
    host = HostClient.begin(quiet=True)
    host.ask_to_load(project.root, project.root / "pipeline.py")
    while not (project.root / "busy").exists():
        assert os.waitid(os.P_PID, host.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None, "the host has died"
    host.kill()

    with pytest.raises(ProcessLookupError):
        os.kill(host.pid, 0)


def test_a_host_that_is_let_go_is_not_used_and_has_ended_when_the_next_is_kept(project: Sources) -> None:
    file, pool = project.root / "pipeline.py", HostPool()
    loaded, process = host_client.load(project.root, file)
    pool.put(file, host := LazyHost(loaded, lambda: pytest.fail("it is loaded"), process))
    assert pool.take(file, loaded) is host

    pool.let_go(file)
    assert pool.take(file, loaded) is None
    again, other = host_client.load(project.root, file)
    pool.put(file, LazyHost(again, lambda: pytest.fail("it is loaded"), other))
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert pool.take(file, loaded) is not None

    pool.let_go(file)
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(other.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no descendants are adopted")
def test_a_host_that_is_let_go_leaves_no_processes(project: Sources) -> None:
    """The command adopts what a host leaves, and would keep it as a zombie."""
    done = subprocess.run(
        [sys.executable, "-c", LETTING_GO, project.root], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("frozenset()\n" * 2, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no children are listed")
def test_a_stuck_host_that_is_let_go_is_killed(project: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_client, "_PATIENCE_SECONDS", 0.1)
    project.write("pipeline.py", "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\n" + STAGE)
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    (child,) = map(int, pathlib.Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split())
    os.kill(host.pid, signal.SIGSTOP)
    host.begin_to_end()
    host.close()

    for pid in (host.pid, child):
        wait_until(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def test_nothing_is_left_open(project: Sources) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    _, host = host_client.load(project.root, project.root / "pipeline.py", quiet=True)
    host.close()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    assert after == before


def test_a_host_may_be_told_to_end_before_it_is_waited_for(project: Sources) -> None:
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    host.begin_to_close()
    host.begin_to_close()
    host.close()
    host.close()

    with pytest.raises(ProcessLookupError):
        os.kill(host.pid, 0)
