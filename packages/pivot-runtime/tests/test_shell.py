"""Shell stages: what a command depends on, and how it ends."""

import pathlib
from typing import Any

import attrs
import pytest

from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageError
from pivot_core.stages.annotations import DirectoryOut, Out
from pivot_core.stages.command import command
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions import shell_code
from pivot_runtime.definitions.shell_code import ShellInputs
from pivot_runtime.programs.program_code import ProgramFinder
from pivot_runtime.worker import shell


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in ("sub/fit.R", "sub/lib/a.R", "shared.sh", "sub/rows.csv", "sub/out/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    monkeypatch.chdir(tmp_path / "sub")
    return tmp_path


def stage(text: str, **given: Any) -> Stage:
    pipeline = Pipeline("p")
    pipeline.register(command(text, **given), name="s")
    return pipeline.stages["s"].with_params()


def rested(root: pathlib.Path, text: str, **given: Any) -> ShellInputs:
    made, programs = stage(text, **given), ProgramFinder(str(root), {})
    params = given.get("params", {})
    return shell_code.shell_inputs(
        made, made.func, root / "created.json", base="sub", root=str(root), programs=programs, params=params
    )


def test_the_files_that_its_words_name_are_its_code(root: pathlib.Path) -> None:
    found = rested(root, f"Rscript fit.R --lib=lib/a.R {root}/shared.sh /etc/hosts ../../beyond nowhere.R")

    assert set(found.manifest) == {"command", "file:sub/fit.R", "file:sub/lib/a.R", "file:shared.sh"}
    assert set(found.sources) == {str(root / name) for name in ("sub/fit.R", "sub/lib/a.R", "shared.sh")}
    assert "sub/nowhere.R" in found.named


def test_python_programs_count_by_their_code(root: pathlib.Path) -> None:
    (root / "sub/fit.py").write_text("import lib\n")
    found = rested(root, "python ${params.name}.py other.py", params={"name": "fit"})

    assert set(found.manifest) == {"command", "effects:fit", "programs"}
    assert rested(root, "python fit.py").superseded["file:sub/fit.py"][1] == "effects:fit"
    assert set(found.sources) == {str(root / "sub/fit.py")}
    assert set(rested(root, "python fit.py", deps=["fit.py"]).manifest) == {"command", "programs"}
    assert set(rested(root, "python ${params.name.gone}.py", params={"name": {"a": 1}}).manifest) == {"command"}


def test_declared_or_written_files_are_not_code(root: pathlib.Path) -> None:
    found = rested(root, "cat rows.csv out/x.txt > fit.R", deps=["rows.csv"], outs=[DirectoryOut("out")])

    assert set(found.manifest) == {"command"}
    assert not {"sub/rows.csv", "sub/out/x.txt"} & set(found.named)


def test_paths_count_in_its_text_and_parameters_do_not(root: pathlib.Path) -> None:
    def digest(**given: Any) -> str:
        return rested(root, "x ${params.n} ${deps.rows}", **given).manifest["command"].digest

    one = digest(deps={"rows": "a"}, params={"n": 1})
    assert one == digest(deps={"rows": "a"}, params={"n": 2})
    assert one != digest(deps={"rows": "b"}, params={"n": 1})


def test_untracked_inputs_are_listed(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_code, "_LARGEST", 5)
    told = "\n".join(edge.reason for edge in rested(root, "cp -r lib out fit.R", outs=["out/y"]).manifest.unresolved)

    assert "the programs that it calls" in told
    assert "the directory 'sub/lib'" in told
    assert "'sub/fit.R', which it names: too large for code" in told
    assert "sub/out" not in told


def test_it_makes_the_directories_of_its_outs_and_gives_their_paths(root: pathlib.Path) -> None:
    made = stage(
        "echo ${params.word} > ${outs.file}; touch ${outs.plots}/a",
        outs={"file": "new/deep/file.txt", "plots": DirectoryOut("more/plots")},
        params={"word": "it's"},
    )
    found = shell.run(made, made.func)

    assert found == {"file": pathlib.Path("new/deep/file.txt"), "plots": pathlib.Path("more/plots")}
    assert (root / "sub/new/deep/file.txt").read_text() == "it's\n"
    assert (root / "sub/more/plots/a").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exit 3", "ended with exit status 3"),
        ("false; true", "ended with exit status 1"),
        ("false | true", "ended with exit status 1"),
        ("kill -TERM $$", "was killed by SIGTERM"),
        ("true", "did not write end.txt"),
    ],
)
def test_how_it_may_fail(root: pathlib.Path, text: str, told: str) -> None:
    made = stage(text, outs=["end.txt"])
    with pytest.raises(StageError, match=told):
        shell.run(made, made.func)
    assert made.outs == {"end.txt": Out("end.txt")}


def test_files_created_by_a_run_are_not_code_from_then_on(root: pathlib.Path) -> None:
    text = "echo 1 | tee sub.log ./new/x.log > end.txt; cp fit.R copy.R; sort fit.R -o fit.R"
    made = attrs.evolve(stage(text, outs=["end.txt", DirectoryOut("new")]))
    made = attrs.evolve(made, func=attrs.evolve(made.func, created=str(root / "created.json")))
    shell.run(made, made.func)
    found = rested(root, text, outs=["end.txt", DirectoryOut("new")])

    assert set(found.manifest) == {"command", "file:sub/fit.R"}
    told = "\n".join(edge.reason for edge in found.manifest.unresolved)
    assert "'sub/sub.log', which it creates" in told
    assert "'sub/copy.R', which it creates" in told
    assert "new" not in told
    (root / "created.json").write_text("{damaged")
    assert "file:sub/sub.log" in rested(root, text, outs=["end.txt", DirectoryOut("new")]).manifest


def test_files_of_a_failed_run_are_not_recorded(root: pathlib.Path) -> None:
    made = stage("cp fit.R copy.R; false")
    made = attrs.evolve(made, func=attrs.evolve(made.func, created=str(root / "created.json")))
    with pytest.raises(StageError):
        shell.run(made, made.func)
    assert not (root / "created.json").exists()


def test_without_bash_the_error_says_so(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root))
    made = stage("true")
    with pytest.raises(StageError, match="bash, which runs commands, is not on the PATH"):
        shell.run(made, made.func)
