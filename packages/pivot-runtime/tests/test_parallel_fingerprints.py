"""Fingerprints made side by side equal those made in the host, whatever happens to the processes that make them."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import pytest
from source_projects import Sources

from pivot_runtime.definitions.read_ahead import ReadAhead
from pivot_runtime.fingerprints.imported_files import MANY_NEW, ImportedFiles
from pivot_runtime.fingerprints.load_findings import LoadFindings
from pivot_runtime.fingerprints.load_recorder import LoadRecorder
from pivot_runtime.loading import host_client
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.processes import wire

COUNT = 200
STAGES = f"""
import first, mode, second, value

for number in range({COUNT}):
    def stage(text: Annotated[str, Dep(f"in{{number}}.txt", Text())]) -> Annotated[str, Out(f"{{number}}.txt", Text())]:
        return (first if text else second).helper(text) + str(value.VALUE)

    pipeline.register(stage, name=f"s{{number}}")
"""
PROJECT = {
    "first.py": "import second\ndef helper(text): return second.helper(text) + text\n",
    "second.py": "def helper(text):\n    import late\n    return late.more(text)\n",
    "late.py": "def more(text): return text\n",
    "value.py": "VALUE = (1, 2)\n",
    "mode.py": """
import pathlib, signal
if pathlib.Path(__file__).with_name("in_host").read_text() == "yes":
    signal.signal(signal.SIGCHLD, lambda *_: None)  # then the host forks no process: this would notice its end
""",
    "in_host": "no",
}
ODD = """
import os

class Odd:
    def __pivot_fingerprint__(self):
        {act}
        return "odd"

DONE = []
VALUE = Odd()
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    return Sources((tmp_path / "project").resolve(), {"pipeline.py": STAGES, **PROJECT})


def loads(project: Sources) -> tuple[Loaded, Loaded]:
    """The loads with forked processes, and without."""
    forked = project.load()
    project.write("in_host", "yes")
    return forked, project.load()


def test_they_equal_those_of_the_host(project: Sources) -> None:
    forked, own = loads(project)

    assert len(forked.stages) == COUNT
    assert forked.stages == own.stages
    assert "it starts a process" not in forked.unrecorded


def test_what_they_read_is_recorded(project: Sources) -> None:
    """A module that only the fingerprint reads, and where it was looked for."""
    forked, own = loads(project)

    assert [pathlib.Path(file).name for file in forked.read] == ["late.py"]
    assert forked.read == own.read
    assert forked.trace is not None
    assert own.trace is not None
    assert {fact[:2] for fact in forked.trace.facts} == {fact[:2] for fact in own.trace.facts}
    assert forked.trace.requested == own.trace.requested
    assert "late" in forked.trace.requested


def test_a_module_read_only_by_the_fingerprint_counts_after_an_edit(project: Sources) -> None:
    before = project.load()
    project.write("late.py", "def more(text): return text + text\n")

    after = project.load()
    assert all(one.code != other.code for one, other in zip(before.stages, after.stages, strict=True))


@pytest.mark.parametrize(
    "act",
    [
        "os.getpid() == os.getpgrp() or os._exit(3)",
        "os.getpid() == os.getpgrp() or os.kill(os.getpid(), 9)",
        "if os.getpid() != os.getpgrp(): raise SystemExit",
        "if os.getpid() != os.getpgrp(): os.closerange(3, 50)",
    ],
)
def test_a_process_that_ends_early_is_replaced_by_the_host(project: Sources, act: str) -> None:
    project.write("value.py", ODD.format(act=act))
    forked, own = loads(project)

    assert len(forked.stages) == COUNT
    assert forked.stages == own.stages


@pytest.mark.parametrize(
    "text",
    [
        "import random\nrandom.seed(3)\nVALUE = {'n': random.gauss}\n",
        "import os\nVALUE = {'a': 1}\nos.register_at_fork(after_in_child=VALUE.clear)\n",
        "from os import register_at_fork\nVALUE = {'a': 1}\nregister_at_fork(after_in_child=VALUE.clear)\n",
        "import select\nVALUE = 1\ndel select.poll\n",
        "import warnings\nVALUE = '\\d'\nwarnings.simplefilter('error')\n",
    ],
)
def test_a_fork_does_not_show(project: Sources, text: str) -> None:
    """Neither functions called at forks, nor replaced functions, nor filters of warnings."""
    project.write("value.py", text)
    for number in range(40):
        project.write(f"m{number}.py", f"def f(text): return text + '{number}'\n")
    names = ", ".join(f"m{number}" for number in range(40))
    project.replace("pipeline.py", "import first, mode, second, value", f"import first, mode, second, value, {names}")
    forked, own = loads(project)

    assert forked.stages == own.stages
    assert any("value:VALUE" in key for key in forked.stages[0].code)


def test_modules_imported_by_a_fingerprint_count(project: Sources) -> None:
    project.write("value.py", ODD.format(act="import importlib; importlib.import_module('sc' + 'ale')"))
    project.write("scale.py", "FACTOR = 1\n")
    forked, own = loads(project)

    assert forked.sources == own.sources
    assert str(project.root / "scale.py") in forked.sources


def test_disagreement_does_not_prevent_the_load(project: Sources) -> None:
    """A fingerprint that changes what it depends on."""
    act = "open('grows', 'a').write('x'); os.stat('grows')"
    project.write("value.py", ODD.format(act=act))

    assert len(project.load().stages) == COUNT


def test_forks_may_fail(project: Sources) -> None:
    expected = project.load().stages
    project.write(
        "value.py",
        PROJECT["value.py"]
        + "import sys\ndef refuse(event, _):\n    if event == 'os.fork': raise BlockingIOError(11, 'none left')\n"
        "sys.addaudithook(refuse)\n",
    )

    assert [stage.spec for stage in project.load().stages] == [stage.spec for stage in expected]


def test_output_appears_once(project: Sources, capfd: pytest.CaptureFixture[str]) -> None:
    act = "DONE or print('by the host' if os.getpid() == os.getpgrp() else 'by a fork'); DONE.append(1)"
    project.write("value.py", ODD.format(act=act))
    project.replace("pipeline.py", "import first", "print('imported', end=' '); import first")
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    host.close()

    said = "".join(capfd.readouterr())
    assert said.count("imported") == 1
    assert 1 <= said.count("by a fork") <= 2  # once in each process
    assert "by the host" not in said


def test_an_edit_between_two_readers_is_noticed() -> None:
    recorders = (
        LoadFindings({}, {"/a.py": "1"}, {}, [], [], [], [], [], {}),
        LoadFindings({}, {"/a.py": "2"}, {}, [], [], [], [], [], {}),
    )
    recorder = new_recorder()

    assert recorder.add(recorders[0])
    assert not recorder.add(recorders[1])


def test_findings_survive_the_way_between_processes() -> None:
    found = LoadFindings(
        {("type", "/a"): "1"},
        {"/a.py": "d"},
        {"/b": ("stamp", 3)},
        ["/c"],
        ["it uses the network"],
        ["late"],
        ["late"],
        ["/p"],
        {"/d": "1 2", "/e": frozenset({"late.py"})},
    )
    recorder, before = new_recorder(), new_recorder().findings()

    assert recorder.add(LoadFindings.from_plain(wire.loads(wire.dumps(found.to_plain()))))
    assert recorder.findings().since(before) == found


def test_few_new_files_are_not_announced() -> None:
    with pipe() as (reader, writer):
        imported = ImportedFiles(writer)
        for number in range(100):
            imported.add(f"/{number}.py", is_new=number < MANY_NEW - 1)
        imported.end()

        assert os.get_blocking(reader)
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
        assert not imported.are_new


def test_many_new_files_are_announced_in_the_order_of_their_imports() -> None:
    with pipe() as (reader, writer):
        imported = ImportedFiles(writer)
        for number in range(30):
            imported.add(f"/{number}.py", is_new=True)
        imported.end()
        imported.add("/later.py", is_new=True)
        messages = [*wire.MessageReader(reader).receive()]

    assert [file for each in messages[:-1] for file in each["files"]] == [f"/{number}.py" for number in range(24)]
    assert messages[-1]["files"] is None
    assert len(imported.files) == 30


def test_an_import_does_not_wait_for_a_command_that_does_not_listen() -> None:
    with pipe() as (_, writer):
        imported = ImportedFiles(writer)
        for number in range(5000):
            imported.add(f"/{'long' * 20}/{number}.py", is_new=True)

    assert len(imported.files) == 5000


def test_a_closed_descriptor_does_not_fail_the_import() -> None:
    with pipe() as (reader, writer):
        imported = ImportedFiles(writer)
        os.close(writer)
        for number in range(100):
            imported.add(f"/{number}.py", is_new=True)
        imported.end()
        os.dup2(reader, writer)  # for the block's end

    assert len(imported.files) == 100


def test_announced_files_are_read(project: Sources) -> None:
    outlines = project.context.project.layout.outlines_dir
    ahead = ReadAhead(project.root)
    project.write("odd.py", "x = (")
    ahead.announced({"files": [str(project.root / name) for name in ("odd.py", "first.py", "second.py", "none.py")]})
    assert not outlines.exists()

    assert [ahead.read_next() for _ in range(5)] == [True, True, True, True, False]
    assert len(list(outlines.iterdir())) == 2


def test_the_rest_is_not_read_once_the_import_has_ended(project: Sources) -> None:
    ahead = ReadAhead(project.root)
    ahead.announced({"files": [str(project.root / "first.py")]})
    ahead.announced({"files": None})

    assert not ahead.read_next()


def test_a_project_with_many_new_modules(project: Sources) -> None:
    names = [f"m{number}" for number in range(40)]
    for name in names:
        project.write(f"{name}.py", f"def f(text): return text + '{name}'\n")
    project.replace("pipeline.py", "import first, ", f"import first, {', '.join(names)}, ")
    project.replace("pipeline.py", "str(value.VALUE)", " + ".join(f"{name}.f(text)" for name in names))
    forked, own = loads(project)

    assert forked.stages == own.stages
    assert {f"func:{name}:f" for name in names} <= forked.stages[0].code.keys()


def new_recorder() -> LoadRecorder:
    return LoadRecorder(lambda _: True, ())


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)
