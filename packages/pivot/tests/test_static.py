"""`pivot verify --static`: for code of strangers, which is never imported."""

import json
import shutil
import subprocess

from harness import Project

TRACE = 'import pathlib as _p\n_p.Path(__file__).with_name("imported").write_text("it was")\n'


def verify(project: Project, *options: str, code: int) -> dict[str, tuple[str, str]]:
    """Status and reason by stage; nothing was imported."""
    (project.root / "imported").unlink(missing_ok=True)
    told = json.loads(project.pivot("verify", "--static", "--json", *options, code=code).stdout)
    assert not (project.root / "imported").exists()
    return {stage["name"]: (stage["status"], stage["reason"]) for stage in told["stages"]}


def test_a_strangers_code_is_not_imported(quick: Project) -> None:
    assert "no stage is known without importing" in quick.pivot("verify", "--static", code=3).stderr
    quick.pivot("repro")
    assert verify(quick, code=0) == {"preprocess": ("passed", ""), "summarize": ("passed", "")}

    original = quick.read("pipeline.py")
    quick.write("pipeline.py", TRACE + original)
    found = verify(quick, code=3)
    assert [status for status, _ in found.values()] == ["unknown", "unknown"]
    assert "Unknown without an import of the pipeline" in found["summarize"][1]
    assert verify(quick, "--all", "summarize", code=3).keys() == {"summarize"}

    quick.write("pipeline.py", TRACE + original.replace("summarize", "summed"))
    found = verify(quick, code=1)
    assert found["preprocess"][0] == "unknown"
    assert found["summarize"] == ("failed", "Code dependency changed: func:summarize")

    quick.write("pipeline.py", TRACE + original)
    quick.replace("data.json", "100", "101")
    found = verify(quick, code=1)
    assert found["preprocess"] == ("failed", "Input data changed: data.json")
    assert found["summarize"] == ("failed", "Upstream stage will run: preprocess")

    quick.replace("data.json", "101", "100")
    shutil.rmtree(quick.root / ".pivot/cache")
    assert verify(quick, "summarize", code=3)["summarize"][0] == "unknown"
    quick.write("pipeline.py", original)
    shutil.rmtree(quick.root / "__pycache__", ignore_errors=True)
    quick.pivot("status")
    found = verify(quick, code=3)
    assert found["summarize"] == ("unknown", "Not in the cache here, and the remote was not asked: summary.json")
    assert "which --static forbids" in quick.pivot("verify", "--static", "--rerun", code=2).stderr


def test_a_snapshot_that_came_with_the_code_is_not_believed(quick: Project) -> None:
    quick.pivot("repro")
    subprocess.run(["git", "init", "-q"], cwd=quick.root, check=True)
    assert verify(quick, code=0)["preprocess"] == ("passed", "")
    subprocess.run(["git", "add", "-f", ".pivot/state.db/snapshots"], cwd=quick.root, check=True)
    assert verify(quick, code=3)["preprocess"][0] == "unknown"
    shutil.rmtree(quick.root / ".git")
    (quick.root / ".git").write_text("gitdir: nowhere\n")
    assert verify(quick, code=3)["preprocess"][0] == "unknown", "nor where git cannot tell"


def test_shell_commands_are_known_without_an_import(empty: Project) -> None:
    """A fresh clone, no snapshot, and modules of a stranger that would be imported if any were."""
    empty.pivot("init")
    empty.write(
        "pivot.yaml",
        "pipeline: words\nstages:\n"
        "  upper:\n    cmd: bash up.sh ${params.more} < ${deps.text} > ${outs.loud}\n"
        "    deps: {text: words.txt}\n    outs: {loud: loud.txt}\n    params: {more: x}\n"
        "  count:\n    cmd: wc -l < loud.txt > count.txt\n    deps: [loud.txt]\n    outs: [count.txt]\n",
    )
    empty.write("up.sh", 'tr a-z A-Z; echo "$1"')
    empty.write("words.txt", "hello\n")
    empty.pivot("repro")
    shutil.rmtree(empty.root / ".pivot/state.db")
    for module in ("yaml", "ruamel", "yamltext", "xxhash", "sitecustomize"):
        empty.write(f"{module}.py", TRACE)
    assert verify(empty, code=0) == {"upper": ("passed", ""), "count": ("passed", "")}

    edits = [
        ("pivot.yaml", "wc -l", "wc -c", {"count": "Code dependency changed: command"}),
        ("pivot.yaml", "more: x", "more: y", {"upper": "Parameter changed: more"}),
        ("up.sh", "a-z", "b-z", {"upper": "Code dependency changed: file:up.sh"}),
    ]
    for name, old, new, failed in edits:
        empty.replace(name, old, new)
        found = verify(empty, "--all", code=1)
        assert {name: why for name, (status, why) in found.items() if status == "failed"}.items() >= failed.items()
        empty.replace(name, new, old)

    empty.write("sums/pipeline.py", TRACE)
    assert verify(empty, "--all", code=3)["upper"] == ("passed", "")
    told = empty.pivot("verify", "--all", "--static", code=3).stdout
    assert told.endswith("2 stages, all passed, determining the stages of sums/pipeline.py requires an import\n")
    assert verify(empty, code=0)["upper"] == ("passed", "")
    empty.write(
        "pivot.yaml", f"{empty.read('pivot.yaml')}  more:\n    python: yaml:count\n    outs: {{return: more.txt}}\n"
    )
    assert verify(empty, code=3)["upper"][0] == "unknown"
    empty.replace("pivot.yaml", "python: yaml:count", "cmnd: wc")
    assert "pivot.yaml:13" in empty.pivot("verify", "--static", code=2).stderr


def test_shell_commands_that_rest_on_what_only_an_import_can_tell(empty: Project) -> None:
    empty.pivot("init")
    empty.write(
        "pivot.yaml",
        "pipeline: words\nstages:\n"
        "  upper:\n    cmd: tr a-z A-Z < made/words.txt > loud.txt\n    deps: [made/words.txt]\n    outs: [loud.txt]\n"
        "  other:\n    cmd: echo 1 > other.txt\n    outs: [other.txt]\n",
    )
    empty.write(
        "made/pipeline.py",
        "from typing import Annotated\n\nimport pivot\n\npipeline = pivot.Pipeline('made')\n\n\n@pipeline.register\n"
        "def make() -> Annotated[str, pivot.Out('words.txt', pivot.loaders.Text())]:\n    return 'hello'\n",
    )
    empty.pivot("repro", "--all")
    shutil.rmtree(empty.root / ".pivot/state.db")
    found = verify(empty, "--all", code=3)
    assert found["other"] == ("passed", "")
    assert found["make"][0] == "unknown"
    assert found["upper"] == ("unknown", "It depends on made.make, which is unknown without an import")

    may = ("unknown", "It may depend on made/pipeline.py, which is unknown without an import")
    assert verify(empty, code=3)["upper"] == may
    (empty.root / ".pivot/stages/made.make.lock").unlink()
    assert verify(empty, "--all", code=3)["upper"] == may
