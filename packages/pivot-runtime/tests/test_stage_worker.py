"""A worker runs a stage as it runs at home, or says why not; nothing of one task is left for the next."""

import contextlib
import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from cluster_projects import ClusterProject, artifact_at, stored
from processes import alive, wait_until
from source_projects import Sources

from pivot_cache.layout import Layout
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.run_cache import RunCache
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.spec import Location
from pivot_runtime.cluster import task
from pivot_runtime.cluster.task import SharedRoute, StageAnswer, TaskOut
from pivot_runtime.cluster_worker import workspaces
from pivot_runtime.cluster_worker.stage_worker import StageWorker
from pivot_runtime.errors import EngineError
from pivot_runtime.evaluating import expectation
from pivot_runtime.executors.base import Failure
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client

PIPELINE = """
import importlib
import os
import shutil
import subprocess
import sys
import time

from pivot_core.stages.annotations import DirectoryOut, IncrementalOut
from helper import shout

os.environ["SAME"], os.environ["ROOT"] = "same", os.getcwd()

class Two(TypedDict):
    left: Annotated[str, Out("made/left.txt", Text())]
    right: Annotated[str, Out("right.json", JSON())]

X = Annotated[str, Dep("in.txt", Text())]

def good(x: X) -> Two:
    print("printed in", os.getcwd())
    return Two(left=shout(x), right=[x])

def bad(x: X) -> Annotated[str, Out("bad.txt", Text())]:
    raise ValueError(f"no {x}")

def killed() -> Annotated[str, Out("killed.txt", Text())]:
    os.kill(os.getpid(), 9)

def ends() -> Annotated[str, Out("ends.txt", Text())]:
    os._exit(7)

def slow() -> Annotated[str, Out("slow.txt", Text())]:
    time.sleep(60)

def absent() -> Annotated[pathlib.Path, Out("absent.txt", PathOnly())]:
    return pathlib.Path("absent.txt")

def directory() -> Annotated[pathlib.Path, Out("dir.txt", PathOnly())]:
    os.makedirs("dir.txt/x")
    return pathlib.Path("dir.txt")

def reads_same() -> Annotated[str, Out("same.txt", Text())]:
    return os.environ["SAME"]

def reads_root() -> Annotated[str, Out("root.txt", Text())]:
    return os.environ["ROOT"]

def nothing() -> None:
    return 5

def noisy() -> Annotated[str, Out("noisy.txt", Text())]:
    os.write(1, b"begin\\n" + bytes(range(128, 256)) * 32768 + b"\\nend in " + os.getcwdb() + b"/here\\n")
    return ""

def dynamic() -> Annotated[str, Out("dynamic.txt", Text())]:
    return importlib.import_module("extra" + ".later").found() + open("notes.txt").read()

def edits_code() -> Annotated[str, Out("edits.txt", Text())]:
    with open("helper.py", "a") as file:
        file.write("# more")
    return ""

def edits_and_fails() -> Annotated[str, Out("failed.txt", Text())]:
    edits_code()
    raise ValueError

def edits_dep(data: Annotated[pathlib.Path, Dep("data/", PathOnly())]) -> Annotated[str, Out("dep.txt", Text())]:
    (data / "a").unlink()
    return ""

Data = Annotated[pathlib.Path, Dep("data/", PathOnly())]

def reads_tree(data: Data) -> Annotated[pathlib.Path, DirectoryOut("copy/", PathOnly())]:
    shutil.copytree(data, "copy")
    return pathlib.Path("copy")

def uncached() -> Annotated[str, Out("plain.txt", Text(), cache=False)]:
    return "plain"

def large() -> Annotated[pathlib.Path, Out("large.bin", PathOnly())]:
    with open("large.bin", "wb") as file:
        file.truncate(9 << 20)
    return pathlib.Path("large.bin")

def meets(x: X) -> Annotated[str, Out("meets.txt", Text())]:
    place = pathlib.Path(os.environ["PLACE"])
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < 2:
        time.sleep(0.005)
    return os.getcwd()

def waits() -> Annotated[str, Out("waits.txt", Text())]:
    try:
        pathlib.Path(os.environ["PLACE"], "pid").write_text(str(os.getpid()))
        os.rename(os.path.join(os.environ["PLACE"], "pid"), os.path.join(os.environ["PLACE"], "waiting"))
        time.sleep(60)
    finally:
        pathlib.Path(os.environ["PLACE"], "cleaned").touch()

def leaves() -> Annotated[str, Out("leaves.txt", Text())]:
    return str(subprocess.Popen(["sleep", "60"], start_new_session=True).pid)

def litters() -> Annotated[str, Out("litters.txt", Text())]:
    os.makedirs("junk/deep")
    open("junk/deep/x", "w").close()
    os.chmod("junk/deep", 0)
    os.chmod("junk", 0)
    os.symlink("/etc", "away")
    os.mkfifo("pipe")
    open("extra/junk.py", "w").close()
    return str(sorted(os.listdir()))

def elsewhere() -> Annotated[str, Out("elsewhere.txt", Text())]:
    return ""

def variable() -> Annotated[str, Out("variable.txt", Text())]:
    return f"{os.environ.get('TOKEN')} {os.environ.get('UNSET')}"

Before = Annotated[str | None, IncrementalOut("more.txt", Text())]

def more(before: Before) -> Annotated[str, IncrementalOut("more.txt", Text())]:
    return (before or "begun") + "."

for stage in [good, bad, killed, ends, absent, directory, nothing, noisy, dynamic, edits_code,
              edits_and_fails, edits_dep, reads_tree, uncached, large, meets, waits, leaves, litters, more, reads_same,
              reads_root]:
    pipeline.register(stage)
pipeline.register(slow, timeout=0.2)
pipeline.register(elsewhere, wdir="not/there")
pipeline.register(variable, env=["TOKEN", "UNSET"])
"""
FILES = {
    "pipeline.py": PIPELINE,
    "helper.py": "def shout(x):\n    return x.upper()\n",
    "in.txt": "abc",
    "extra/later.py": "def found():\n    return 'found '\n",
    "notes.txt": "noted",
    "data/a": "A",
    "data/b/c": "C",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory that stages and tests know."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, place: pathlib.Path) -> ClusterProject:
    root = tmp_path_factory.mktemp("home") / "project"
    made = ClusterProject(
        Sources(root, FILES), include=["extra/", "notes.txt"], environment={"TOKEN": "t0ken", "UNSET": None}
    )
    made.template = attrs.evolve(made.template, environment={**made.template.environment, "PLACE": str(place)})
    return made


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageWorker]:
    os.environ["UNSET"] = "on the worker"
    made = StageWorker(tmp_path_factory.mktemp("w") / "worker", "w1")
    yield made
    made.close()
    del os.environ["UNSET"]


@pytest.fixture(scope="module")
def at_home(home: ClusterProject) -> Iterator[Callable[[str], Failure]]:
    """The failure of a stage that runs at home."""
    _, host = host_client.load(home.root, home.root / "pipeline.py", quiet=True)
    with host:
        executor = HostExecutor(lambda _: host)

        def run(name: str) -> Failure:
            executor.start(f"p.{name}", home.root / "log")
            failure = executor.wait().failure
            assert failure is not None
            return failure

        yield run


def ended(answer: StageAnswer) -> StageAnswer:
    assert answer.refused is None, answer.refused
    assert answer.finished is not None
    return answer


def failure_of(answer: StageAnswer) -> Failure:
    found = ended(answer).finished
    assert found is not None
    assert found.failure is not None
    assert (answer.outs, answer.objects) == ({}, {})
    return found.failure


def text_of(answer: StageAnswer, path: str) -> str:
    found = ended(answer).finished
    assert found is not None
    assert found.failure is None, found.failure
    return answer.objects[answer.outs[ArtifactPath(path)].digest].decode()


def test_a_stage_that_succeeds_answers_with_its_outs_its_log_and_its_cost(
    home: ClusterProject, worker: StageWorker
) -> None:
    printed: list[str] = []
    began: list[str] = []
    one = home.task("good", stream=True)

    data = worker.run(task.encode(one), lambda: home.archive.data, lambda: began.append("began"), printed.extend)
    answer = StageAnswer.from_plain(task.parse(data))

    assert (text_of(answer, "made/left.txt"), text_of(answer, "right.json")) == ("ABC", '[\n  "abc"\n]\n')
    assert answer.outs.keys() == {"made/left.txt", "right.json"}
    assert (answer.number, answer.worker, answer.stopped) == (one.number, "w1", False)
    assert answer.log == b"printed in .\n"
    assert printed == ["printed in ."]
    assert began == ["began"]
    assert answer.finished is not None
    assert answer.finished.seconds > 0
    assert answer.finished.usage is not None


@pytest.mark.parametrize("name", ["bad", "killed", "ends", "slow", "nothing"])
def test_a_stage_fails_with_the_same_text_as_at_home(
    home: ClusterProject, worker: StageWorker, at_home: Callable[[str], Failure], name: str
) -> None:
    there, here = failure_of(home.run(worker, name)), at_home(name)

    assert (there.summary, there.hint) == (here.summary, here.hint)
    assert there.detail == here.detail.replace(f"{home.root}/", "")
    if name == "bad":
        assert 'File "pipeline.py", line ' in there.detail


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("absent", "the stage returned 'absent.txt' but did not write it", "the stage writes the file itself"),
        ("directory", "dir.txt: is a directory", "declare it as a directory: "),
        ("reads_root", "it read ROOT, which the import of its pipeline sets to another value on w1", "the same value"),
        ("edits_code", "it changed helper.py, which it depends on", "let it write to another path"),
        ("edits_dep", "it changed data, which it depends on", "let it write to another path"),
        (
            "large",
            "its out large.bin has 9.0 MiB; only 8 MiB travel with an answer",
            "pivot config set executor.shared PATH",
        ),
    ],
)
def test_outs_that_are_not_as_declared_and_changed_inputs_make_it_fail(
    home: ClusterProject, worker: StageWorker, name: str, said: str, hint: str
) -> None:
    failure = failure_of(home.run(worker, name))

    assert failure.summary.startswith(said)
    assert failure.hint is not None
    assert hint in failure.hint
    assert text_of(home.run(worker, "good"), "made/left.txt") == "ABC"


def test_an_out_that_is_not_there_at_the_end_makes_it_fail(home: ClusterProject, worker: StageWorker) -> None:
    one = home.task("good")

    failure = failure_of(home.answer(worker, attrs.evolve(one, outs=(*one.outs, TaskOut(ArtifactPath("gone.txt"))))))

    assert failure == Failure("it did not write gone.txt", hint="a stage must write all outs that it declares")


def test_a_large_log_comes_shortened_as_at_home_and_without_the_path_of_the_worker(
    home: ClusterProject, worker: StageWorker
) -> None:
    answer = home.run(worker, "noisy")

    assert text_of(answer, "noisy.txt") == ""
    assert answer.log.startswith(b"begin\n")
    assert answer.log.endswith(b"\nend in here\n")
    assert b"bytes are left out here" in answer.log
    assert len(answer.log) < 4 << 20


def test_code_and_files_that_it_used_are_observed(home: ClusterProject, worker: StageWorker) -> None:
    answer = home.run(worker, "dynamic")

    assert text_of(answer, "dynamic.txt") == "found noted"
    assert answer.finished is not None
    (entry,) = (entry for key, entry in answer.finished.observed.items() if key == "func:extra.later:found")
    assert entry.location is not None
    assert entry.location.file == "extra/later.py"
    assert answer.finished.seen.read == ("notes.txt",)


def test_a_workspace_is_used_again_unless_a_stage_changed_its_sources(
    home: ClusterProject, worker: StageWorker
) -> None:
    home.run(worker, "good")
    before = home.extracted

    listed = text_of(home.run(worker, "litters"), "litters.txt")
    assert text_of(home.run(worker, "litters"), "litters.txt") == listed  # nothing is left
    home.run(worker, "bad")
    assert home.extracted == before
    home.run(worker, "edits_code")
    home.run(worker, "good")
    assert home.extracted == before + 1
    home.run(worker, "edits_and_fails")
    assert text_of(home.run(worker, "good"), "made/left.txt") == "ABC"
    assert home.extracted == before + 2
    home.run(worker, "good", overrides=())
    home.run(worker, "good", fresh=True)
    home.run(worker, "good", environment={**home.template.environment, "PLACE": "elsewhere"})
    assert home.extracted == before + 4


def test_code_outside_of_the_project_is_that_of_now(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(outside))
    (outside / "library.py").write_text("def named(): return 1\ndef found(): return 1\n")
    project = Sources(
        tmp_path / "project",
        {
            "pipeline.py": """
import pathlib, sys
import library

def named() -> Annotated[str, Out("named.txt", Text())]:
    return str(library.named())

def observed() -> Annotated[str, Out("observed.txt", Text())]:
    return str(getattr(sys.modules["lib" + "rary"], "found")())

def edits() -> Annotated[str, Out("edits.txt", Text())]:
    pathlib.Path(library.__file__).write_text("def named(): return 3")
    return ""

for stage in [named, observed, edits]:
    pipeline.register(stage)
"""
        },
    )
    worker = StageWorker(tmp_path / "worker", "w1")
    home = ClusterProject(project)
    for name in ("named", "observed"):
        assert text_of(home.run(worker, name), f"{name}.txt") == "1"
    (outside / "library.py").write_text("def named(): return 2\ndef found(): return 2\n")

    answer = home.run(worker, "observed")

    assert text_of(answer, "observed.txt") == "2"
    assert answer.finished is not None
    (entry,) = answer.finished.observed.values()
    assert entry.location == Location(str(outside / "library.py"), 2)
    edited = ClusterProject(project)
    assert text_of(edited.run(worker, "named"), "named.txt") == "2"
    failure = failure_of(edited.run(worker, "edits"))
    assert failure.summary == f"{outside}/library.py was edited on w1 while it ran"
    worker.close()


def test_directories_travel_too(home: ClusterProject, worker: StageWorker) -> None:
    assert text_of(home.run(worker, "elsewhere"), "not/there/elsewhere.txt") == ""
    answer = ended(home.run(worker, "reads_tree"))

    assert answer.outs == {"copy": artifact_at(home.root / "data")}
    assert set(answer.objects.values()) >= {b"A", b"C"}


def test_an_incremental_out_continues_from_its_last_content(home: ClusterProject, worker: StageWorker) -> None:
    first = home.run(worker, "more")
    again = home.run(worker, "more", before=first.outs, objects=first.objects)

    assert text_of(first, "more.txt") == "begun."
    assert text_of(again, "more.txt") == "begun.."
    assert text_of(home.run(worker, "more"), "more.txt") == "begun."  # nothing is left


def test_variables_have_the_values_of_home(home: ClusterProject, worker: StageWorker) -> None:
    assert text_of(home.run(worker, "variable"), "variable.txt") == "t0ken None"
    assert text_of(home.run(worker, "reads_same"), "same.txt") == "same"


def test_processes_that_a_stage_leaves_are_ended(home: ClusterProject, worker: StageWorker) -> None:
    answer = home.run(worker, "leaves")

    assert not alive(int(text_of(answer, "leaves.txt")))
    assert answer.finished is not None
    assert answer.finished.left == ("sleep 60",)


def test_two_stages_run_at_once_in_workspaces_of_their_own(
    home: ClusterProject, worker: StageWorker, place: pathlib.Path
) -> None:
    with ThreadPoolExecutor(2) as threads:
        tasks = [home.task("meets"), home.task("meets")]
        one, other = threads.map(lambda each: text_of(home.answer(worker, each), "meets.txt"), tasks)

    assert one != other
    for file in place.iterdir():
        file.unlink()


# -- stopping


@contextlib.contextmanager
def in_thread(work: Callable[[], Any]) -> Iterator[list[Any]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    yield found
    thread.join(60)
    assert not thread.is_alive()


def test_a_stage_that_is_stopped_may_clean_up_and_counts_as_never_run(
    home: ClusterProject, worker: StageWorker, place: pathlib.Path
) -> None:
    one = home.task("waits", run="stopped in the stage")

    with in_thread(lambda: home.answer(worker, one)) as found:
        wait_until((place / "waiting").exists)
        worker.stop("another run")
        worker.stop("stopped in the stage")
        assert (place / "cleaned").exists()

    assert found == [StageAnswer(one.number, "w1", stopped=True)]
    later = home.answer(worker, home.task("good", run="stopped in the stage"))
    assert (later.stopped, later.finished) == (True, None)
    assert text_of(home.run(worker, "good"), "made/left.txt") == "ABC"
    for file in place.iterdir():
        file.unlink()


def test_an_import_that_is_stopped_ends_at_once(worker: StageWorker, tmp_path: pathlib.Path) -> None:
    code = "import pathlib, time\nif 'AWAY' in __import__('os').environ:\n"
    code += f"    pathlib.Path({str(tmp_path / 'began')!r}).touch()\n    time.sleep(600)\n"
    code += "def s() -> None: pass\npipeline.register(s)\n"
    home = ClusterProject(Sources(tmp_path / "project", {"pipeline.py": code}))
    one = home.task("s", run="stopped in the import", environment={"AWAY": "1"})

    with in_thread(lambda: home.answer(worker, one)) as found:
        wait_until((tmp_path / "began").exists)
        worker.stop("stopped in the import")

    assert found == [StageAnswer(one.number, "w1", stopped=True)]


def test_a_stage_that_does_not_end_is_ended_by_force(worker: StageWorker, tmp_path: pathlib.Path) -> None:
    code = f"""
import os, signal, time
def stubborn() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    os.rename({str(tmp_path / "pid")!r}, {str(tmp_path / "began")!r})
    time.sleep(600)
pipeline.register(stubborn)
"""
    home = ClusterProject(Sources(tmp_path / "project", {"pipeline.py": code}))

    with in_thread(lambda: home.answer(worker, home.task("stubborn", run="stubborn"))) as found:
        wait_until((tmp_path / "began").exists)
        worker.stop("stubborn", patience=0.0)

    assert [each.stopped for each in found] == [True]
    wait_until(lambda: not alive(int((tmp_path / "began").read_text())))


# -- refusals


def refused(answer: StageAnswer) -> tuple[str, str, str | None]:
    assert answer.refused is not None
    assert answer.finished is None
    return answer.refused.kind, answer.refused.summary, answer.refused.hint


def test_other_versions_are_refused(home: ClusterProject, worker: StageWorker) -> None:
    plain = home.task("good").to_plain()
    for change in ({"protocol": 0}, {"pivot": "0.0.1"}, {"python": "3.99"}):
        data = json.dumps({**plain, **change}).encode()

        kind, summary, hint = refused(StageAnswer.from_plain(task.parse(worker.run(data, lambda: b""))))

        assert kind == "protocol"
        assert f"w1 has Pivot {plain['pivot']} on Python {plain['python']}; the command has Pivot " in summary
        assert str(*change.values()) in summary
        assert hint == "install the same Pivot and Python on all machines"


def test_damaged_tasks_are_refused(home: ClusterProject, worker: StageWorker) -> None:
    for data in (b"", json.dumps({**home.task("good").to_plain(), "deps": {"/etc/passwd": 1}}).encode()):
        kind, summary, _ = refused(StageAnswer.from_plain(task.parse(worker.run(data, lambda: b""))))

        assert (kind, summary.startswith("the task is damaged: ")) == ("protocol", True)


def test_other_code_is_refused_with_what_differs(worker: StageWorker, tmp_path: pathlib.Path) -> None:
    code = "from helper import f\npipeline.register(f)\n"
    project = Sources(tmp_path / "project", {"pipeline.py": code, "helper.py": "def f() -> None:\n    print(1)\n"})
    home = ClusterProject(project)
    project.replace("helper.py", "print(1)", "print(2)")
    edited = ClusterProject(project)
    edited.loaded, edited.template = home.loaded, attrs.evolve(edited.template)

    answer = edited.run(worker, "f")

    assert refused(answer) == ("expectation", "w1 has other code, values or libraries", None)
    assert answer.refused is not None
    ours = expectation.facts(home.stage("f"), home.loaded.schema)
    assert expectation.differences(ours, answer.refused.facts or {}) == ["code helper:f differs"]
    gone = edited.answer(worker, attrs.evolve(edited.task("f"), address="p.gone"))
    assert refused(gone) == ("expectation", "w1 finds no stage p.gone in pipeline.py", None)


def test_a_load_that_fails_is_refused_with_its_traceback(worker: StageWorker, tmp_path: pathlib.Path) -> None:
    code = "import os\nif not os.path.exists('.git'):\n    import gone\ndef s() -> None: pass\npipeline.register(s)\n"
    (tmp_path / "project/.git").mkdir(parents=True)
    home = ClusterProject(Sources(tmp_path / "project", {"pipeline.py": code}))

    answer = home.run(worker, "s")

    kind, summary, hint = refused(answer)
    assert (kind, "ModuleNotFoundError: No module named 'gone'" in summary) == ("load", True)
    assert answer.refused is not None
    assert 'File "pipeline.py", line ' in answer.refused.detail
    assert hint is not None
    assert "worker.include" in hint


def test_an_input_that_is_not_available_is_refused(home: ClusterProject, worker: StageWorker) -> None:
    gone = {ArtifactPath("in.txt"): Artifact("0" * 32, 3)}
    kind, summary, _ = refused(home.run(worker, "good", deps=gone))

    assert kind == "inputs"
    assert "an input is not available" in summary


def test_problems_of_the_worker_are_refused(home: ClusterProject, worker: StageWorker) -> None:
    def full() -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk")

    def wrong() -> bytes:
        raise RuntimeError("a bug")

    def damaged() -> bytes:
        return b"no archive"

    for archive, said in (
        (full, "w1: No space left on device: /disk"),
        (wrong, "w1: RuntimeError('a bug')"),
        (damaged, "the archive of the sources is damaged"),
    ):
        data = task.encode(home.task("good", overrides=("p.good.x=1",)))
        kind, summary, _ = refused(StageAnswer.from_plain(task.parse(worker.run(data, archive))))

        assert kind == "worker"
        assert summary.startswith(said)


# -- the way of the bytes


@pytest.fixture
def shared(home: ClusterProject, tmp_path: pathlib.Path) -> tuple[SharedRoute, ObjectStore]:
    """A cache that home and worker share, with all inputs."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "probe").write_text("token")
    store = ObjectStore(cache / "files")
    stored(store, home.root, [ArtifactPath("in.txt"), ArtifactPath("data")])
    return SharedRoute(str(cache), str(cache / "probe"), "token"), store


def test_bytes_go_through_a_shared_cache_and_the_run_is_recorded_there(
    home: ClusterProject, worker: StageWorker, shared: tuple[SharedRoute, ObjectStore]
) -> None:
    route, store = shared
    runs = RunCache(Layout(store.directory, pathlib.Path(route.cache)).runs_dir)

    for name in ("good", "reads_tree", "large"):
        one = home.task(name, route=route)
        answer = ended(home.answer(worker, one))

        assert answer.objects == {}
        assert all(map(store.has_all, answer.outs.values()))
        (record,) = runs.get(one.key)
        assert record.outs == answer.outs


def test_what_is_not_cached_comes_home_and_is_stored_nowhere(
    home: ClusterProject, worker: StageWorker, shared: tuple[SharedRoute, ObjectStore]
) -> None:
    route, store = shared
    before = set(store.digests())

    assert text_of(home.run(worker, "uncached", route=route), "plain.txt") == "plain"
    assert set(store.digests()) == before


@pytest.mark.parametrize("change", [{"publish": False}, {"publish": True}])
def test_a_run_is_not_recorded_for_others_if_it_depends_on_more(
    home: ClusterProject, worker: StageWorker, shared: tuple[SharedRoute, ObjectStore], change: dict[str, bool]
) -> None:
    route, store = shared
    runs = RunCache(Layout(store.directory, pathlib.Path(route.cache)).runs_dir)
    one = home.task("dynamic" if change["publish"] else "good", route=route, **change)

    ended(home.answer(worker, one))

    assert runs.get(one.key) == ()


def test_a_worker_that_does_not_see_the_shared_directory_refuses(
    home: ClusterProject, worker: StageWorker, shared: tuple[SharedRoute, ObjectStore]
) -> None:
    for route in (attrs.evolve(shared[0], token="other"), attrs.evolve(shared[0], probe="/nowhere/probe")):
        kind, summary, hint = refused(home.run(worker, "good", route=route))

        assert kind == "shared"
        assert f"the shared directory of {route.cache}" in summary
        assert hint is not None
        assert "executor.shared" in hint

    unreadable = "/proc/sys/vm/compact_memory"  # also for root
    if os.path.exists(unreadable):
        _, summary, hint = refused(home.run(worker, "good", route=attrs.evolve(shared[0], probe=unreadable)))
        assert "may not read the shared directory of" in summary
        assert hint is not None
        assert "a group that shares" in hint


# -- directories


def test_directories_of_killed_workers_are_removed_and_those_of_others_stay(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "workers"
    with workspaces.own_directory(home) as one:
        (home / "worker-killed/unreadable/x").mkdir(parents=True)
        (home / "worker-killed/unreadable").chmod(0)
        (home / "worker-killed/lock").touch()
        (home / "worker-begun").mkdir()
        with workspaces.own_directory(home) as other:
            assert {entry.name for entry in home.iterdir() if entry.is_dir()} == {one.name, other.name}
            assert all(stat & 0o77 == 0 for stat in (home.stat().st_mode, one.stat().st_mode))
    assert [entry.name for entry in home.iterdir()] == ["guard"]


KILLED = """
import os, pathlib, sys
from pivot_runtime.cluster_worker.stage_worker import StageWorker
directory, task, archive = map(pathlib.Path, sys.argv[1:])
StageWorker(directory, "w").run(task.read_bytes(), archive.read_bytes)
"""


def test_a_worker_that_is_killed_leaves_no_process_and_the_next_one_removes_its_directory(
    home: ClusterProject, place: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "task").write_bytes(task.encode(home.task("waits")))
    (tmp_path / "archive").write_bytes(home.archive.data)
    words = [sys.executable, "-c", KILLED, *(str(tmp_path / name) for name in ("worker", "task", "archive"))]
    with subprocess.Popen(words) as process:
        wait_until((place / "waiting").exists)
        (left,) = (tmp_path / "worker").glob("worker-*")
        pid = int((place / "waiting").read_text())
        process.kill()
    wait_until(lambda: not alive(pid))

    StageWorker(tmp_path / "worker", "w").close()

    assert not left.exists()
    for file in place.iterdir():
        file.unlink()


def test_a_directory_of_another_user_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises((EngineError, FileExistsError)):
        StageWorker(tmp_path / "link", "w")
    if os.geteuid() == 0:
        os.chown(tmp_path / "real", 1, 1)
        with pytest.raises(EngineError, match="belongs to another user"):
            StageWorker(tmp_path / "real", "w")


def test_a_host_that_was_killed_while_it_waited_is_replaced(home: ClusterProject, tmp_path: pathlib.Path) -> None:
    worker = StageWorker(tmp_path / "worker", "w")
    text_of(home.run(worker, "good"), "made/left.txt")
    (idle,) = worker._workspaces._idle  # no stage knows the pid of its host for sure
    os.kill(idle.host.pid, signal.SIGKILL)
    wait_until(lambda: not alive(idle.host.pid))

    assert text_of(home.run(worker, "good"), "made/left.txt") == "ABC"
    worker.close()
    assert home.run(worker, "good").stopped
    assert list((tmp_path / "worker").glob("worker-*")) == []
