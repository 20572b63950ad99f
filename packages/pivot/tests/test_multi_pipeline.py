"""Several pipelines in one project, as `spec/multi-pipeline.txt` has them, from every directory."""

import json
import shutil
from collections.abc import Callable

import pytest
from harness import Project

HEAD = """\
import pathlib
from typing import Annotated, TypedDict

import pivot

"""

DATA_PREP = (
    HEAD
    + """\
pipeline = pivot.Pipeline("data_prep")


class PrepareOutputs(TypedDict):
    data: Annotated[pathlib.Path, pivot.Out("shared/data.csv", pivot.loaders.PathOnly())]


def prepare() -> PrepareOutputs:
    out = pathlib.Path("shared/data.csv")
    out.parent.mkdir(exist_ok=True)
    out.write_text("id,value\\n1,100\\n2,200\\n3,300\\n")
    return PrepareOutputs(data=out)


pipeline.register(prepare)
"""
)

ANALYSIS = (
    HEAD
    + """\
pipeline = pivot.Pipeline("analysis")


class AnalyzeOutputs(TypedDict):
    report: Annotated[pathlib.Path, pivot.Out("report.txt", pivot.loaders.PathOnly())]


def analyze(
    data: Annotated[pathlib.Path, pivot.Dep("../shared/data.csv", pivot.loaders.PathOnly())],
) -> AnalyzeOutputs:
    content = data.read_text()
    lines = len(content.strip().split("\\n")) - 1
    out = pathlib.Path("report.txt")
    out.write_text(f"Processed {lines} records\\n")
    return AnalyzeOutputs(report=out)


pipeline.register(analyze)
"""
)

FEATURES = (
    HEAD
    + """\
pipeline = pivot.Pipeline("features")


class FeatureOutputs(TypedDict):
    output: Annotated[pathlib.Path, pivot.Out("output.csv", pivot.loaders.PathOnly())]


def compute_features() -> FeatureOutputs:
    out = pathlib.Path("output.csv")
    out.write_text("feature,value\\nf1,10\\nf2,20\\n")
    return FeatureOutputs(output=out)


pipeline.register(compute_features)
"""
)

MODEL = (
    HEAD
    + """\
pipeline = pivot.Pipeline("model")


class ModelOutputs(TypedDict):
    result: Annotated[pathlib.Path, pivot.Out("predictions.csv", pivot.loaders.PathOnly())]


def train_model(
    features: Annotated[pathlib.Path, pivot.Dep("../features/output.csv", pivot.loaders.PathOnly())],
) -> ModelOutputs:
    data = features.read_text()
    out = pathlib.Path("predictions.csv")
    out.write_text(f"# Model trained on features\\n{data}")
    return ModelOutputs(result=out)


pipeline.register(train_model)
"""
)


@pytest.fixture
def family(make: Callable[[str], Project]) -> Project:
    """The parent and child pattern."""
    project = make(DATA_PREP)
    project.write("analysis/pipeline.py", ANALYSIS)
    return project


@pytest.fixture
def siblings(empty: Project) -> Project:
    """The sibling pattern."""
    empty.pivot("init")
    empty.write("pipelines/features/pipeline.py", FEATURES)
    empty.write("pipelines/model/pipeline.py", MODEL)
    return empty


def locks(project: Project) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (project.root / ".pivot/stages").iterdir()}


def clean(project: Project) -> None:
    """As if nothing had ever run."""
    for name in (".pivot/stages", ".pivot/cache", ".pivot/state.db", "shared"):
        shutil.rmtree(project.root / name, ignore_errors=True)


# Parent and child


def test_a_child_finds_what_its_parent_writes(family: Project) -> None:
    done = family.pivot("repro", cwd="analysis")

    assert [line.split()[:2] for line in done.stderr.splitlines()] == [["ran", "prepare"], ["ran", "analyze"]]
    assert family.read("analysis/report.txt") == "Processed 3 records\n"
    assert family.read("shared/data.csv").startswith("id,value")
    assert sorted(locks(family)) == ["analysis.analyze.lock", "data_prep.prepare.lock"]
    assert "Everything is up to date: 2 stages cached" in family.pivot("repro", cwd="analysis").stdout
    # An out that is on disk is found all the same.
    family.replace("pipeline.py", "3,300", "3,300\\n4,400")
    assert "2 ran" in family.pivot("repro", cwd="analysis").stdout
    assert family.read("analysis/report.txt") == "Processed 4 records\n"


def test_the_parent_alone_does_not_rest_on_its_child(family: Project) -> None:
    assert "Done: 1 ran" in family.pivot("repro").stdout
    assert sorted(locks(family)) == ["data_prep.prepare.lock"]


def test_it_is_the_same_from_everywhere(family: Project) -> None:
    runs = {}
    for cwd, arguments in (("analysis", ()), (".", ("--all",)), ("analysis", ("--all",)), ("elsewhere", ("--all",))):
        (family.root / "elsewhere").mkdir(exist_ok=True)
        clean(family)
        family.pivot("repro", *arguments, cwd=cwd)
        runs[cwd, arguments] = locks(family)
    assert len({tuple(sorted(each.items())) for each in runs.values()}) == 1

    for cwd, arguments in runs:
        assert "2 stages, all cached" in family.pivot("status", *arguments, cwd=cwd).stdout
        assert "2 stages cached" in family.pivot("repro", *arguments, cwd=cwd).stdout
        dry = family.pivot("repro", "--dry-run", *arguments, cwd=cwd).stdout
        assert [line.split() for line in dry.splitlines()] == [["cached", "prepare"], ["cached", "analyze"]]


def test_looking_sees_across_pipelines(family: Project) -> None:
    family.pivot("repro", cwd="analysis")
    family.replace("pipeline.py", "3,300", "3,301")

    found = json.loads(family.pivot("status", "--json", "--explain", cwd="analysis").stdout)["stages"]
    assert [(each["address"], each["status"]) for each in found] == [
        ("data_prep.prepare", "stale"),
        ("analysis.analyze", "stale"),
    ]
    assert found[0]["code_changes"][0]["file"] == "pipeline.py"
    assert found[1]["upstream_stale"] == ["prepare"]


def test_a_directory_without_a_pipeline_below_one(family: Project) -> None:
    (family.root / "analysis/deep/er").mkdir(parents=True)
    assert "2 ran" in family.pivot("repro", cwd="analysis/deep/er").stdout


def test_targets_in_another_pipeline(family: Project) -> None:
    family.pivot("repro", "../shared/data.csv", cwd="analysis")
    assert sorted(locks(family)) == ["data_prep.prepare.lock"]
    family.pivot("repro", "analysis.analyze", "--all")
    assert "analysis.analyze.lock" in locks(family)
    done = family.pivot("repro", "analyze", code=2)
    assert "no stage or output is named 'analyze'" in done.stderr
    assert "analysis.analyze belongs to another pipeline: repeat the command with 'pivot -C analysis'" in done.stderr
    assert "did you mean analyze ('pivot -C analysis') or" in family.pivot("run", "analyse", code=2).stderr


# Siblings


def test_siblings_find_each_other(siblings: Project) -> None:
    done = siblings.pivot("repro", cwd="pipelines/model")

    assert [line.split()[1] for line in done.stderr.splitlines()] == ["compute_features", "train_model"]
    predictions = siblings.read("pipelines/model/predictions.csv")
    assert predictions == "# Model trained on features\nfeature,value\nf1,10\nf2,20\n"
    assert "Everything is up to date: 1 stage cached" in siblings.pivot("repro", cwd="pipelines/features").stdout
    assert "2 stages cached" in siblings.pivot("repro", "--all").stdout


def test_without_a_pipeline_here_all_is_the_way(siblings: Project) -> None:
    done = siblings.pivot("repro", code=2)
    assert "no pipeline.py" in done.stderr
    assert "--all" in done.stderr


def test_only_what_is_needed_of_another_pipeline(siblings: Project) -> None:
    siblings.write(
        "pipelines/features/pipeline.py",
        FEATURES
        + 'def unused() -> Annotated[str, pivot.Out("unused.txt", pivot.loaders.Text())]:\n    return "x"\n\n\n'
        + "pipeline.register(unused)\n",
    )
    siblings.pivot("repro", cwd="pipelines/model")
    assert sorted(locks(siblings)) == ["features.compute_features.lock", "model.train_model.lock"]
    siblings.pivot("repro", "--all")
    assert "features.unused.lock" in locks(siblings)


def test_modules_of_one_name_are_two(siblings: Project) -> None:
    for name, value in (("features", 1), ("model", 2)):
        siblings.write(f"pipelines/{name}/helpers.py", f"VALUE = {value}\n")
        file = f"pipelines/{name}/pipeline.py"
        siblings.write(file, siblings.read(file).replace("import pivot\n", "import helpers\nimport pivot\n"))
        siblings.replace(file, 'out.write_text(f"', 'out.write_text(f"{helpers.VALUE} ') if name == "model" else None
    siblings.replace("pipelines/features/pipeline.py", '"feature,value', 'str(helpers.VALUE) + "feature,value')

    siblings.pivot("repro", cwd="pipelines/model")
    assert siblings.read("pipelines/model/predictions.csv").startswith("2 # Model trained on features\n1feature")
    siblings.write("pipelines/model/helpers.py", "VALUE = 3\n")
    done = siblings.pivot("repro", cwd="pipelines/model")
    assert "1 ran, 1 cached" in done.stdout


def test_a_long_way(empty: Project) -> None:
    """a → b → c, each found because the one after it reads what it writes."""
    empty.pivot("init")
    for name, before in (("a", None), ("b", "a"), ("c", "b")):
        dep = f'x: Annotated[str, pivot.Dep("../{before}/out.txt", pivot.loaders.Text())]' if before else ""
        value = "x" if before else '"-"'
        empty.write(
            f"{name}/pipeline.py",
            HEAD
            + f'pipeline = pivot.Pipeline("{name}")\n\n\n@pipeline.register\n'
            + f'def stage({dep}) -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:\n'
            + f'    return {value} + "{name}"\n',
        )
    empty.pivot("repro", cwd="c")
    assert empty.read("c/out.txt") == "-abc"
    names = [line.split()[1] for line in empty.pivot("status", cwd="c").stdout.splitlines()[:3]]
    assert names == ["cached"] * 3
    shown = [line.split()[0] for line in empty.pivot("status", cwd="c").stdout.splitlines()[:3]]
    assert shown == ["a.stage", "b.stage", "c.stage"]


# The problem


def test_a_broken_pipeline_on_the_way(family: Project) -> None:
    family.pivot("repro", "--all")
    family.write("pipeline.py", "1 / 0\n")

    done = family.pivot("repro", cwd="analysis")
    assert "warning: pipeline.py cannot be imported: ZeroDivisionError" in done.stderr
    assert "shared/data.csv" in done.stderr
    assert "1 / 0" in done.stderr
    assert "1 stage cached" in done.stdout
    assert "warning: pipeline.py cannot" in family.pivot("status", cwd="analysis").stderr

    for command in ("repro", "status"):
        assert "pipeline.py cannot be imported" in family.pivot(command, "--all", code=2).stderr
    (family.root / "shared/data.csv").unlink()
    done = family.pivot("repro", cwd="analysis", code=1)
    assert "shared/data.csv does not exist" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_broken_pipeline_that_nothing_needs(siblings: Project) -> None:
    siblings.write("other/pipeline.py", "1 / 0\n")
    siblings.pivot("repro", cwd="pipelines/model")
    done = siblings.pivot("repro", "--all", code=2)
    assert "other/pipeline.py cannot be imported" in done.stderr


def test_two_pipelines_of_one_name(siblings: Project) -> None:
    siblings.replace("pipelines/model/pipeline.py", '"model"', '"features"')
    done = siblings.pivot("repro", "--all", code=2)
    assert "two pipelines have the name 'features'" in done.stderr
    assert "pipelines/features/pipeline.py" in done.stderr
    assert "pipelines/model/pipeline.py" in done.stderr


def test_two_producers_and_overlaps_and_cycles(siblings: Project) -> None:
    file = "pipelines/features/pipeline.py"
    text = siblings.read(file)
    siblings.replace(file, '"output.csv", ', '"../model/predictions.csv", ')
    assert "two stages write 'pipelines/model/predictions.csv'" in siblings.pivot("repro", "--all", code=2).stderr
    siblings.write(file, text.replace('pivot.Out("output.csv", ', 'pivot.DirectoryOut("../model", '))
    assert "overlap" in siblings.pivot("repro", "--all", code=2).stderr
    siblings.write(
        file,
        text.replace(
            "def compute_features()",
            'def compute_features(x: Annotated[pathlib.Path, pivot.Dep("../model/predictions.csv")])',
        ),
    )
    done = siblings.pivot("repro", "--all", code=2)
    assert "cycle" in done.stderr
    assert "pipelines/features/pipeline.py:" in done.stderr
    assert "pipelines/model/pipeline.py:" in done.stderr


def test_both_kinds_of_pipeline_files_in_one_directory(family: Project) -> None:
    family.write("analysis/pivot.yaml", "")
    done = family.pivot("repro", cwd="analysis", code=2)
    assert "both a pipeline.py and a pivot.yaml" in done.stderr


def test_directories_outside_the_project_are_not_searched(siblings: Project) -> None:
    for name in (".hidden", "node_modules/x", "venv", "deep/env"):
        siblings.write(f"{name}/pipeline.py", "raise SystemExit('searched')\n")
    siblings.write("venv/pyvenv.cfg", "")
    siblings.write("deep/env/pyvenv.cfg", "")
    assert "2 ran" in siblings.pivot("repro", "--all").stdout


def test_an_inner_init_does_not_move_the_root(family: Project) -> None:
    done = family.pivot("init", cwd="analysis")
    assert "warning:" in done.stderr
    family.pivot("repro", cwd="analysis")
    assert sorted(locks(family)) == ["analysis.analyze.lock", "data_prep.prepare.lock"]


def test_an_edit_of_another_pipeline_during_a_run(make: Callable[[str], Project]) -> None:
    """Whatever a stage depends on is watched, whosever file it is in."""
    project = make(
        HEAD
        + 'pipeline = pivot.Pipeline("up")\n\n\n@pipeline.register\n'
        + 'def first() -> Annotated[str, pivot.Out("a.txt", pivot.loaders.Text())]:\n'
        + '    file = pathlib.Path("pipeline.py")\n'
        + '    file.write_text(file.read_text().replace("\\"x\\"", "\\"y\\""))\n'
        + '    return "x"\n'
    )
    project.write(
        "down/pipeline.py",
        HEAD
        + 'pipeline = pivot.Pipeline("down")\n\n\n@pipeline.register\n'
        + 'def second(a: Annotated[str, pivot.Dep("../a.txt", pivot.loaders.Text())]) -> Annotated[str, '
        + 'pivot.Out("b.txt", pivot.loaders.Text())]:\n    return a\n',
    )
    done = project.pivot("repro", cwd="down", code=1)
    assert "edited" in done.stderr
    assert not locks(project)
    assert "2 ran" in project.pivot("repro", cwd="down").stdout
    assert project.read("down/b.txt") == "y"


def test_ignored_directories_are_not_searched(siblings: Project) -> None:
    siblings.write("old/pipeline.py", "raise SystemExit('searched')\n")
    siblings.write("deep/archive/x/pipeline.py", "raise SystemExit('searched')\n")
    siblings.write(".pivotignore", "# what is no longer run\n/old/\narchive/\n")
    assert "2 ran" in siblings.pivot("repro", "--all").stdout
    (siblings.root / ".pivotignore").write_bytes(b"\xff")
    assert ".pivotignore cannot be read" in siblings.pivot("status", "--all", code=2).stderr
