"""Which stages run, are restored and are skipped: edits of code, data and outs through the executable."""

import json
import os
from collections.abc import Callable

import pytest
from harness import Project

HELPERS = """\
import json as js
from dataclasses import dataclass

UNUSED = 1
LIMIT = 10
TABLE = {"add": 1}


@dataclass
class Config:
    factor: int = 3

    def apply(self, value):
        return value * self.factor


def inner(value):
    return value + TABLE["add"]


def used_in_comprehension(value):
    return value


def used_in_lambda(value):
    return value


def used_in_nested(value):
    return value


def unused(value):
    return value
"""

PIPELINE = """\
# A comment.
import operator
from typing import Annotated

import helpers
import pivot
from helpers import Config, used_in_lambda

OFFSET = 5
OTHER = 6


def outer(value, step=1):
    \"\"\"Add one.\"\"\"
    return helpers.inner(value) + step


def compute(
    raw: Annotated[list, pivot.Dep("data.json", pivot.loaders.JSON())],
    weight: float = 1.0,
) -> Annotated[list, pivot.Out("out.json", pivot.loaders.JSON(indent=None))]:
    \"\"\"Compute.\"\"\"

    def nested(value):
        return helpers.used_in_nested(value)

    rows = [helpers.used_in_comprehension(outer(value)) for value in raw if value < helpers.LIMIT]
    rows = list(map(lambda value: used_in_lambda(value) + OFFSET, rows))
    return [Config().apply(nested(value)) * weight for value in rows]


def unrelated(
    raw: Annotated[list, pivot.Dep("data.json", pivot.loaders.JSON())],
) -> Annotated[int, pivot.Out("other.json", pivot.loaders.JSON())]:
    return len(raw)


pipeline = pivot.Pipeline("p")
pipeline.register(compute)
pipeline.register(unrelated)
"""

SEEN = [
    ("the stage's body", "pipeline.py", "* weight for", "* weight + 0 for"),
    ("a helper in pipeline.py", "pipeline.py", "helpers.inner(value) + step", "helpers.inner(value) - step"),
    ("a helper's default", "pipeline.py", "step=1", "step=2"),
    ("the stage's default", "pipeline.py", "weight: float = 1.0", "weight: float = 1"),
    ("a constant in pipeline.py", "pipeline.py", "OFFSET = 5", "OFFSET = 7"),
    ("a helper of a helper", "helpers.py", 'value + TABLE["add"]', 'value - TABLE["add"]'),
    ("a constant of a helper's helper", "helpers.py", '"add": 1', '"add": 2'),
    ("a module's constant", "helpers.py", "LIMIT = 10", "LIMIT = 9"),
    ("a method", "helpers.py", "value * self.factor", "value + self.factor"),
    ("a class's default", "helpers.py", "factor: int = 3", "factor: int = 4"),
    (
        "only in a comprehension",
        "helpers.py",
        "comprehension(value):\n    return value",
        "comprehension(value):\n    return -value",
    ),
    ("only in a lambda", "helpers.py", "lambda(value):\n    return value", "lambda(value):\n    return -value"),
    (
        "only in a nested function",
        "helpers.py",
        "nested(value):\n    return value",
        "nested(value):\n    return -value",
    ),
    ("an option of a writer", "pipeline.py", "JSON(indent=None)", "JSON(indent=1)"),
]

UNSEEN = [
    ("a comment", "pipeline.py", "# A comment.", "# Another comment."),
    ("blank lines", "pipeline.py", "OTHER = 6\n", "OTHER = 6\n\n\n"),
    ("formatting", "pipeline.py", "helpers.inner(value) + step", "(helpers.inner( value )+step)"),
    ("a docstring", "pipeline.py", "Add one.", "Add one to a value."),
    ("the stage's docstring", "pipeline.py", '"""Compute."""', '"""Compute it."""'),
    ("an unrelated constant", "pipeline.py", "OTHER = 6", "OTHER = 7"),
    ("an unrelated helper", "helpers.py", "unused(value):\n    return value", "unused(value):\n    return -value"),
    ("an unused import", "pipeline.py", "import operator\n", "import operator\nimport string\n"),
    ("the order of imports", "pipeline.py", "import helpers\nimport pivot\n", "import pivot\nimport helpers\n"),
]


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    made.write("helpers.py", HELPERS)
    made.write("data.json", "[1, 2, 30]")
    made.pivot("repro")
    return made


def test_code_edits_that_matter(project: Project) -> None:
    """Each of these re-runs exactly the stage that uses it."""
    missed = []
    for what, file, old, new in SEEN:
        project.replace(file, old, new)
        if project.states() != {"compute": "stale", "unrelated": "cached"}:
            missed.append(what)
        project.replace(file, new, old)

    assert missed == []
    assert project.states() == {"compute": "cached", "unrelated": "cached"}


def test_edits_that_do_not_matter(project: Project) -> None:
    """None of these re-runs anything."""
    needless = []
    for what, file, old, new in UNSEEN:
        project.replace(file, old, new)
        if "stale" in project.states().values():
            needless.append(what)

    assert needless == []


def test_an_edit_reruns_only_what_uses_it(project: Project) -> None:
    project.replace("helpers.py", "LIMIT = 10", "LIMIT = 100")
    done = project.pivot("repro")

    assert "1 ran, 1 cached" in done.stdout
    assert len(json.loads(project.read("out.json"))) == 3
    assert "Code dependency changed" in done.stderr


def test_a_reverted_edit_is_restored_without_running(project: Project) -> None:
    first = project.read("out.json")
    project.replace("helpers.py", "LIMIT = 10", "LIMIT = 100")
    project.pivot("repro")
    project.replace("helpers.py", "LIMIT = 100", "LIMIT = 10")

    assert "WILL RESTORE" in project.pivot("status", "--explain", "compute").stdout
    assert "1 restored, 1 cached" in project.pivot("repro").stdout
    assert project.read("out.json") == first
    assert project.states() == {"compute": "cached", "unrelated": "cached"}


def test_a_deleted_out_is_restored(project: Project) -> None:
    first = project.read("out.json")
    (project.root / "out.json").unlink()

    assert project.states()["compute"] == "stale"
    assert "1 restored" in project.pivot("repro").stdout
    assert project.read("out.json") == first


def test_an_edited_out_is_restored_and_the_edit_is_kept(project: Project) -> None:
    first = project.read("out.json")
    project.write("out.json", "mine")

    assert project.states()["compute"] == "stale"
    done = project.pivot("repro")
    assert project.read("out.json") == first
    kept = done.stderr.partition("is kept as ")[2].splitlines()[0]
    assert (project.root / kept).read_text() == "mine"


def test_an_edit_of_the_same_size_is_noticed(project: Project) -> None:
    """Same size, and mtime set back: content decides."""
    file = project.root / "out.json"
    first = file.read_text()
    before = file.stat()
    file.write_text(first.replace("2", "3"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert project.states()["compute"] == "stale"


def test_touching_files_changes_nothing(project: Project) -> None:
    for name in ("pipeline.py", "helpers.py", "data.json", "out.json"):
        os.utime(project.root / name)

    assert set(project.states().values()) == {"cached"}


def test_early_cutoff(make: Callable[[str], Project]) -> None:
    """An upstream that runs and yields the same bytes does not re-run what follows."""
    project = make("""\
from typing import Annotated

import pivot


def first(
    raw: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("middle.txt", pivot.loaders.Text())]:
    return raw.strip()


def second(
    text: Annotated[str, pivot.Dep("middle.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("end.txt", pivot.loaders.Text())]:
    return text.upper()


pipeline = pivot.Pipeline("p")
pipeline.register(second)
pipeline.register(first)
""")
    project.write("in.txt", "a")
    project.pivot("repro")
    project.write("in.txt", "a\n")

    assert project.states() == {"first": "stale", "second": "stale"}
    assert "1 ran, 1 cached" in project.pivot("repro").stdout
    project.write("in.txt", "b")
    assert "2 ran" in project.pivot("repro").stdout
    assert project.read("end.txt") == "B"


def test_the_cache_is_shared_by_a_fresh_checkout(project: Project) -> None:
    """Without locks and outs, but with the cache, everything is restored."""
    locks = {file.name: file.read_bytes() for file in (project.root / ".pivot/stages").iterdir()}
    for name in locks:
        (project.root / ".pivot/stages" / name).unlink()
    (project.root / "out.json").unlink()

    assert "2 restored" in project.pivot("repro").stdout
    assert {file.name: file.read_bytes() for file in (project.root / ".pivot/stages").iterdir()} == locks


def test_losing_the_state_costs_time_only(project: Project) -> None:
    before = project.snapshot()
    for file in sorted((project.root / ".pivot/state.db").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()

    assert "Everything is up to date" in project.pivot("repro").stdout
    assert project.snapshot() == before


def test_dry_run_says_what_repro_does_and_does_nothing(project: Project) -> None:
    project.replace("helpers.py", "LIMIT = 10", "LIMIT = 100")
    (project.root / "other.json").unlink()
    before = project.snapshot()

    planned = project.pivot("repro", "--dry-run").stdout.splitlines()
    assert planned == [
        "would run      compute    Code dependency changed: const:LIMIT",
        "would restore  unrelated  Output missing: other.json",
    ]
    assert project.snapshot() == before
    explained = project.pivot("repro", "-n", "--explain").stdout
    assert "Stage: compute\n  Status: WILL RUN\n  Reason: Code dependency changed\n" in explained
    assert "1 ran, 1 restored" in project.pivot("repro").stdout


def test_force_runs_everything(project: Project) -> None:
    assert "2 ran" in project.pivot("repro", "--force").stdout
    planned = project.pivot("repro", "--force", "--dry-run", "compute").stdout
    assert planned == "would run      compute  Forced\n"
    assert "1 ran" in project.pivot("repro", "-f", "compute").stdout


def test_locks_do_not_depend_on_the_hash_seed_or_the_place(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    locks = {file.name: file.read_bytes() for file in (project.root / ".pivot/stages").iterdir()}
    for seed in ("0", "1"):
        twin = Project(tmp_path_factory.mktemp("elsewhere") / "deeper" / "checkout")
        for name in ("pipeline.py", "helpers.py", "data.json"):
            twin.write(name, project.read(name))
        twin.pivot("init")
        twin.pivot("repro", env={"PYTHONHASHSEED": seed})

        assert {file.name: file.read_bytes() for file in (twin.root / ".pivot/stages").iterdir()} == locks
        assert str(twin.root).encode() not in b"".join(locks.values())


def test_stages_registered_by_a_decorator_do_not_rest_on_each_other(make: Callable[[str], Project]) -> None:
    project = make("""\
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def one() -> Annotated[str, pivot.Out("one.txt", pivot.loaders.Text())]:
    return "one"


@pipeline.register
def two() -> Annotated[str, pivot.Out("two.txt", pivot.loaders.Text())]:
    return "two"
""")
    project.pivot("repro")
    project.replace("pipeline.py", 'return "two"', 'return "three"')

    assert project.states() == {"one": "cached", "two": "stale"}


def test_which_file_goes_to_which_parameter_is_seen(make: Callable[[str], Project]) -> None:
    project = make("""\
from typing import Annotated, TypedDict

import pivot

J = pivot.loaders.JSON()
One = Annotated[int, pivot.Out("one.json", J)]
Two = Annotated[int, pivot.Out("two.json", J)]


class Outs(TypedDict):
    one: One
    two: Two


def stage(
    a: Annotated[int, pivot.Dep("x.json", J)], b: Annotated[int, pivot.Dep("y.json", J)]
) -> Outs:
    return Outs(one=a - b, two=0)


pipeline = pivot.Pipeline("p")
pipeline.register(stage)
""")
    project.write("x.json", "1")
    project.write("y.json", "2")
    project.pivot("repro")
    assert project.read("one.json") == "-1\n"

    swapped = project.read("pipeline.py").replace("x.json", "z.json").replace("y.json", "x.json")
    project.write("pipeline.py", swapped.replace("z.json", "y.json"))
    assert project.states() == {"stage": "stale"}
    project.pivot("repro")
    assert project.read("one.json") == "1\n"

    swapped = project.read("pipeline.py").replace("one.json", "zzz.json").replace("two.json", "one.json")
    project.write("pipeline.py", swapped.replace("zzz.json", "two.json"))
    project.pivot("repro")
    assert (project.read("one.json"), project.read("two.json")) == ("0\n", "1\n")


def test_a_stage_that_got_another_name_leaves_no_lock_behind(quick: Project) -> None:
    quick.pivot("repro")
    old = quick.root / ".pivot/stages/my_pipeline.preprocess.lock"
    kept = old.read_bytes()
    quick.write("pipeline.py", quick.read("pipeline.py").replace("preprocess", "clean_up"))
    note = "note: removed the lock file of my_pipeline.preprocess, which is no longer a stage"
    assert note in quick.pivot("repro").stderr
    assert not old.exists()
    quick.pivot("checkout")

    old.write_bytes(kept)  # a merge leaves both locks, with equal records
    quick.pivot("checkout")
    quick.replace("data.json", "200", "300")
    quick.pivot("repro")
    old.write_bytes(kept)
    (quick.root / "summary.json").unlink()
    done = quick.pivot("checkout", code=3)
    assert "clean.json is recorded twice" in done.stderr
    assert "which 'pivot repro' does" in done.stderr
    assert "Restored 1 file(s)" in done.stdout
    assert "recorded twice" in quick.pivot("track", "clean.json", code=3).stderr
    assert note in quick.pivot("repro").stderr
    quick.pivot("checkout")
    hint = "hint: if this stage no longer exists, delete .pivot/stages/my_pipeline.clean_up.lock"
    assert hint in quick.pivot("track", "clean.json", code=2).stderr
