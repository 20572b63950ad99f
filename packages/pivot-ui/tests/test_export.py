"""`pivot ui --export`: the page as files, with every answer that it asks for."""

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from pivot_core.errors import PivotError
from pivot_runtime.context import CommandContext
from pivot_runtime.project.project import init
from pivot_ui.api.query import MediaAnswer
from pivot_ui.export.export import export
from pivot_ui.export.export_directory import ExportDirectory, ExportError
from pivot_ui.export.exported_answers import Question, compared_sides, key_of

PIPELINE = """\
pipeline: words
stages:
  shout:
    cmd: tr a-z A-Z < words.txt > loud.txt && echo '</script><script>owned=1</script>'
    deps: [words.txt]
    outs: [loud.txt]
  draw:
    cmd: mkdir -p drawn && cp dot.png drawn/dot.png && cp loud.txt drawn/loud.txt
    deps: [loud.txt, dot.png]
    outs: [drawn/]
"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f6"
    "45400000000049454e44ae426082"
)


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "project"
    root.mkdir()
    init(root)
    (root / "pivot.yaml").write_text(PIPELINE)
    (root / "words.txt").write_text("a b\n")
    (root / "dot.png").write_bytes(PNG)
    return root


def exported(root: pathlib.Path, directory: str = "site") -> pathlib.Path:
    assert export(CommandContext.find(root, os.environ), directory) == 0
    return root / directory


def parsed(script: pathlib.Path) -> Any:
    """The plain data in a script, as the page finds them."""
    (text,) = re.findall(r'JSON\.parse\(("(?:[^"\\]|\\.)*")\)', script.read_text("utf-8"))
    return json.loads(json.loads(text))


def files_of(site: pathlib.Path) -> dict[str, str]:
    files: dict[str, str] = parsed(site / "data/index.js")["files"]
    return files


def answer(site: pathlib.Path, key: str) -> Any:
    file = site / files_of(site)[key]
    assert file.read_text("utf-8").startswith(f"pivotData({json.dumps(key)}, ")
    return parsed(file)


def test_the_page_has_the_answers_to_all_that_it_asks(project: pathlib.Path) -> None:
    subprocess.run([sys.executable, "-m", "pivot_cli", "repro"], cwd=project, check=True, capture_output=True)

    site = exported(project)

    keys = {"project", "graph", "status", "revisions", "runs?limit=50", "results", "plots"}
    keys |= {f"{name}?address=words.{stage}" for name in ("stage", "log") for stage in ("draw", "shout")}
    keys |= {f"preview?path={path}" for path in ("words.txt", "dot.png", "loud.txt", "drawn")}
    keys |= {f"preview?inside={name}&path=drawn" for name in ("dot.png", "loud.txt")}
    keys |= {"content?path=dot.png", "content?inside=dot.png&path=drawn"}
    files = files_of(site)
    run = [key for key in files if key.startswith("run?")]
    assert len(run) == 1
    assert files.keys() == keys.union(run)
    assert answer(site, "project")["exported"] is True
    assert {stage["status"] for stage in answer(site, "status")["stages"]} == {"cached"}
    assert answer(site, run[0])["state"] == "done"
    assert (site / files["content?inside=dot.png&path=drawn"]).read_bytes() == PNG
    assert files["content?path=dot.png"].endswith(".png")


def test_the_page_loads_its_answers_before_its_script(project: pathlib.Path) -> None:
    site = exported(project)

    page = (site / "index.html").read_text("utf-8")

    scripts = re.findall(r'<script src="([^"]+)" defer>', page)
    assert scripts == ["data/index.js", "app.js"]
    assert all((site / name).is_file() for name in [*scripts, "layout_worker.js", "app.css", "vendor/vega.min.js"])
    assert not any(path.is_symlink() for path in site.rglob("*"))


def test_text_of_a_stage_stays_data(project: pathlib.Path) -> None:
    subprocess.run([sys.executable, "-m", "pivot_cli", "repro"], cwd=project, check=True, capture_output=True)

    log = answer(exported(project), "log?address=words.shout")

    assert "</script><script>owned=1</script>" in log["text"]


def test_names_that_javascript_gives_a_meaning_stay_names(tmp_path: pathlib.Path) -> None:
    target = ExportDirectory(tmp_path / "site", "site")
    target.check(tmp_path)
    target.begin()

    target.add("preview?path=a", {}, '{"__proto__": {"a": "\\u2028"}}')

    assert parsed(tmp_path / "site/data/1.js") == {"__proto__": {"a": "\u2028"}}
    assert (tmp_path / "site/data/1.js").read_text("utf-8").isascii()


def test_what_is_no_export_is_not_touched(project: pathlib.Path) -> None:
    (project / "site").mkdir()
    (project / "site/thesis.txt").write_text("mine")
    (project / "site/export.json").write_text("[]")

    with pytest.raises(ExportError, match="not empty") as refused:
        exported(project)

    assert refused.value.hint is not None
    assert {path.name for path in (project / "site").iterdir()} == {"thesis.txt", "export.json"}
    assert (project / "site/thesis.txt").read_text() == "mine"


def test_a_file_in_place_of_the_directory_is_refused(project: pathlib.Path) -> None:
    with pytest.raises(ExportError, match=r"words\.txt"):
        exported(project, "words.txt")

    assert (project / "words.txt").read_text() == "a b\n"


def test_an_earlier_export_is_replaced_and_no_link_in_it_is_followed(project: pathlib.Path) -> None:
    site = exported(project)
    before = {path.relative_to(site) for path in site.rglob("*")}
    (site / "data/999.js").write_text("of a larger export")
    (site / "app.css").unlink()
    (site / "app.css").symlink_to(project / "words.txt")

    exported(project)

    assert {path.relative_to(site) for path in site.rglob("*")} == before
    assert (project / "words.txt").read_text() == "a b\n"


@pytest.mark.parametrize("name", ["data", "vendor"])
def test_a_directory_of_an_earlier_export_that_is_now_a_link_is_not_followed(project: pathlib.Path, name: str) -> None:
    site = exported(project)
    (site / name).rename(project / "elsewhere")
    (site / name).symlink_to(project / "elsewhere")
    for each in (project / "elsewhere").iterdir():
        each.write_text("mine")

    exported(project)

    assert {each.read_text() for each in (project / "elsewhere").iterdir()} == {"mine"}
    assert (site / name).is_dir()
    assert not (site / name).is_symlink()


def test_an_export_that_was_killed_has_no_page_and_is_replaced(project: pathlib.Path) -> None:
    exported(project)
    killed = ExportDirectory(project / "site", "site")
    killed.check(project)
    killed.begin()
    killed.add("content?path=a", MediaAnswer(PNG, "image/png"), "")

    assert not (project / "site/index.html").exists()
    assert "graph" in files_of(exported(project))


def test_a_project_that_cannot_be_loaded_keeps_its_earlier_export(project: pathlib.Path) -> None:
    site = exported(project)
    (project / "pivot.yaml").write_text("stages: [")

    with pytest.raises(PivotError, match=r"pivot\.yaml"):
        exported(project)

    assert len(answer(site, "graph")["stages"]) == 2


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({}, "preview"),
        ({"path": "a/b c.csv", "inside": "d"}, "preview?inside=d&path=a%2Fb%20c.csv"),
        ({"address": "p.train@a"}, "preview?address=p.train%40a"),
        ({"path": "-_.!~*'()"}, "preview?path=-_.!~*'()"),
        ({"path": "é&=+%"}, "preview?path=%C3%A9%26%3D%2B%25"),
        ({"limit": 50}, "preview?limit=50"),
    ],
)
def test_the_key_is_what_the_page_makes_of_a_question(parameters: dict[str, str | int], key: str) -> None:
    """By `encodeURIComponent`, and in the order of the names."""
    assert key_of(Question("preview", parameters)) == key


def test_the_command_prints_the_path_of_the_page(project: pathlib.Path) -> None:
    command = [sys.executable, "-m", "pivot_cli", "ui", "--export", "site"]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)

    assert pathlib.Path(done.stdout.removesuffix("\n")) == project / "site/index.html"
    assert "exported 2 stages" in done.stderr


@pytest.mark.parametrize("option", [["--allow-run"], ["--port", "8000"]])
def test_an_export_serves_nothing(project: pathlib.Path, option: list[str]) -> None:
    command = [sys.executable, "-m", "pivot_cli", "ui", "--export", "site", *option]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--export serves nothing" in done.stderr
    assert not (project / "site").exists()


@pytest.mark.parametrize(
    ("directory", "owner"),
    [(".pivot/site", "Pivot"), (".pivot", "Pivot"), ("kept/site", "Pivot"), (".git/site", "git")],
)
def test_nothing_is_exported_into_directories_of_pivot_or_git(
    project: pathlib.Path, directory: str, owner: str
) -> None:
    (project / ".git").mkdir()
    (project / "kept").symlink_to(".pivot")
    before = sorted(project.rglob("*"))
    with pytest.raises(ExportError, match=f"where only {owner} writes") as refused:
        export(CommandContext.find(project, os.environ), directory)
    assert refused.value.hint == "name another directory, such as 'site'"
    assert sorted(project.rglob("*")) == before


def test_the_sides_that_the_page_compares_by_itself_are_exported(project: pathlib.Path) -> None:
    runs = [{"run": 3, "stages": [{"combination": "a=1"}]}, {"run": 2, "stages": []}, {"run": 1, "stages": []}]
    assert compared_sides(runs, commits=True) == {"left": "HEAD", "right": "workspace"}
    assert compared_sides(runs, commits=False) == {"left": "run:1", "right": "run:2"}
    assert compared_sides(runs[:2], commits=False) == {"left": "run:2", "right": "workspace"}
    assert compared_sides(runs[:1], commits=False) is None
