"""An unchanged pipeline is not imported again, and a repeated command is answered at once."""

import os
import pathlib
import random
import shutil
import time
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """
import json
import os
import pathlib
import sys
from typing import Annotated

import pivot
import helper

try:
    import extra
except ImportError:
    extra = None

print("IMPORTED", file=sys.stderr)

names = json.loads(pathlib.Path("settings.json").read_text())
if pathlib.Path("flag").exists():
    names.append("flagged")
names += [path.stem for path in sorted(pathlib.Path("configs").glob("*.cfg"))]
names.append(os.environ.get("MODE", "plain"))
if extra is not None:
    names.append(extra.NAME)

pipeline = pivot.Pipeline("p")


def copy(text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())], name: str):
    return helper.changed(text) + name


def stage(name):
    def work(
        text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
    ) -> Annotated[str, pivot.Out(f"{name}.txt", pivot.loaders.Text())]:
        return helper.changed(text) + name

    return work


for name in names:
    pipeline.register(stage(name), name=name)
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    made.write("helper.py", "def changed(text):\n    return text.upper()\n")
    made.write("settings.json", '["one", "two"]')
    made.write("configs/three.cfg", "")
    made.write("in.txt", "text")
    made.pivot("repro")
    return made


def settle(project: Project) -> None:
    """Let all files be older than the step of the file system's clock, as they are for a user who types."""
    then = time.time_ns() - 10_000_000_000
    for directory, _, files in os.walk(project.root):
        for name in files:
            os.utime(pathlib.Path(directory, name), ns=(then, then))
    newest = max(path.stat().st_ctime_ns for path in project.root.rglob("*"))
    while time.time_ns() < newest + 20_000_000:
        os.sched_yield()


def imported(project: Project, *arguments: str, **environment: str) -> bool:
    return "IMPORTED" in project.pivot(*arguments, env=environment, code=None).stderr


def test_a_search_for_distributions_depends_on_no_other_file(project: Project) -> None:
    """Libraries ask for versions as they are imported, and the directory of the project is searched for them, too."""
    project.write("pipeline.py", "import importlib.metadata\nfound = importlib.metadata.version('click')\n" + PIPELINE)
    project.pivot("repro")
    project.write("note.txt", "")
    assert not imported(project, "status")

    (project.root / "click-0.1.dist-info").mkdir()
    assert imported(project, "status")


def test_directories_with_names_of_modules_in_packages_do_not_count(project: Project) -> None:
    """Libraries have modules called ``models`` or ``data``, and projects have directories with these names."""
    optional = "try:\n    import data\nexcept ImportError:\n    pass\n"
    project.write("pipeline.py", f"import library.models\nfrom library import data\n{PIPELINE}")
    for name in ("models", "data", "inner"):
        project.write(f"library/{name}.py", "")
    project.pivot("repro")
    project.write("models/out.txt", "")
    project.write("data/out.txt", "")
    assert not imported(project, "status")

    project.write("library/data/__init__.py", "")  # it comes before the module
    assert imported(project, "status")
    project.write("library/inner/__init__.py", "")
    assert not imported(project, "status")
    project.write("pipeline.py", optional + PIPELINE)
    project.pivot("repro")
    shutil.rmtree(project.root / "data")
    assert imported(project, "status")
    project.write("data/out.txt", "")
    assert imported(project, "status")
    project.write("data.py", "")
    assert imported(project, "status")


def test_unchanged_pipelines_are_not_imported(project: Project) -> None:
    for command in ("status", "repro", "list", "verify", "dag", "repro --dry-run", "fingerprint", "repro two"):
        assert not imported(project, *command.split()), command
    for _ in range(3):  # and never answered by an earlier command
        assert imported(project, "status", "--no-snapshot")
    assert imported(project, "status", PIVOT_SNAPSHOT="off")
    assert not imported(project, "status")


def test_a_stage_that_must_run_is_imported_then(project: Project) -> None:
    project.write("in.txt", "other")
    done = project.pivot("repro", "one")
    assert "IMPORTED" in done.stderr
    assert project.read("one.txt") == "OTHERone"


def test_everything_that_an_import_depended_on_counts(project: Project) -> None:
    """Each edit is seen by the next command, and the load after it holds again."""

    def stages(**environment: str) -> list[str]:
        return [stage["name"] for stage in project.json("list", "--json", env=environment)["stages"]]

    def removed(name: str) -> Callable[[], None]:
        return (project.root / name).unlink

    edits: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: project.write("settings.json", '["one"]'), ["one", "three", "plain"]),
        (lambda: project.write("flag", ""), ["one", "flagged", "three", "plain"]),
        (removed("flag"), ["one", "three", "plain"]),
        (lambda: project.write("configs/four.cfg", ""), ["one", "four", "three", "plain"]),
        (removed("configs/four.cfg"), ["one", "three", "plain"]),
        (lambda: project.write("extra.py", "NAME = 'more'\n"), ["one", "three", "plain", "more"]),
        (removed("extra.py"), ["one", "three", "plain"]),
        (lambda: project.write("extra/__init__.py", "NAME = 'package'\n"), ["one", "three", "plain", "package"]),
        (lambda: shutil.rmtree(project.root / "extra"), ["one", "three", "plain"]),
        (lambda: project.replace("pipeline.py", '"plain"', '"simple"'), ["one", "three", "simple"]),
    ]
    for number, (edit, expected) in enumerate(edits):
        edit()
        assert sorted(stages()) == sorted(expected), number
        assert not imported(project, "list"), number
    assert sorted(stages(MODE="other")) == ["one", "other", "three"]
    assert not imported(project, "list", UNRELATED="1", MODE="other")
    assert imported(project, "list")


def test_a_helper_and_its_parameters_files(project: Project) -> None:
    project.replace("helper.py", "upper", "lower")
    assert {stage["status"] for stage in project.json("status", "--json")["stages"]} == {"stale"}
    project.replace("helper.py", "lower", "upper")
    assert {stage["status"] for stage in project.json("status", "--json")["stages"]} == {"cached"}
    project.write("params.yaml", "nobody: {}\n")
    assert "there is no stage 'nobody'" in project.pivot("status", code=2).stderr


LAZY = """
import pathlib
from typing import Annotated

import pivot
from pivot import loaders
from pivot_fingerprint import no_fingerprint, register_encoder

pipeline = pivot.Pipeline("p")


class Weights:
    def __init__(self, path):
        self.path = path


WEIGHTS = Weights(pathlib.Path(__file__).with_name("weights.txt"))
register_encoder(Weights, lambda weights: weights.path.read_bytes())


@pipeline.register
def lazy() -> Annotated[str, pivot.Out("lazy.txt", loaders.Text())]:
    import helper
    return helper.go()


@pipeline.register
def appears() -> Annotated[str, pivot.Out("appears.txt", loaders.Text())]:
    try:
        from fast import go
    except ImportError:
        return "slow"
    return go()


@pipeline.register
def packed() -> Annotated[str, pivot.Out("packed.txt", loaders.Text())]:
    from kit import tool
    try:
        from kit.extra import more
    except ImportError:
        more = tool
    return more()


@pipeline.register
def weighed() -> Annotated[str, pivot.Out("weighed.txt", loaders.Text())]:
    return WEIGHTS.path.read_text()


@no_fingerprint(code_deps=["rules.txt", "sub/more.txt"])
def rules():
    return "".join(path.read_text() for path in map(pathlib.Path, ("rules.txt", "sub/more.txt")) if path.exists())


@pipeline.register
def ruled() -> Annotated[str, pivot.Out("ruled.txt", loaders.Text())]:
    return rules()
"""


def test_files_read_only_by_the_fingerprint_count(make: Callable[[str], Project]) -> None:
    """Also files that it does not find; `status` says the same as one that imports everything again."""
    project = make(LAZY)
    project.write("helper.py", "from lower import go\n")
    project.write("lower.py", "def go():\n    return 'one'\n")
    project.write("kit/__init__.py", "from kit.tools import tool\n")
    project.write("kit/tools.py", "def tool():\n    return 'one'\n")
    project.write("weights.txt", "1")
    project.write("rules.txt", "1")

    def renamed(old: str, new: str) -> None:
        (project.root / new).parent.mkdir(exist_ok=True)
        (project.root / old).rename(project.root / new)

    def first() -> set[str]:
        project.replace("lower.py", "one", "two")
        project.write("fast.py", "def go():\n    return 'fast'\n")
        project.replace("kit/tools.py", "one", "two")
        project.write("weights.txt", "2")
        return {"lazy", "appears", "packed", "weighed"}

    def second() -> set[str]:
        project.write("fast/__init__.py", "def go():\n    return 'faster'\n")
        project.write("kit/extra.py", "def more():\n    return 'more'\n")
        project.write("rules.txt", "2")
        return {"appears", "packed", "ruled"}

    def third() -> set[str]:
        shutil.rmtree(project.root / "fast")
        renamed("fast.py", "faster.py")
        renamed("rules.txt", "sub/more.txt")
        renamed("lower.py", "lower/__init__.py")
        return {"appears", "ruled"}

    project.pivot("repro")
    for edit in (first, second, third):
        stale = edit()
        found = {each["name"] for each in project.json("status", "--json")["stages"] if each["status"] == "stale"}
        assert found == stale, edit.__name__
        project.pivot("repro")
    assert {each["status"] for each in project.json("status", "--json", "--no-snapshot")["stages"]} == {"cached"}


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess; subprocess.run(['true'], check=True)",
        "import datetime; datetime.datetime.now()",
        "import time; time.time()",
        "import time; time.strftime('%Y')",
        "import random; random.random()",
        "import random; random.Random().random()",
        "import uuid; uuid.uuid4()",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import sqlite3; sqlite3.connect(':memory:')",
    ],
)
def test_uncheckable_pipelines_are_imported_each_time(make: Callable[[str], Project], line: str) -> None:
    project = make(PIPELINE.replace("names = json", f"{line}\nnames = json"))
    project.write("helper.py", "def changed(text):\n    return text\n")
    project.write("settings.json", "[]")
    assert imported(project, "list")
    assert imported(project, "list")


def test_an_import_that_gives_something_else_each_time_wins(make: Callable[[str], Project]) -> None:
    """Reads without Python's help cannot be observed: a run goes by what it imports, not by what was kept."""
    read = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nfd = libc.open(b'n.txt', 0)\nbuffer = ctypes.create_string_buffer(9)"
    )
    project = make(
        f"{read}\nlibc.read(fd, buffer, 8)\nlibc.close(fd)\n"
        + PIPELINE.replace("names = json", "COUNT = buffer.value.decode()\nnames = json")
        .replace("return helper.changed(text) + name\n\n    return", "return COUNT\n\n    return")
        .replace("import helper", "")
    )
    project.write("settings.json", "[]")
    project.write("in.txt", "text")
    project.write("n.txt", "1")
    project.pivot("repro")
    project.write("n.txt", "2")
    project.pivot("repro", "--force")
    assert project.read("plain.txt") == "2"


def test_a_repeated_command_is_answered_without_its_parser(project: Project) -> None:
    settle(project)
    environment = {"PYTHONPROFILEIMPORTTIME": "1"}
    for command in (["repro"], ["status"], ["status", "--json"], ["repro", "one"]):
        slow = [project.pivot(*command, env=environment) for _ in range(2)][-1]
        fast = project.pivot(*command, env=environment)
        modules = {line.rpartition("|")[2].strip() for line in fast.stderr.splitlines() if "import time:" in line}
        ours = {name for name in modules if name.partition(".")[0] not in _STARTED}
        assert ours <= _ANSWERING, command
        assert without_time(fast.stdout) == without_time(slow.stdout)
        assert without_imports(fast.stderr) == without_imports(slow.stderr)


_ANSWERING = frozenset(
    {
        "pivot_cli",
        "pivot_cli.main",
        "pivot_runtime",
        "pivot_runtime.freshness",
        "pivot_runtime.freshness.noop_cache",
        "pivot_runtime.freshness.stamps",
    }
    | {"pivot_runtime.freshness.stamps", "xxhash", "xxhash._xxhash", "xxhash.version", "binascii", "linecache"}
)
_STARTED = frozenset(
    {"_io", "marshal", "posix", "_frozen_importlib_external", "time", "zipimport", "_codecs", "codecs", "encodings"}
    | {"_signal", "_abc", "abc", "io", "_stat", "stat", "_collections_abc", "genericpath", "posixpath", "os"}
    | {"_sitebuiltins", "sitecustomize", "usercustomize", "site", "imported package", "a1_coverage", "_distutils_hack"}
    | {"_virtualenv", "sys", "builtins"}
)


def without_time(text: str) -> str:
    return text.partition(" (")[0]


def without_imports(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if "import time:" not in line)


def test_only_commands_whose_answer_is_looked_for_keep_it(project: Project) -> None:
    settle(project)
    for _ in range(2):
        project.pivot("run", "one")
    assert not (project.root / ".pivot/state.db/noop_cache").exists()


def test_an_answer_holds_only_while_nothing_has_changed(project: Project) -> None:
    """Every kind of thing that a command looks at: whatever is edited, the next command sees it."""

    def repeated() -> None:
        settle(project)
        for _ in range(3):
            assert "4 stages, all cached" in project.pivot("status").stdout

    repeated()
    project.write("one.txt", "tampered")
    assert "all cached" not in project.pivot("status").stdout
    project.pivot("repro")
    repeated()
    (project.root / ".pivot/stages/p.one.lock").unlink()
    assert "No previous run" in project.pivot("status").stdout
    project.pivot("repro")
    repeated()
    project.write("note.txt", "data")
    project.pivot("track", "note.txt")
    assert "note.txt" in project.pivot("status").stdout
    repeated()
    project.write("note.txt", "changed")
    assert "modified" in project.pivot("status").stdout
    project.write(".pivot/config.yaml", "nonsense: 1\n")
    assert "nonsense" in project.pivot("status", code=2).stderr


def test_an_answer_holds_only_while_the_variables_in_the_cache_directory_are_the_same(project: Project) -> None:
    first, second = ({"SCRATCH": str(project.root.parent / name)} for name in ("first", "second"))
    project.write(".pivot/config.yaml", "cache.dir: ${SCRATCH}/cache\n")
    project.pivot("repro", env=first)
    settle(project)
    for _ in range(3):
        assert "up to date" in project.pivot("repro", env=first).stdout
        assert "all cached" in project.pivot("status", env=first).stdout

    assert "all cached" not in project.pivot("status", env=second).stdout
    assert "variable SCRATCH is not set" in project.pivot("repro", code=2).stderr
    assert "up to date" not in project.pivot("repro", env=second).stdout


def test_no_edit_makes_a_snapshot_change_an_answer(project: Project) -> None:
    chance = random.Random(20_261_121)
    edits: list[Callable[[], object]] = [
        lambda: project.write("in.txt", chance.choice(["text", "other"])),
        lambda: project.write("settings.json", chance.choice(['["one", "two"]', '["one"]', "[]"])),
        lambda: project.write("flag", ""),
        lambda: (project.root / "flag").unlink(missing_ok=True),
        lambda: project.write(f"configs/{chance.choice('ab')}.cfg", ""),
        lambda: project.write(
            "helper.py", f"def changed(text):\n    return text.{chance.choice(['upper', 'lower'])}()\n"
        ),
        lambda: project.write("helper.py", "# a comment\n" + project.read("helper.py")),
        lambda: project.write("extra.py", "NAME = 'more'\n"),
        lambda: (project.root / "extra.py").unlink(missing_ok=True),
        lambda: project.write("one.txt", "tampered"),
        lambda: project.pivot("repro"),
        lambda: settle(project),
    ]
    for step in range(12):
        chance.choice(edits)()
        known = project.pivot("status", "--json", "--stages-only")
        assert known.stdout == project.pivot("status", "--json", "--stages-only", "--no-snapshot").stdout, step


def test_a_damaged_snapshot_or_answer_is_none(project: Project) -> None:
    settle(project)
    for _ in range(2):
        project.pivot("status")
    before = project.pivot("status").stdout
    kept = [*project.root.glob(".pivot/state.db/snapshots/*"), *project.root.glob(".pivot/state.db/noop_cache/*")]
    assert len(kept) == 2
    for file in kept:
        content = file.read_bytes()
        for damaged in (b"", content[: len(content) // 2], content.replace(b"one", b"two"), bytes(300)):
            file.write_bytes(damaged)
            assert project.pivot("status").stdout == before


def test_secrets_on_the_command_line_are_not_kept(make: Callable[[str], Project]) -> None:
    project = make(
        "import attrs\nimport pivot\nfrom typing import Annotated\n"
        "class P(pivot.StageParams):\n    key: Annotated[str, pivot.Secret] = 'x'\n"
        "def s(params: P) -> Annotated[str, pivot.Out('o.txt', pivot.loaders.Text())]:\n    return 'o'\n"
        "pipeline = pivot.Pipeline('p')\npipeline.register(s)\n"
    )
    for _ in range(3):
        project.pivot("repro", "-p", "s.key=correct-horse")
    for file in project.root.rglob("*"):
        if file.is_file():
            assert b"correct-horse" not in file.read_bytes()
