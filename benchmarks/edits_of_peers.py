"""Which edits make a step run again: Pivot beside DVC, Snakemake, redun, targets, Kedro, Dagster and others.

`python benchmarks/edits_of_peers.py [--tools TOOL…] [--directory DIR] [--peers DIR]`. Every tool gets the same small
project, written as its documentation suggests: one step reads `in.txt`, calls a function of `helpers.py`, takes a
parameter from a file, and writes `out.txt`. A step of a script names the script among its inputs, and no other code.
Each edit is made in a project that has just run, and is undone afterwards. The other tools are installed with `uv`,
each into an environment of its own (`--peers`, kept); `make`, and R with targets, are those of the machine, if there
are some. The table says

- **runs**: the step was run, which it reports itself;
- skips: it was not run, and `out.txt` is as it should be;
- restores: it was not run, but `out.txt` had gone or was another one, and is right now;
- stops: the tool failed, and has changed nothing;
- MISSES: it was not run, and `out.txt` is not what the project would compute.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

from _processes import DISK, PIVOT, environment

PACKAGES = {
    "dvc": ("dvc==3.67.1",),
    "snakemake": ("snakemake==9.27.1",),
    "redun": ("redun==0.44.1",),
    "kedro": ("kedro==1.7.0", "kedro-datasets==9.6.0"),
    "dagster": ("dagster==1.13.29",),
    "doit": ("doit==0.37.0",),
    "joblib": ("joblib==1.6.0",),
}
QUIET = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "1"}


class Edit(NamedTuple):
    """One change of a project: in which file, which text becomes which, and what the step then computes."""

    name: str
    file: str
    old: str
    new: str
    result: str = "7"


STEP, HELPERS, OUT = "step", "helpers.py", "out.txt"
EDITS = [
    Edit("nothing", "", "", ""),
    Edit("input touched", "in.txt", "3", "3"),
    Edit("input edited", "in.txt", "3", "4", "9"),
    Edit("parameter changed", "params", ": 1", ": 5", "11"),
    Edit("comment in the step", STEP, "# step", "# the step"),
    Edit("the step edited", STEP, "int(text)", "10 * int(text)", "61"),
    Edit("comment in a helper", HELPERS, "# helper", "# the helper"),
    Edit("a helper edited", HELPERS, "2 * number", "3 * number", "10"),
    Edit("a function edited that the step does not use", HELPERS, "2 - number", "3 - number"),
    Edit("out edited by hand", OUT, "7", "8"),
    Edit("out deleted", OUT, "", ""),
]

HELPER_CODE = "def scale(number):\n    return 2 * number  # helper\n\n\ndef other(number):\n    return 2 - number\n"
R_HELPER_CODE = (
    "int <- function(text) as.integer(text)\nscale <- function(number) {\n  2 * number  # helper\n}\n"
    "other <- function(number) {\n  2 - number\n}\n"
)
COMPUTE = """    with open({ran!r}, "a") as ran:
        ran.write("ran\\n")
    result = str(scale(int(text)) + factor)  # step
"""
READ = 'factor = int(open("params.yaml").read().split(": ")[1])\ntext = open("in.txt").read()\n'
SCRIPT = (
    "from helpers import scale\n\n\ndef compute(text, factor):\n"
    + COMPUTE
    + "    return result\n\n\n"
    + READ
    + 'open("out.txt", "w").write(compute(text, factor))\n'
)


class Tool(NamedTuple):
    """How a tool is used.

    Attributes:
        files: Its project beside the common files, by path.
        step: The file with the code of the step.
        run: The command that brings the project up to date.
        begin: Commands of a new project.
        params: The file with the parameter, and its text.
        source: The directory of the helpers.
        helpers: The file with these, and its text.
    """

    files: Mapping[str, str]
    step: str
    run: str
    begin: tuple[str, ...] = ()
    params: tuple[str, str] = ("params.yaml", "factor: 1\n")
    source: str = ""
    helpers: tuple[str, str] = (HELPERS, HELPER_CODE)


TOOLS = {
    "pivot": Tool(
        {
            "pipeline.py": "from typing import Annotated\n\nimport pivot\nfrom pivot.loaders import Text\n\n"
            'from helpers import scale\n\npipeline = pivot.Pipeline("trial")\n\n\n'
            "class Params(pivot.StageParams):\n    factor: int = 1\n\n\n@pipeline.register\n"
            'def step(params: Params, text: Annotated[str, pivot.Dep("in.txt", Text())])'
            ' -> Annotated[str, pivot.Out("out.txt", Text())]:\n    factor = params.factor\n'
            + COMPUTE
            + "    return result\n"
        },
        "pipeline.py",
        f"{PIVOT} repro",
        ("git init --quiet", f"{PIVOT} init"),
        ("params.yaml", "step:\n  factor: 1\n"),
    ),
    "dvc": Tool(
        {
            "step.py": SCRIPT,
            "dvc.yaml": "stages:\n  step:\n    cmd: python step.py\n    deps: [step.py, in.txt]\n"
            "    params: [factor]\n    outs: [out.txt]\n",
        },
        "step.py",
        "dvc repro --quiet",
        ("git init --quiet", "dvc init --quiet"),
    ),
    "snakemake": Tool(
        {
            "step.py": "from helpers import scale\n\n\ndef compute(text, factor):\n"
            + COMPUTE
            + "    return result\n\n\n"
            "with open(snakemake.input[0]) as source, open(snakemake.output[0], 'w') as out:\n"
            "    out.write(compute(source.read(), snakemake.params.factor))\n",
            "Snakefile": 'configfile: "params.yaml"\n\nrule step:\n    input: "in.txt"\n    output: "out.txt"\n'
            '    params: factor=config["factor"]\n    script: "step.py"\n',
        },
        "step.py",
        "snakemake --cores 1 --quiet all",
    ),
    "redun": Tool(
        {
            "workflow.py": "from redun import File, task\n\nfrom helpers import scale\n\n"
            'redun_namespace = "trial"\n\n\n@task()\ndef step(source: File, factor: int) -> File:\n'
            "    text = source.read()\n" + COMPUTE + '    out = File("out.txt")\n    out.write(result)\n'
            "    return out\n\n\n@task()\ndef main(factor: int = 1) -> File:\n"
            '    return step(File("in.txt"), factor)\n'
        },
        "workflow.py",
        "redun run workflow.py main --factor $(cut -d' ' -f2 params.yaml)",
    ),
    "kedro": Tool(
        {
            "pyproject.toml": '[tool.kedro]\npackage_name = "trial"\nproject_name = "trial"\n'
            'kedro_init_version = "1.7.0"\nsource_dir = "src"\n',
            "src/trial/__init__.py": "",
            "src/trial/settings.py": "",
            "src/trial/pipeline_registry.py": "from kedro.pipeline import Node, Pipeline\n\n"
            "from .step import step\n\n\ndef register_pipelines():\n"
            '    return {"__default__": Pipeline([Node(step, ["text", "params:factor"], "result")])}\n',
            "src/trial/step.py": "from .helpers import scale\n\n\ndef step(text, factor):\n"
            + COMPUTE
            + "    return result\n",
            "conf/base/catalog.yml": "text: {type: text.TextDataset, filepath: in.txt}\n"
            "result: {type: text.TextDataset, filepath: out.txt}\n",
            "conf/local/credentials.yml": "{}\n",
        },
        "src/trial/step.py",
        "kedro run",
        params=("conf/base/parameters.yml", "factor: 1\n"),
        source="src/trial/",
    ),
    "dagster": Tool(
        {
            "definitions.py": "import dagster\nfrom helpers import scale\n\n\n"
            '@dagster.asset(code_version="1")\ndef step() -> None:\n'
            + "".join(f"    {line}\n" for line in READ.splitlines())
            + COMPUTE
            + '    open("out.txt", "w").write(result)\n'
        },
        "definitions.py",
        "dagster asset materialize --select step -f definitions.py",
    ),
    "doit": Tool(
        {
            "step.py": SCRIPT,
            "dodo.py": "from doit.tools import config_changed\n\n\ndef task_step():\n"
            '    return {"actions": ["python step.py"], "file_dep": ["step.py", "in.txt"], "targets": ["out.txt"],\n'
            '            "uptodate": [config_changed(open("params.yaml").read())]}\n',
        },
        "step.py",
        "doit",
    ),
    "joblib": Tool(
        {
            "main.py": "from joblib import Memory\n\nfrom helpers import scale\n\n"
            'memory = Memory("cache", verbose=0)\n\n\n@memory.cache\ndef step(text, factor):\n'
            + COMPUTE
            + "    return result\n\n\n"
            + READ
            + 'open("out.txt", "w").write(step(text, factor))\n'
        },
        "main.py",
        "python main.py",
    ),
    "targets": Tool(
        {
            "step.R": "step <- function(text, factor) {\n"
            '  cat("ran\\n", file = {ran!r}, append = TRUE)\n'
            "  as.character(scale(int(text)) + factor)  # step\n}\n",
            "_targets.R": 'library(targets)\nsource("helpers.R")\nsource("step.R")\nlist(\n'
            '  tar_target(input, "in.txt", format = "file"),\n'
            '  tar_target(params, "params.yaml", format = "file"),\n'
            "  tar_target(factor, yaml::read_yaml(params)$factor),\n"
            '  tar_target(result, {\n    cat(step(readLines(input), factor), file = "out.txt")\n    "out.txt"\n'
            '  }, format = "file")\n)\n',
        },
        "step.R",
        "Rscript -e 'targets::tar_make(callr_function = NULL)'",
        helpers=("helpers.R", R_HELPER_CODE),
    ),
    "make": Tool(
        {"step.py": SCRIPT, "Makefile": "out.txt: in.txt step.py params.yaml\n\tpython3 step.py\n"}, "step.py", "make"
    ),
}


def install(tool: str, place: pathlib.Path) -> str:
    """The directory of the executables of a tool, which is installed at first."""
    environment = place / tool
    if tool not in PACKAGES:
        return str(pathlib.Path(sys.executable).parent)
    record, wanted = environment / "packages.txt", " ".join(PACKAGES[tool])
    if not record.exists() or record.read_text() != wanted:
        python = str(environment / "bin" / "python")
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *PACKAGES[tool]], check=True)
        record.write_text(wanted)
    return str(environment / "bin")


class Project:
    """The project of one tool."""

    def __init__(self, tool: Tool, place: pathlib.Path, programs: str) -> None:
        self.tool, self.place, self.ran = tool, place / "project", place / "ran.txt"
        self.variables = environment() | QUIET | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        name, code = tool.helpers
        texts = {"in.txt": "3\n", f"{tool.source}{name}": code, tool.params[0]: tool.params[1], **tool.files}
        for name, text in texts.items():
            path = self.place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{ran!r}", repr(str(self.ran))))
        for command in (*tool.begin, tool.run):
            self.command(command)

    def command(self, command: str) -> None:
        if (said := self.failure(command)) is not None:
            sys.exit(f"{command} failed:\n{said}")

    def failure(self, command: str) -> str | None:
        """The output of a command that fails; none of one that does not."""
        done = subprocess.run(
            command, shell=True, cwd=self.place, env=self.variables, capture_output=True, text=True, check=False
        )
        return f"{done.stdout}{done.stderr}" if done.returncode != 0 else None

    def path(self, edit: Edit) -> pathlib.Path:
        """The file of an edit."""
        tool = self.tool
        return self.place / {
            STEP: tool.step,
            "params": tool.params[0],
            HELPERS: f"{tool.source}{tool.helpers[0]}",
        }.get(edit.file, edit.file)

    def answer(self, edit: Edit) -> str:
        """Make an edit, say what the tool does, and bring the project up to date again."""
        path = self.path(edit)
        before = path.read_text() if edit.file else ""
        if edit.file and not edit.new:
            path.unlink()
        elif edit.file:
            assert edit.old in before
            path.write_text(before.replace(edit.old, edit.new))
        did = self.did(edit.result)
        if edit.file:
            path.write_text(before)
            self.command(self.tool.run)
        return did

    def result(self) -> str | None:
        out = self.place / OUT
        return out.read_text() if out.exists() else None

    def did(self, expected: str) -> str:
        """Run the command of the tool, and say what it does."""
        before, at_first = self.runs(), self.result()
        if self.failure(self.tool.run) is not None:
            return "stops" if (self.runs(), self.result()) == (before, at_first) else "fails"
        if self.runs() > before:
            return "**runs**"
        if self.result() != expected:
            return "MISSES"
        return "skips" if at_first == expected else "restores"

    def undone(self) -> str:
        """Undo an edit of the step, and say what the tool does."""
        path = self.place / self.tool.step
        before = path.read_text()
        path.write_text(before.replace("int(text)", "20 * int(text)"))
        self.command(self.tool.run)
        path.write_text(before)
        return self.did("7")

    def runs(self) -> int:
        return len(self.ran.read_text().splitlines())


def answers(tool: str, place: pathlib.Path, programs: str) -> dict[str, str]:
    """The answers of a tool by edit."""
    project = Project(TOOLS[tool], place, programs)
    found = {edit.name: project.answer(edit) for edit in EDITS}
    return found | {"the edit of the step undone": project.undone()}


def is_here(tool: str) -> bool:
    """Whether this script installs a tool, or the machine has it."""
    if tool != "targets":
        return tool != "make" or shutil.which("make") is not None
    question = [shutil.which("Rscript") or "false", "-e", 'library("targets")']
    return subprocess.run(question, capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--directory", default=DISK, help="where projects are made; by default on a disk")
    parser.add_argument("--peers", type=pathlib.Path, help="the environments of the other tools")
    given = parser.parse_args()
    place = (given.peers or pathlib.Path(DISK) / "pivot-benchmark-edits").resolve()
    tools = [tool for tool in given.tools if is_here(tool)]
    columns = {}
    for tool in tools:
        programs = install(tool, place)
        with tempfile.TemporaryDirectory(dir=given.directory) as directory:
            columns[tool] = answers(tool, pathlib.Path(directory), programs)
    print(", ".join(package for tool in tools for package in PACKAGES.get(tool, ())))
    print(f"| edit | {' | '.join(tools)} |")
    print(f"|---|{'---|' * len(tools)}")
    for edit in columns[tools[0]]:
        print(f"| {edit} | {' | '.join(columns[tool][edit] for tool in tools)} |")


if __name__ == "__main__":
    main()
