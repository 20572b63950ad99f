"""`pivot import-dvc`, on projects as DVC leaves them; DVC itself is not installed.

The files in ``dvc_projects`` are those that DVC 3.67 wrote when it ran these stages, with its cache.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import textwrap
from typing import Any

import pytest
from harness import Project

SHAPES = pathlib.Path(__file__).with_name("dvc_projects")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class DvcProject:
    """A DVC project with one stage that makes upper case, as after `dvc repro`; MD5s are computed here."""

    def __init__(self, project: Project, *, layout: str = "files/md5", kind: str = "md5") -> None:
        self.project = project
        self.root = project.root
        self.layout = layout
        self.hash = f"hash: {kind}, " if kind == "md5" else ""
        project.write(".dvc/config", "[core]\n    analytics = false\n")
        project.write("in.txt", "a\nb\n")
        self.keep("a\nb\n")
        project.write("in.txt.dvc", f"outs:\n- {{md5: {md5('a\nb\n')}, {self.hash}path: in.txt}}\n")
        project.write("parts/1.txt", "A\nB\n")
        project.write("parts/2/3.txt", "3\n")
        self.listing = json.dumps(
            [{"md5": md5("A\nB\n"), "relpath": "1.txt"}, {"md5": md5("3\n"), "relpath": "2/3.txt"}]
        )
        for text in ("A\nB\n", "3\n"):
            self.keep(text)
        self.keep(self.listing, ".dir")
        cmd = "mkdir -p parts/2 && tr a-z A-Z < in.txt > parts/1.txt && echo 3 > parts/2/3.txt"
        project.write(
            "dvc.yaml",
            f"# Ours.\nstages:\n  upper:\n    cmd: {cmd}\n    deps: [in.txt]\n    outs:\n    - parts   # two files\n",
        )
        project.write(
            "dvc.lock",
            f"schema: '2.0'\nstages:\n  upper:\n    cmd: {cmd}\n"
            f"    deps:\n    - {{path: in.txt, {self.hash}md5: {md5('a\nb\n')}}}\n"
            f"    outs:\n    - {{path: parts, {self.hash}md5: {md5(self.listing)}.dir}}\n",
        )

    def object(self, text: str, suffix: str = "") -> pathlib.Path:
        digest = md5(text)
        return self.root / ".dvc/cache" / self.layout / digest[:2] / f"{digest[2:]}{suffix}"

    def keep(self, text: str, suffix: str = "") -> None:
        path = self.object(text, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o444)

    def own(self) -> dict[str, tuple[bytes, int, int]]:
        """Everything of DVC's and the user's, as it must stay."""
        return {
            str(file.relative_to(self.root)): (file.read_bytes(), file.lstat().st_mtime_ns, file.stat().st_nlink)
            for file in self.root.rglob("*")
            if file.is_file() and ".pivot" not in str(file.relative_to(self.root)) and file.suffix != ".pvt"
        }


def imported(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = project.json("import-dvc", "--json", *arguments, code=code)
    return found


def stale(found: dict[str, Any]) -> dict[str, str]:
    return {each["stage"]: each["reason"] for each in found["stages"]["stale"]}


def test_an_import_changes_no_file_of_dvc_and_nothing_runs_again(empty: Project) -> None:
    dvc = DvcProject(empty)
    before = dvc.own()

    planned = imported(empty, "--dry-run")
    assert dvc.own() == before
    assert not (empty.root / ".pivot").exists()
    done = imported(empty)

    assert {**dvc.own(), ".gitignore": (b"", 0, 0)}.items() >= before.items()
    assert planned["stages"] == done["stages"] == {"cached": ["upper"], "stale": []}
    assert sorted(planned["files"], key=str) == sorted(done["files"], key=str)
    assert done["objects"]["copied"] == 3
    assert empty.read("pivot.yaml") == empty.read("dvc.yaml").replace("stages:", "pipeline: project\nstages:").replace(
        "- parts ", "- parts/ "
    )
    assert empty.states() == {"upper": "cached"}
    assert "Everything is up to date" in empty.pivot("repro").stdout
    shutil.rmtree(empty.root / ".dvc")  # the cache does not depend on DVC's
    shutil.rmtree(empty.root / "parts")
    (empty.root / "in.txt").unlink()
    empty.pivot("checkout")
    assert (empty.read("parts/1.txt"), empty.read("in.txt")) == ("A\nB\n", "a\nb\n")
    assert empty.states() == {"upper": "cached"}
    empty.write("in.txt", "c\n")
    assert "ran       upper" in empty.pivot("repro").stderr
    assert empty.read("parts/1.txt") == "C\n"


def test_what_is_missing_here_comes_from_the_cache_of_dvc_and_repeating_completes(empty: Project) -> None:
    dvc = DvcProject(empty)
    shutil.rmtree(empty.root / "parts")
    (empty.root / "in.txt").unlink()
    dvc.object("3\n").rename(empty.root / "kept")

    done = imported(empty)
    assert stale(done) == {"upper": "parts is neither here nor in DVC's cache"}
    dvc.object("a\nb\n").rename(empty.root / "word")
    assert stale(imported(empty, code=1)) == {"upper": "in.txt is neither here nor in DVC's cache"}
    (empty.root / "word").rename(dvc.object("a\nb\n"))
    (empty.root / "kept").rename(dvc.object("3\n"))
    dvc.object("A\nB\n").chmod(0o644)
    dvc.object("A\nB\n").write_text("damaged")
    for option in ("--dry-run", "--keep"):
        assert stale(imported(empty, option)) == {"upper": "parts is neither here nor in DVC's cache"}
    dvc.object(dvc.listing, ".dir").unlink()
    done = imported(empty, code=1)
    assert [each["problem"] for each in done["leftovers"]] == [
        "the recorded content of parts is neither here nor in DVC's cache"
    ]
    assert done["leftovers"][0]["remedy"] == "dvc fetch, and repeat the command"

    dvc.keep(dvc.listing, ".dir")
    dvc.object("A\nB\n").write_text("A\nB\n")
    (empty.root / ".dvc/cache").rename(empty.root.parent / "store")  # as `dvc push` fills a directory
    empty.write(".dvc/config", "['remote \"disk\"']\n    url = ../../store\n")
    assert imported(empty)["stages"] == {"cached": ["upper"], "stale": []}
    assert imported(empty)["files"] == []
    empty.pivot("checkout")
    assert empty.states() == {"upper": "cached"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("in.txt", "changed\n", "in.txt is not as DVC recorded it"),
        ("parts/1.txt", "changed\n", "parts is not as DVC recorded it"),
        ("dvc.yaml", "stages: {upper: {cmd: echo, deps: [in.txt], outs: [parts]}}", "its command has changed"),
        (
            "dvc.lock",
            "stages: {upper: {cmd: echo 1000}}",
            "1_000 is a text for Pivot, and a number for DVC: write 1000",
        ),
        ("dvc.lock", "schema: '2.0'", "DVC has recorded no run of it"),
        ("s3://b/x", "", "s3://b/x is outside the project, where only DVC knows"),
    ],
)
def test_a_run_that_does_not_hold_is_not_recorded(empty: Project, name: str, text: str, reason: str) -> None:
    DvcProject(empty)
    if name.startswith("s3:"):
        empty.replace("dvc.yaml", "[in.txt]", f"[in.txt, '{name}']")
        empty.replace("dvc.lock", "deps:\n", f"deps:\n    - {{path: '{name}', etag: a}}\n")
    else:
        empty.write(name, text)
    if name == "in.txt":
        empty.replace("dvc.yaml", "- parts ", "- parts: {cache: false} ")
    if "1000" in text:
        empty.write("params.yaml", "n: 1_000\n")
        empty.write("dvc.yaml", "stages: {upper: {cmd: 'echo ${n}', outs: [parts]}}")
    found = stale(imported(empty, code=int(name.startswith("s3:"))))
    assert found["upper"].startswith(reason)
    status = empty.json("status", "--json")
    assert {each["name"]: each["status"] for each in status["stages"]} == {"upper": "stale"}
    if name == "in.txt":  # data that differ from their record
        assert [each["status"] for each in status["tracked_files"]] == ["modified"]
        empty.pivot("repro")  # replaces the old directory, which is not the user's
        assert empty.read("parts/1.txt") == "CHANGED\n"


def test_a_project_of_dvc_2_with_windows_lines_is_read(empty: Project) -> None:
    dvc = DvcProject(empty, layout="", kind="md5-dos2unix")
    empty.root.joinpath("in.txt").write_bytes(b"a\r\nb\r\n")
    dvc.object("A\nB\n").chmod(0o644)
    dvc.object("A\nB\n").write_bytes(b"A\r\nB\r\n")
    shutil.rmtree(empty.root / "parts")
    assert imported(empty)["stages"] == {"cached": ["upper"], "stale": []}
    empty.pivot("checkout")
    assert (empty.root / "parts/1.txt").read_bytes() == b"A\r\nB\r\n"


def test_stages_of_dvc_0_are_carried_from_their_files(empty: Project) -> None:
    dvc = DvcProject(empty, layout="", kind="md5-dos2unix")
    for name in ("dvc.yaml", "dvc.lock"):
        (empty.root / name).unlink()
    empty.write(
        "upper.dvc",
        f"cmd: mkdir -p parts/2 && tr a-z A-Z < in.txt > parts/1.txt && echo ${{HOME:+3}} > parts/2/3.txt\n"
        f"deps:\n- {{md5: {md5('a\nb\n')}, path: in.txt}}\n"
        f"outs:\n- {{md5: {md5(dvc.listing)}.dir, path: parts, cache: true, metric: false}}\n",
    )
    empty.write("Dvcfile", "deps:\n- {md5: null, path: parts}\n")
    done = imported(empty)
    assert done["stages"] == {"cached": ["upper"], "stale": []}
    assert {"path": "pivot.yaml", "from": "*.dvc"} in done["files"]
    assert empty.states() == {"upper": "cached"}
    empty.write("in.txt", "c\n")
    empty.pivot("repro")
    assert (empty.read("parts/1.txt"), empty.read("parts/2/3.txt")) == ("C\n", "3\n")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_files_that_dvc_has_linked_stay_and_objects_are_copies(empty: Project, link: Any) -> None:
    dvc = DvcProject(empty)
    for name, text in (("in.txt", "a\nb\n"), ("parts/1.txt", "A\nB\n")):
        (empty.root / name).unlink()
        link(dvc.object(text), empty.root / name)
    before = dvc.own()
    assert imported(empty)["stages"]["cached"] == ["upper"]
    assert before.items() <= dvc.own().items()
    dvc.object("a\nb\n").chmod(0o644)
    dvc.object("a\nb\n").write_text("edited through DVC's cache")
    assert empty.pivot("cache", "verify").returncode == 0
    assert empty.states() == {"upper": "stale"}


def test_files_of_the_user_are_not_replaced_unless_that_is_wanted(empty: Project) -> None:
    DvcProject(empty)
    mine = textwrap.dedent(
        empty.read("dvc.yaml").replace("stages:", "pipeline: mine\nstages:").replace("- parts", "- parts/")
    )
    empty.write("pivot.yaml", mine)
    refused = empty.pivot("import-dvc", code=2).stderr
    assert "pivot.yaml already exists with other content" in refused
    assert not (empty.root / ".pivot").exists()
    assert imported(empty, "--keep")["stages"]["cached"] == ["upper"]
    assert empty.read("pivot.yaml") == mine
    assert empty.states() == {"upper": "cached"}

    empty.write("in.txt", "new\n")
    empty.pivot("track", "in.txt")
    done = imported(empty, "--keep", code=1)
    assert [each["problem"] for each in done["leftovers"]] == [
        "in.txt.pvt already records other content, and stays as it is"
    ]
    imported(empty, "--force")
    assert "pipeline: project" in empty.read("pivot.yaml")
    assert empty.json("status", "--json")["tracked_files"][0]["status"] == "other"


def test_a_pipeline_file_of_another_program_is_listed(empty: Project) -> None:
    DvcProject(empty)
    empty.write("serving/pipeline.py", "import other\n")
    empty.write("own/pipeline.py", "import pivot\n")
    (leftover,) = imported(empty, code=1)["leftovers"]
    assert (leftover["where"], leftover["remedy"]) == (
        "serving/pipeline.py",
        "rename it, or write serving/ into .pivotignore",
    )
    empty.write("pipeline.py", "import other\n")
    refused = empty.pivot("import-dvc", code=2).stderr
    assert "pipeline.py is where pivot.yaml would be" in refused
    assert "hint: rename it, also where commands" in refused


def test_where_there_is_no_dvc_project_and_inside_another_project(empty: Project) -> None:
    assert "there is no DVC project" in empty.pivot("import-dvc", code=2).stderr
    empty.pivot("init")
    (empty.root / "sub/.dvc").mkdir(parents=True)
    assert "inside the Pivot project" in empty.pivot("import-dvc", "sub", code=2).stderr


def test_shared_caches_of_dvc_are_read_where_they_are(empty: Project) -> None:
    dvc = DvcProject(empty)
    (empty.root / ".dvc/cache").rename(empty.root.parent / "shared")
    empty.write(".dvc/config", "[cache]\n    dir = ../../shared\n")
    shutil.rmtree(empty.root / "parts")
    assert imported(empty)["stages"]["cached"] == ["upper"]
    assert empty.pivot("config", "get", "cache.dir").stdout.strip() == f"{empty.root.parent}/shared-pivot"
    assert dvc.root == empty.root


def test_projects_in_many_shapes_are_cached_after_the_import_and_only_edits_make_stages_stale(
    empty: Project,
) -> None:
    shutil.copytree(SHAPES, empty.root, dirs_exist_ok=True)
    done = imported(empty, code=1)

    assert done["stages"]["stale"] == []
    assert len(done["stages"]["cached"]) == 35
    assert {each["where"] for each in done["leftovers"] if "remedy" in each} == {
        *("flags/dvc.yaml:33", "flags/dvc.yaml:34"),
        "get_started/dvc.yaml:43",
        *("plots/dvc.yaml:20", "plots/dvc.yaml:21", "plots/dvc.yaml:31"),
        "resolved_paths/dvc.yaml:27",
        *(".dvc/config:6", ".dvc/config:7"),
    }
    empty.pivot("checkout")
    states = empty.states("--all")
    assert set(states.values()) == {"cached"}
    assert {"train@cnn_data0_0-1", "count@en_US-UTF-8", "score@1", "index"} <= states.keys()
    done_again = empty.pivot("repro", "--all").stdout
    assert "Done: 2 ran, 1 frozen, 32 cached" in done_again
    assert (empty.read("arguments/result.txt"), empty.read("flags/length.txt")) == (
        "--lr 0.5 --name a b --deep.layers 2 --verbose --cols x 3 --out result.txt\n",
        "1\n",
    )
    metrics = {each["path"]: each["values"]["workspace"] for each in empty.json("metrics", "show", "--json")["metrics"]}
    assert metrics["dvclive/dvclive/metrics.json"] == {"acc": 1}
    plots = {each["path"]: each for each in empty.json("plots", "show", "--json")["plots"]}
    assert plots["dvclive/dvclive/plots/metrics/acc.tsv"]["spec"]["encoding"]["x"]["title"] == "step"

    empty.replace("get_started/params.yaml", "ngrams: 2", "ngrams: 3  # more")
    empty.replace("foreach_mapping/models.yaml", "rate: 1\n", "rate: 2\n")
    empty.replace("vars_and_wdir/config/consts.yaml", "threshold: 3", "threshold: 4")
    empty.replace("params_of_files/config.json", '"epochs": 3', '"epochs":  4')
    empty.replace("hydra/params.yaml", "name: net", "name:   net  # as before")
    now = {name for name, state in empty.states("--all").items() if state == "stale"}
    assert now == {
        *("featurize", "get_started.train", "evaluate"),
        *("train@rnn", "score@1"),
        *("clean", "params_of_files.train"),
    }


def test_python_scripts_count_by_their_code(empty: Project) -> None:
    files = {
        "train.py": "import model\nprint(model.fit())\n",
        "model.py": "def fit():\n    return 1\n",
        "made.py": "",
        "out.txt": "1\n",
    }
    for name, text in files.items():
        empty.write(name, text)
    scripts = "- train.py\n    - model.py   # imported\n    "
    declared = f"deps:\n    {scripts}- made.py\n    outs:\n    - out.txt\n"
    stage = f"stages:\n  train:\n    cmd: python train.py > out.txt\n    {declared}"
    stage += "  make:\n    cmd: touch made.py\n    outs:\n    - made.py\n"
    empty.write("dvc.yaml", stage)
    empty.write(".dvc/config", "")
    recorded = re.sub(r"- (\S+)", lambda each: f"- {{path: {each[1]}, hash: md5, md5: {md5(files[each[1]])}}}", stage)
    empty.write("dvc.lock", f"schema: '2.0'\n{recorded}")

    empty.write("model.py", files["model.py"] + "# edited\n")
    assert stale(imported(empty, "--dry-run"))["train"] == "model.py is not as DVC recorded it"
    empty.write("model.py", files["model.py"])
    done = imported(empty)
    assert [each["problem"] for each in done["leftovers"]] == [
        "Python code that commands run counts by what it does, and is no dep here: model.py, train.py"
    ]
    assert empty.read("pivot.yaml") == "pipeline: project\n" + stage.replace(scripts, "")
    assert empty.states()["train"] == "cached"
    empty.write("model.py", "# Comments do not count.\n" + files["model.py"])
    empty.write("train.py", files["train.py"].replace("(model", "( model"))
    assert empty.states()["train"] == "cached"
    empty.replace("model.py", "1", "2")
    assert empty.states()["train"] == "stale"

    imported(empty, "--script-deps", "--force")
    assert declared in empty.read("pivot.yaml")


def test_parts_that_cannot_be_loaded_are_left_out_and_the_project_loads(empty: Project) -> None:
    DvcProject(empty)
    both = "stages:\n  a:\n    cmd: {no: command}\n  b:\n    cmd: echo > b.txt\n    outs: [b.txt]\n"
    for name in ("dvc.yaml", "project/dvc.yaml"):  # the root's name, too, is "project"
        empty.write(name, both)
    empty.write(".dvcignore", "*.tmp\n[z-a]\n")
    empty.write(".dvc/config", "['remote \"x.y\"']\n    url = s3://bucket/with spaces\n")
    done = imported(empty, code=1)
    assert {each["where"] for each in done["leftovers"]} == {
        *("dvc.yaml:2", "project/dvc.yaml:2"),
        *(".dvcignore", ".dvc/config:2"),
    }
    assert empty.states("--all") == {"project.b": "stale", "project_2.b": "stale"}
    assert (
        empty.read("project/pivot.yaml")
        == "pipeline: project\nstages:\n  b:\n    cmd: echo > b.txt\n    outs: [b.txt]\n"
    )
    assert imported(empty, code=1)["files"] == []


def test_directories_with_a_repository_or_a_dvc_project_in_them(empty: Project) -> None:
    """DVC ignores the file ``.git`` of a submodule; a project of its own cannot be one inside this one."""
    DvcProject(empty)
    listing = md5(json.dumps([{"md5": md5("1\n"), "relpath": "a.txt"}]))
    empty.replace("dvc.yaml", "[in.txt]", "[in.txt, lib]")
    empty.replace("dvc.lock", "    deps:\n", f"    deps:\n    - {{path: lib, hash: md5, md5: {listing}.dir}}\n")
    empty.write("lib/a.txt", "1\n")
    empty.write("lib/.git", "gitdir: ../.git/modules/lib\n")
    empty.write("lib/b/.hg/store", "")
    empty.write("own/.dvc/config", "")
    empty.write("own/dvc.yaml", "stages: {a: {cmd: x}}\n")
    done = imported(empty, code=1)
    assert done["stages"]["cached"] == ["upper"]
    remedies = {each["where"]: each["remedy"] for each in done["leftovers"]}
    assert remedies == {
        "own": "import a clone of it that is outside: of two Pivot projects, only the outer one counts",
        "lib": "declare the files in it that matter: 'lib/**/*.py'",
    }


def test_files_that_dvc_ignores_in_a_directory_are_listed_and_init_names_the_way(empty: Project) -> None:
    DvcProject(empty)
    empty.write(".dvcignore", "*.tmp\n")
    empty.write("parts/2/x.tmp", "left by an editor")
    assert "'pivot import-dvc' takes" in empty.pivot("init").stderr
    done = imported(empty, code=1)
    assert done["stages"]["cached"] == ["upper"]
    assert [(each["where"], each["problem"]) for each in done["leftovers"]] == [
        ("parts", "DVC ignores files in it, such as 2/x.tmp, and Pivot does not")
    ]
    assert "*.tmp" in empty.read(".pivotignore")
