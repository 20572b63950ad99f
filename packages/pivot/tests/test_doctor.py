"""`pivot doctor` names what is in the way, and what costs time."""

from collections.abc import Callable

from harness import Project


def test_findings_of_every_level(quick: Project) -> None:
    done = quick.pivot("doctor")
    assert "ok       pipeline.py: 2 stages; imported again only when something it depends on has changed" in done.stdout
    assert "problem" not in done.stdout
    done = quick.pivot("doctor", env={"PIVOT_EXECUTOR": "nowhere://x"}, code=1)
    assert "problem  configuration: executor: no executor supports addresses with 'nowhere'" in done.stdout

    quick.write("pipeline.py", "import time\nAT = time.time()\n" + quick.read("pipeline.py"))
    quick.write("sub/pipeline.py", "import pivot\nimport os; os.system('true')\npipeline = pivot.Pipeline('sub')\n")
    found = quick.json("doctor", "--json")["findings"]
    slow = {each["about"]: each["text"] for each in found if each["level"] == "note"}
    assert slow["pipeline.py"].endswith("since while it is imported it asks for the time")
    assert slow["sub/pipeline.py"].endswith("since while it is imported it starts a program")

    quick.write("sub/pipeline.py", "import nothing_of_this_name\n")
    assert "problem  pipelines: sub/pipeline.py cannot be imported" in quick.pivot("doctor", code=1).stdout
    quick.write(".pivot/config.yaml", "run.job: 3\n")
    assert "problem  configuration: " in quick.pivot("doctor", code=1).stdout


def test_an_inner_project_and_git(make: Callable[[str], Project]) -> None:
    project = make("import pivot\npipeline = pivot.Pipeline('p')\n")
    project.write("inner/.pivot/config.yaml", "")
    (project.root / ".git").mkdir()
    (project.root / ".pivot/.gitignore").unlink()
    done = project.pivot("doctor", cwd="inner", code=1)
    assert "inner has a .pivot/ of its own" in done.stdout
    assert ".pivot/.gitignore is missing" in done.stdout


def test_code_that_cannot_be_followed_is_listed_once_per_reason(make: Callable[[str], Project]) -> None:
    project = make(
        "import sys\nimport pivot\n"
        "pipeline = pivot.Pipeline('p')\n\n"
        "@pipeline.register\n"
        "def show() -> None:\n"
        "    print(getattr(sys, input()))\n"
        "    print(getattr(sys, input()))\n"
        "    print(getattr(sys, input()))\n"
    )
    lines = [line for line in project.pivot("doctor").stdout.splitlines() if "p.show" in line]
    assert [line.partition("(pipeline.py")[2] for line in lines] == [":7 and 2 more)"]
