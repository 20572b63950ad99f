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
    assert "Only an import of the pipeline can tell" in found["summarize"][1]
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
    assert "--static forbids it" in quick.pivot("verify", "--static", "--rerun", code=2).stderr


def test_a_snapshot_that_came_with_the_code_is_not_believed(quick: Project) -> None:
    quick.pivot("repro")
    subprocess.run(["git", "init", "-q"], cwd=quick.root, check=True)
    assert verify(quick, code=0)["preprocess"] == ("passed", "")
    subprocess.run(["git", "add", "-f", ".pivot/state.db/snapshots"], cwd=quick.root, check=True)
    assert verify(quick, code=3)["preprocess"][0] == "unknown"
    shutil.rmtree(quick.root / ".git")
    (quick.root / ".git").write_text("gitdir: nowhere\n")
    assert verify(quick, code=3)["preprocess"][0] == "unknown", "nor where git cannot tell"
