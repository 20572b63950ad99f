"""Functions for notebooks and scripts, in a process with threads and a running event loop; they leave it as it was."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from harness import Project, environment

PIPELINE = """\
import pathlib
from typing import Annotated, TypedDict

import boxes
import pivot

pipeline = pivot.Pipeline("p")


class Trained(TypedDict):
    model: Annotated[dict[str, int], pivot.Out("out/model.json", pivot.loaders.JSON(sort_keys=True))]
    parts: Annotated[list[str], pivot.Out(["out/a.txt", "out/b.txt"], pivot.loaders.Text())]
    raw: Annotated[pathlib.Path, pivot.Out("out/raw.bin")]
    box: Annotated[boxes.Box, pivot.Out("out/box", boxes.Boxes(";"))]
    log: Annotated[str, pivot.Out("out/log", boxes.Log())]
    many: Annotated[dict[str, str], pivot.DirectoryOut("out/many", pivot.loaders.Text())]


class Params(pivot.StageParams):
    rate: int = 1


def train(data: Annotated[list[int], pivot.Dep("data.json", pivot.loaders.JSON())], params: Params) -> Trained:
    print("training")
    pathlib.Path("out/raw.bin").write_bytes(b"raw")
    return Trained(
        model={"n": len(data) * params.rate},
        parts=["one", "two"],
        raw=pathlib.Path("out/raw.bin"),
        box=boxes.Box(["a", "b"]),
        log="line",
        many={"x/1.txt": "1", "2.txt": "2"},
    )


def score(
    model: Annotated[dict[str, int], pivot.Dep("out/model.json", pivot.loaders.JSON())],
) -> Annotated[dict[str, float], pivot.Metric("score.json")]:
    return {"accuracy": 1 / model["n"]}


def nested(text: Annotated[str, pivot.Dep("nest.txt", pivot.loaders.Text())]) -> None:
    getattr(pivot, text)("score")


pipeline.register(train)
pipeline.register(score)
pivot.Pipeline("other")
"""
BOXES = """\
import pathlib


class Box:
    def __init__(self, items):
        self.items = items


class Boxes:
    def __init__(self, separator):
        self.separator = separator

    def load(self, path):
        return Box(path.read_text().split(self.separator))

    def save(self, value, path):
        path.write_text(self.separator.join(value.items))


class Log:
    def save(self, value, path):
        path.write_text(value)
"""
BEGIN = """\
import asyncio, gc, json, os, pathlib, signal, sys, threading, warnings
import pivot

seen = {}
threading.Thread(target=threading.Event().wait, daemon=True).start()  # this process cannot be forked any more


def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    collector = [gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()]
    return [os.getcwd(), list(sys.path), list(map(id, handlers)), collector, os.umask(0o22)]


def error_of(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except pivot.PivotError as error:
        return [type(error).__name__, str(error), getattr(error, "__notes__", [])]


async def notebook():
"""
END = """

asyncio.run(notebook())
print(json.dumps(seen))
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("boxes.py", BOXES)
    project.write("data.json", "[1, 2]")
    (project.root / "notebooks").mkdir()
    return project


def run_script(script: pathlib.Path, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def in_notebook(project: Project, body: str, cwd: str = "notebooks") -> dict[str, Any]:
    """Run code as the coroutine of a script; returns what it has noted in ``seen``."""
    script = project.root.parent / "script.py"
    script.write_text(BEGIN + "".join(f"    {line}\n" for line in body.splitlines()) + END)
    done = run_script(script, project.root / cwd)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "stderr": done.stderr}


def test_a_project_is_run_looked_at_and_loaded_from_a_notebook(project: Project) -> None:
    seen = in_notebook(
        project,
        """
before = state()
seen["first"] = repr(pivot.status())
seen["absent"] = error_of(pivot.load, "train.model")
done = pivot.repro("score", params={"train.rate": 2})
seen["run"] = [repr(done), done.ok, [(each.name, each.outcome, each.reason) for each in done.stages.values()]]
seen["again"] = repr(pivot.repro(params={"train.rate": 2}))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    seen["model"] = pivot.load("train.model")
seen["stale"] = [(each.category.__name__, str(each.message), os.path.basename(each.filename)) for each in caught]
warnings.simplefilter("ignore", pivot.StaleWarning)
seen["parts"] = pivot.load("p.train.parts")
seen["many"] = pivot.load("train.many")
seen["one of many"] = pivot.load("../out/many/x/1.txt")
seen["score"] = pivot.load("score")
seen["given"] = pivot.load(pathlib.Path("../out/model.json"), loader=pivot.loaders.Text())
seen["raw"] = os.path.relpath(pivot.load("train.raw"))
seen["data"] = pivot.load("../data.json", loader=pivot.loaders.JSON())
seen["no loader"] = error_of(pivot.load, "../data.json")
seen["saves"] = error_of(pivot.load, "train.log")
seen["class"] = None
try:
    pivot.load("train.box")
except ModuleNotFoundError as error:
    seen["class"] = error.__notes__
sys.path.insert(0, os.path.abspath(".."))
seen["box"] = pivot.load("train.box").items
sys.path.pop(0)
seen["several"] = error_of(pivot.load, "train")
seen["unknown"] = error_of(pivot.load, "train.modle")
results = []
thread = threading.Thread(target=lambda: results.append(pivot.load("train.model")))
thread.start()
thread.join()
seen["thread"] = results
kept = []
while not kept:  # not while a change of what has just been written may be overlooked
    pivot.repro()
    files = pathlib.Path("../.pivot/state.db").glob("noop_cache/*")
    kept = [file for file in files if b"pivot.repro()" in file.read_bytes()]
kept[0].write_bytes(kept[0].read_bytes().replace(b'"train"', b'"kept"'))
calls = (pivot.repro(), pivot.repro("score"), pivot.repro(root=".."), pivot.repro(force=True), pivot.repro())
seen["kept"] = [[(each.name, each.outcome) for each in done.stages.values()] for done in calls]
seen["changed"] = [[was, now] for was, now in zip(before, state()) if was != now]
""",
    )

    assert seen["first"] == "<pivot.status: 2 stale>"
    assert seen["absent"] == [
        "OutUnavailableError",
        "train.model has not been computed yet: no run recorded out/model.json, and nothing is there",
        ["hint: pivot.repro('p.train')"],
    ]
    shown, ok, stages = seen["run"]
    assert re.fullmatch(r"<pivot\.repro: 2 ran, \d+\.\d s>", shown)
    assert ok
    assert stages == [["train", "ran", "No previous run"], ["score", "ran", "No previous run"]]
    assert seen["again"].startswith("<pivot.repro: 2 cached, ")
    assert seen["model"] == {"n": 4}
    assert seen["stale"] == [["StaleWarning", "train.model is stale: Parameter changed: rate", "script.py"]]
    assert seen["parts"] == ["one", "two"]
    assert seen["many"] == {"2.txt": "2", "x/1.txt": "1"}
    assert seen["one of many"] == "1"
    assert seen["score"] == {"accuracy": 0.25}
    assert seen["given"] == '{\n  "n": 4\n}\n'
    assert seen["raw"] == "../out/raw.bin"
    assert seen["data"] == [1, 2]
    assert seen["no loader"][1] == "no stage writes ../data.json, so that its loader is unknown"
    assert seen["saves"][1] == "the loader Log of train.log can save, but not load"
    assert "extend sys.path" in seen["class"][-1]
    assert seen["box"] == ["a", "b"]
    assert seen["several"][1] == "stage 'train' returns several values"
    assert seen["unknown"][2][0].startswith("hint: did you mean train.model")
    assert seen["thread"] == [{"n": 4}]
    cached, ran = ([["train", outcome], ["score", outcome]] for outcome in ("cached", "ran"))
    assert seen["kept"] == [[["kept", "cached"], ["score", "cached"]], cached, cached, ran, cached]
    assert seen["changed"] == []
    assert seen["stderr"] == ""
    runs = "".join(file.read_text() for file in (project.root / ".pivot/state.db/history").iterdir())
    assert "pivot.repro('score', params={'train.rate': 2})" in runs


def test_values_come_from_the_cache_and_from_git_without_changing_the_workspace(project: Project) -> None:
    git(project, "init", "-q")
    project.pivot("repro")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    project.write("data.json", "[1, 2, 3, 4]")
    project.pivot("repro")
    shutil.rmtree(project.root / "out")

    seen = in_notebook(
        project,
        """
warnings.simplefilter("error")
seen["model"] = pivot.load("train.model", root="..")
seen["many"] = pivot.load("train.many")
copy = pivot.load("train.raw")
seen["copy"] = [copy.name, copy.read_bytes().decode(), str(copy)]
seen["untouched"] = not os.path.exists("../out")
seen["path"] = str(pivot.path("train.raw"))
seen["restored"] = sorted(os.listdir("../out"))
seen["inside"] = str(pivot.path("../out/many/2.txt"))
seen["content"] = pathlib.Path("../out/many/2.txt").read_text()
seen["several"] = error_of(pivot.path, "train.parts")
pathlib.Path("../out/raw.bin").write_text("mine")
warnings.simplefilter("ignore")
seen["mine"] = pivot.path("train.raw").read_text()
seen["then"] = [pivot.load("train.model", rev="HEAD"), pivot.load("score", rev="HEAD")]
seen["more"] = [pivot.load("train.many", rev="HEAD"), pivot.load("train.parts", rev="HEAD")]
seen["file"] = pivot.load("../out/many/x/1.txt", rev="HEAD")
seen["copied"] = pivot.path("train.model", rev="HEAD").read_text()
seen["given"] = pivot.load("../out/model.json", rev="HEAD", loader=pivot.loaders.Text())
seen["no revision"] = error_of(pivot.load, "score", rev="nothing")
seen["not recorded"] = error_of(pivot.load, "../data.json", rev="HEAD", loader=pivot.loaders.JSON())
import shutil
shutil.rmtree("../.pivot/cache")
shutil.rmtree("../out")
warnings.simplefilter("error")
seen["nowhere"] = error_of(pivot.load, "train.model")
seen["gone"] = error_of(pivot.load, "train.model", rev="HEAD")
pathlib.Path("../.pivot/state.db/left_outs").write_text('["out/model.json", "0", false]')
seen["left"] = error_of(pivot.load, "train.model")
seen["in git"] = pivot.load("score", rev="HEAD")
""",
    )

    assert seen["model"] == {"n": 4}
    assert seen["many"] == {"2.txt": "2", "x/1.txt": "1"}
    name, content, copy = seen["copy"]
    assert (name, content) == ("raw.bin", "raw")
    assert not os.path.exists(copy)  # it lasted as long as the process
    assert seen["untouched"]
    assert seen["path"] == str(project.root / "out/raw.bin")
    assert seen["restored"] == ["raw.bin"]
    assert seen["inside"] == str(project.root / "out/many/2.txt")
    assert seen["content"] == "2"
    assert seen["several"][1] == "train.parts is saved to several paths"
    assert seen["mine"] == "mine"
    assert seen["then"] == [{"n": 2}, {"accuracy": 0.5}]
    assert seen["more"] == [{"2.txt": "2", "x/1.txt": "1"}, ["one", "two"]]
    assert seen["file"] == "1"
    assert json.loads(seen["copied"]) == {"n": 2}
    assert seen["given"] == seen["copied"]
    assert seen["no revision"][0] == "RevisionError"
    assert seen["not recorded"][1] == "no run at HEAD recorded ../data.json"
    assert seen["gone"][1:] == [
        "the content of ../out/model.json at HEAD is not in the cache",
        ["hint: fetch it from the remote: pull=True"],
    ]
    assert seen["in git"] == {"accuracy": 0.5}
    assert seen["nowhere"][1:] == [  # it is not stale
        "train.model is neither in the workspace nor in the cache",
        ["hint: fetch it from the remote: pull=True, or pivot.repro('p.train')"],
    ]
    assert seen["left"][2] == ["hint: fetch it from the remote: pull=True"]


def test_failures_and_calls_from_stages_say_what_is_wrong(project: Project) -> None:
    project.write("nest.txt", "load")
    project.replace("pipeline.py", "1 / model[", "1 / 0 / model[")
    project.write("pipeline.py", project.read("pipeline.py") + "pipeline.register(nested)\n")

    seen = in_notebook(
        project,
        """
try:
    pivot.repro(keep_going=True)
except pivot.RunFailedError as error:
    seen["error"] = [str(error), error.__notes__, repr(error.result)]
done = pivot.repro("train", "score", check=False, progress=True)
seen["record"] = [done.ok, done.stages["score"].outcome, done.stages["score"].reason]
pathlib.Path("../pipeline.py").write_text("import pivot\\nprint('never shown')\\npivot.status()\\n")
seen["import"] = error_of(pivot.status)
seen["outside"] = error_of(pivot.status, root="/")
seen["typo"] = error_of(pivot.repro, "score", params={"train": 1})
""",
    )

    text, notes, shown = seen["error"]
    assert text == "score failed: ZeroDivisionError: division by zero"
    (score,) = [note for note in notes if note.startswith("score:")]
    assert "1 / 0 / model" in score
    (stage,) = [note for note in notes if note.startswith("nested:")]
    assert "pivot.load is for notebooks and scripts; a stage, and the import of a pipeline, cannot call it" in stage
    assert stage.count("hint: declare a file that the stage reads as a dep") == 1
    assert "1 ran, 2 failed" in shown
    assert "not complete" in shown
    assert seen["record"] == [False, "failed", "ZeroDivisionError: division by zero"]
    assert "pivot: score: running (No previous run)\n" in seen["stderr"]
    assert "never shown" not in seen["stderr"]
    assert "pivot.status is for notebooks and scripts" in str(seen["import"])
    assert seen["outside"][0] == "DiscoveryError"
    assert seen["typo"][0] == "ParamError"


def test_ctrl_c_ends_the_stages_and_the_script_goes_on(project: Project) -> None:
    project.write("pipe", "")
    (project.root / "pipe").unlink()
    os.mkfifo(project.root / "pipe")
    project.replace("pipeline.py", 'print("training")', 'open("pipe").read()')
    script = project.write(
        "script.py",
        """\
import os, signal, threading
import pivot


def interrupt():
    global pipe  # closed, it would end the stage
    pipe = open("pipe", "w")  # opens as soon as the stage waits there
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


threading.Thread(target=interrupt).start()
try:
    pivot.repro()
except KeyboardInterrupt:
    print("interrupted", pivot.status(), flush=True)
os._exit(0)
""",
    )

    done = run_script(script, project.root)

    assert done.stdout == "interrupted <pivot.status: 2 stale>\n", done.stderr


def test_a_name_that_is_not_there() -> None:
    import pivot

    assert {"load", "path", "repro", "status"} <= set(dir(pivot))
    with pytest.raises(AttributeError, match="'pivot' has no attribute 'laod'"):
        _ = pivot.laod  # type: ignore[attr-defined]


def test_pipelines_import_nothing_of_it() -> None:
    names = "[name for name in sys.modules if 'pivot_runtime' in name or 'checks' in name]"
    code = f"import sys; import pivot, pivot.loaders; print({names})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=Reader", "-c", "user.email=reader@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=project.root, env=environment(), check=True)
