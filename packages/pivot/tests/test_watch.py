"""`pivot repro --watch`, driven as editors and people do."""

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from harness import DATA, QUICK_START, Project

READY = "note: watching for changes"


class Watching:
    """A running ``pivot repro --watch``."""

    def __init__(self, project: Project, *arguments: str, cwd: str = ".") -> None:
        self.project = project
        self.process = project.start(
            "repro", "--watch", *arguments, cwd=cwd, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.told = ""
        assert self.process.stdout is not None
        self.poll = select.poll()
        self.poll.register(self.process.stdout, select.POLLIN)

    def until(self, text: str, seconds: float = 60) -> str:
        """Its output until it has printed this; the rest stays for the next call."""
        end = time.monotonic() + seconds
        assert self.process.stdout is not None
        while text not in self.told:
            ready = self.poll.poll(max(0, end - time.monotonic()) * 1000)
            assert ready, f"{text!r} was not said: {self.told}"
            read = os.read(self.process.stdout.fileno(), 1 << 16).decode()
            assert read, f"{text!r} was not said: {self.told}"
            self.told += read
        said, _, self.told = self.told.partition(text)
        return said + text

    def round(self) -> str:
        """Its output until the next round worth reporting has ended."""
        return self.until(READY)

    def close(self) -> None:
        with self.process:
            self.process.kill()

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def watch() -> Iterator[Callable[..., Watching]]:
    with contextlib.ExitStack() as stack:

        def start(project: Project, *arguments: str, cwd: str = ".") -> Watching:
            watching = Watching(project, *arguments, cwd=cwd)
            stack.callback(watching.close)
            return watching

        yield start


def by_rename(file: pathlib.Path, text: str) -> None:
    """Save as many editors do."""
    beside = file.with_name(f".{file.name}.swp")
    beside.write_text(text)
    beside.rename(file)


def save(project: Project, name: str, text: str) -> None:
    """Change a file in one step: whoever makes two may be paused between them, and both be seen."""
    ready = project.root.with_name("ready")
    ready.write_text(text)
    (project.root / name).parent.mkdir(parents=True, exist_ok=True)
    ready.rename(project.root / name)


def overwrite(file: pathlib.Path, text: str) -> None:
    """Save in place, at once, what is as long as before."""
    data = text.encode()
    assert len(data) == file.stat().st_size
    with file.open("r+b", buffering=0) as opened:
        opened.write(data)


def test_the_first_run_and_edits_of_data_and_code(quick: Project, watch: Callable[..., Watching]) -> None:
    watching = watch(quick)
    first = watching.round()
    assert "ran       preprocess" in first
    assert "Done: 2 ran" in first

    os.utime(quick.root / "data.json")  # the same bytes
    quick.write("unrelated.txt", "text")
    overwrite(quick.root / "data.json", DATA.replace("100", "150"))
    edited = watching.round()
    assert edited.count("\nchanged: data.json") == 1
    assert "ran       preprocess" in edited
    assert "ran       summarize" in edited

    text = quick.read("pipeline.py")
    by_rename(quick.root / "pipeline.py", text.replace('"count"', '"number"'))
    edited = watching.round()
    assert "cached    preprocess" in edited
    assert "ran       summarize" in edited
    assert '"number"' in quick.read("summary.json")

    save(quick, "pipeline.py", "x = (\n")
    assert "SyntaxError: '(' was never closed" in watching.round()
    save(quick, "pipeline.py", text)
    assert "restored  summarize" in watching.round()

    save(quick, "summary.json", "tampered")  # an out that somebody else has changed
    assert "restored  summarize" in watching.round()
    assert watching.end() == 130
    assert quick.json("status", "--json")["stages"][0]["status"] == "cached"


STORY = """
import pathlib
import time
from typing import Annotated

import pivot
from helper import changed

pipeline = pivot.Pipeline("story")


class Given(pivot.StageParams):
    times: int = 1


def slow(
    text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    pathlib.Path("started").write_text(text)
    while pathlib.Path("hold").exists():
        time.sleep(0.01)
    if text == "bad":
        raise ValueError("bad text")
    return changed(text)


def other(params: Given) -> Annotated[str, pivot.Out("other.txt", pivot.loaders.Text())]:
    return "x" * params.times


pipeline.register(slow)
pipeline.register(other)
"""


@pytest.fixture
def story(make: Callable[[str], Project]) -> Project:
    project = make(STORY)
    project.write("helper.py", "def changed(text):\n    return text.upper()\n")
    project.write("in.txt", "text")
    project.write(".pivot/config.yaml", "strict_io.level: off\nwatch.debounce: 20\n")
    return project


def appeared(file: pathlib.Path, text: str) -> None:
    end = time.monotonic() + 60
    while not file.exists() or file.read_text() != text:
        assert time.monotonic() < end
        os.sched_yield()


def test_an_edit_while_a_stage_runs_is_not_lost(story: Project, watch: Callable[..., Watching]) -> None:
    story.write("hold", "")
    watching = watch(story)
    appeared(story.root / "started", "text")
    save(story, "in.txt", "more")
    (story.root / "hold").unlink()
    said = watching.round()
    assert "not recorded" in said
    if "ran       slow" not in said:
        assert "ran       slow" in watching.round()
    assert story.read("out.txt") == "MORE"


def test_a_stage_that_fails_waits_for_an_edit(story: Project, watch: Callable[..., Watching]) -> None:
    story.write("in.txt", "bad")
    watching = watch(story)
    assert "ValueError: bad text" in watching.round()
    save(story, "params.yaml", "other: {times: 3}\n")
    said = watching.round()
    assert "ran       other" in said
    save(story, "in.txt", "good")
    while "ran       slow" not in said:
        said = watching.round()
    assert story.read("out.txt") == "GOOD"
    save(story, "helper.py", "def changed(text):\n    return text.title()\n")
    assert "ran       slow" in watching.round()
    assert story.read("out.txt") == "Good"
    assert watching.end(signal.SIGTERM) == 143


def test_a_stage_that_has_outs_fails_once(story: Project, watch: Callable[..., Watching]) -> None:
    watching = watch(story)
    watching.round()
    save(story, "in.txt", "bad")
    assert watching.round().count("FAILED") == 1
    assert story.read("out.txt") == "TEXT"


def test_across_pipelines_new_files_and_broken_beginnings(empty: Project, watch: Callable[..., Watching]) -> None:
    empty.pivot("init")
    template = (
        "import pathlib\nfrom typing import Annotated\nimport pivot\n"
        "pipeline = pivot.Pipeline('{name}')\n"
        "def {stage}(text: Annotated[str, pivot.Dep('{dep}', pivot.loaders.Text())])"
        " -> Annotated[str, pivot.Out('{out}', pivot.loaders.Text())]:\n    return text + '{stage}'\n"
        "pipeline.register({stage})\n"
    )
    empty.write("a/pipeline.py", "this is no python\n")
    watching = watch(empty, cwd="a")
    assert "SyntaxError" in watching.round()
    save(empty, "b/in.txt", "one")
    save(empty, "b/x.txt", "by hand")
    save(empty, "a/pipeline.py", template.format(name="a", stage="last", dep="../b/x.txt", out="y.txt"))
    watching.until("ran       last")
    watching.round()
    assert empty.read("a/y.txt") == "by handlast"
    (empty.root / "b/x.txt").unlink()
    assert "does not exist" in watching.round()
    save(empty, "b/pipeline.py", template.format(name="b", stage="first", dep="in.txt", out="x.txt"))
    said = watching.round()
    while "last" not in said.partition("ran       ")[2]:
        said = watching.round()
    assert empty.read("a/y.txt") == "onefirstlast"
    save(empty, "b/in.txt", "two")
    assert "ran       first" in watching.round()
    assert empty.read("a/y.txt") == "twofirstlast"
    (empty.root / "b/pipeline.py").unlink()
    save(empty, "b/x.txt", "by hand again")
    said = watching.round()
    while empty.read("a/y.txt") != "by hand againlast":
        said = watching.round()
    assert watching.end() == 130


def test_a_directory_of_many_files_is_one_change(
    make: Callable[[str], Project], watch: Callable[..., Watching]
) -> None:
    project = make(
        "import pathlib\nfrom typing import Annotated\nimport pivot\n"
        "pipeline = pivot.Pipeline('d')\n"
        "def count(files: Annotated[pathlib.Path, pivot.Dep('data', pivot.loaders.PathOnly())])"
        " -> Annotated[str, pivot.Out('n.txt', pivot.loaders.Text())]:\n"
        "    return str(sum(1 for path in files.rglob('*.txt')))\n"
        "pipeline.register(count)\n"
    )
    project.write("data/deep/0.txt", "")
    project.write(".pivot/config.yaml", "watch.debounce: 1000\n")
    watching = watch(project)
    watching.round()
    for number in range(1, 500):
        project.write(f"data/deep/{number}.txt", "x")
    said = watching.round()
    assert said.count("ran       count") == 1
    assert project.read("n.txt") == "500"
    save(project, "data/new/1.txt", "")
    watching.round()
    assert project.read("n.txt") == "501"


def test_a_stage_that_changes_its_own_input_is_given_up_with_a_hint(
    empty: Project, watch: Callable[..., Watching]
) -> None:
    command = "{cmd: echo 1 >> in.txt && cp in.txt out.txt, deps: [in.txt], outs: [out.txt]}"
    empty.pivot("init")
    empty.write("pivot.yaml", f"pipeline: p\nstages:\n  grow: {command}\n")
    empty.write("in.txt", "")
    said = watch(empty).round()
    assert said.count("edited    grow") == 3
    assert "hint: a stage whose inputs change in each run waits for an edit" in said


def test_unwatchable_directories_are_polled(quick: Project) -> None:
    assert "exclude each other" in quick.pivot("repro", "--watch", "--dry-run", code=2).stderr
    assert "nonsense" in quick.pivot("repro", "--watch", "nonsense", code=2).stderr


def test_the_quick_start_under_watch(watch: Callable[..., Watching], make: Callable[[str], Project]) -> None:
    """Hosts stay warm while only data change: what a module holds at import is not made again."""
    project = make("import os\nimport sys\nprint('IMPORTED', file=sys.stderr)\n" + QUICK_START)
    project.write("data.json", DATA)
    watching = watch(project)
    assert watching.round().count("IMPORTED") == 1
    for value in ("1", "2"):
        save(project, "data.json", DATA.replace("100", value))
        said = watching.round()
        assert "ran       preprocess" in said
        assert "IMPORTED" not in said


def test_a_result_that_expires_begins_a_round(make: Callable[[str], Project], watch: Callable[..., Watching]) -> None:
    project = make("""\
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("news")


@pipeline.register(ttl=2)
def rates() -> Annotated[str, pivot.Out("rates.txt", Text())]:
    return "1 EUR = 1.08 USD"
""")
    watching = watch(project)
    watching.round()
    assert "Result expired" in watching.round()
    assert watching.end() == 130
