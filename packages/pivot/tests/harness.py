"""A project in a directory, driven through the real executable."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from command_forks import DEADLINE, KEPT, commands

from pivot_cli import app, main
from pivot_runtime.freshness import noop_cache

PIVOT = pathlib.Path(sys.executable).with_name("pivot")

QUICK_START = '''\
import json
import pathlib
from typing import Annotated, TypedDict

import pivot

pipeline = pivot.Pipeline("my_pipeline")


class PreprocessOutputs(TypedDict):
    clean: Annotated[pathlib.Path, pivot.Out("clean.json", pivot.loaders.PathOnly())]


def preprocess(
    raw: Annotated[dict, pivot.Dep("data.json", pivot.loaders.JSON())],
) -> PreprocessOutputs:
    """Remove entries with missing values."""
    clean = [row for row in raw["records"] if all(row.values())]
    out_path = pathlib.Path("clean.json")
    out_path.write_text(json.dumps({"records": clean}, indent=2))
    return PreprocessOutputs(clean=out_path)


class SummarizeOutputs(TypedDict):
    summary: Annotated[pathlib.Path, pivot.Out("summary.json", pivot.loaders.PathOnly())]


def summarize(
    data: Annotated[dict, pivot.Dep("clean.json", pivot.loaders.JSON())],
) -> SummarizeOutputs:
    """Compute summary statistics."""
    records = data["records"]
    values = [r["value"] for r in records]
    summary = {
        "count": len(values),
        "mean": sum(values) / len(values) if values else 0,
        "min": min(values) if values else 0,
        "max": max(values) if values else 0,
    }
    out_path = pathlib.Path("summary.json")
    out_path.write_text(json.dumps(summary, indent=2))
    return SummarizeOutputs(summary=out_path)


# Register stages — Pivot discovers deps/outs from annotations
pipeline.register(preprocess)
pipeline.register(summarize)
'''

DATA = """\
{
  "records": [
    {"name": "Alice", "value": 100},
    {"name": "Bob", "value": 200},
    {"name": "Charlie", "value": null}
  ]
}
"""

# Its outs are a file, a directory and a metric.
SHOUT = """\
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Outs(TypedDict):
    upper: Annotated[str, pivot.Out("upper.txt", Text())]
    parts: Annotated[dict[str, str], pivot.DirectoryOut("parts", Text())]
    metric: Annotated[int, pivot.Metric("metric.json")]


@pipeline.register
def shout(text: Annotated[str, pivot.Dep("data/in.txt", Text())]) -> Outs:
    return Outs(upper=text.upper(), parts={"a/1.txt": text, "2.txt": text * 2}, metric=len(text))


@pipeline.register
def last(text: Annotated[str, pivot.Dep("upper.txt", Text())]) -> Annotated[str, pivot.Out("last.txt", Text())]:
    return text[-1]
"""


# Commands whose start is nothing special.
INSIDE = frozenset(
    {
        *("apply", "results"),
        *("freeze", "unfreeze"),
        *(
            "cache",
            "check-ignore",
            "clean",
            "checkout",
            "commit",
            "config",
            "dag",
            "docs",
            "doctor",
            "fetch",
            "fingerprint",
            "forget",
            "help",
            "history",
            "import-dvc",
            "init",
            "list",
        ),
        *(
            "lock",
            "logs",
            "pull",
            "push",
            "remote",
            "repro",
            "run",
            "schema",
            "show",
            "status",
            "track",
            "untrack",
            "warm",
        ),
        *("diff", "metrics", "mv", "params", "plots", "report", "verify", "get", "import", "import-url", "update"),
        "warm",
    }
)


SLOW_IMPORTS = re.compile(r"^note: (?:still importing \S+, for |importing \S+ [(…]|imported \S+ in ).*\n", re.MULTILINE)
"""Lines that only a busy machine has, in tests whose imports are short."""
LOADING = frozenset(
    {
        *("apply", "results"),
        *("freeze", "unfreeze"),
        "commit",
        "dag",
        "doctor",
        "fingerprint",
        "list",
        "metrics",
        "params",
        "plots",
        "report",
        "repro",
        "run",
        "status",
        "verify",
    }
)
"""Commands that may import a pipeline, in a process that is best forked from theirs."""


def s3_environment(endpoint: str) -> dict[str, str]:
    """Return variables that lead to a server that speaks S3, and to no file of whoever runs the tests."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Project:
    """A directory with a project in it."""

    def __init__(self, root: pathlib.Path, *, executable: bool = False) -> None:
        """With ``executable``, each command is a process of its own."""
        self.root = root
        self.executable = executable

    def write(self, name: str, text: str) -> pathlib.Path:
        """Write a file below the root."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file: ``old`` is in it exactly once."""
        text = self.read(name)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def start(self, *arguments: str, cwd: str = ".", **options: Any) -> subprocess.Popen[str]:
        """Start ``pivot`` and do not wait for it."""
        return subprocess.Popen(
            [PIVOT, *arguments],
            cwd=self.root / cwd,
            stdout=subprocess.PIPE,
            text=True,
            **{"env": environment(), "stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options},
        )

    def pivot(
        self, *arguments: str, cwd: str = ".", code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``pivot`` to its end and check its exit code; None takes any.

        That is a new interpreter only where the executable is the subject: importing Pivot takes longer than most of
        what is done then. Commands that may import a pipeline are forked from a process that has imported Pivot.
        """
        where, environ = self.root / cwd, environment() | (env or {})
        early = [name for name in env or () if name.startswith(("PYTHON", "LC_", "LANG"))]  # read when a process begins
        begins = early not in ([], ["PYTHONPATH"])
        if self.executable or begins or {*arguments[:1]}.isdisjoint(INSIDE) or "--in-process" in arguments:
            done = _run(arguments, where, environ)
        elif early or arguments[0] in LOADING:
            done = subprocess.CompletedProcess([PIVOT, *arguments], *commands().run(arguments, where, environ))
        else:
            done = _run_inside(arguments, where, environ)
        done.stderr = SLOW_IMPORTS.sub("", done.stderr)
        told = f"pivot {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        assert "ResourceWarning" not in done.stderr, told
        assert "Traceback" not in done.stderr or "pivot_" not in done.stderr, told
        return done

    def inside(self, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """The stdout and then the stderr of ``pivot``, without a process of its own."""
        done = _run_inside(arguments, self.root, environment() | (env or {}))
        told = done.stdout + SLOW_IMPORTS.sub("", done.stderr)
        assert done.returncode == code, f"pivot {' '.join(arguments)} ended with {done.returncode}\n{told}"
        assert "bug in Pivot" not in told, told
        return told

    def json(self, *arguments: str, **options: Any) -> Any:
        """The output of ``pivot``, parsed."""
        return json.loads(self.pivot(*arguments, **options).stdout)

    def lock(self, address: str) -> dict[str, Any]:
        """A parsed lock file."""
        parsed: dict[str, Any] = json.loads(self.read(f".pivot/stages/{address}.lock"))
        return parsed

    def states(self, *arguments: str) -> dict[str, str]:
        """``cached`` or ``stale`` by stage."""
        return {stage["name"]: stage["status"] for stage in self.json("status", "--json", *arguments)["stages"]}

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Content and mtime of everything that git or the user can see."""
        return {
            str(file.relative_to(self.root)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and not {"state.db", "cache"} & set(file.relative_to(self.root).parts)
        }


def environment() -> dict[str, str]:
    """Ours, without settings of Pivot."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PIVOT_", "COV_"))}


def _run(arguments: tuple[str, ...], where: pathlib.Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PIVOT, *arguments],
        cwd=where,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        env=environ,
    )


def _run_inside(
    arguments: tuple[str, ...], where: pathlib.Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """As the executable would: an answer that is kept, or that of the command."""
    with (
        _deadline(),
        contextlib.chdir(where),
        mock.patch.dict(os.environ, environ, clear=True),
        _taken(1) as out,
        _taken(2) as err,
    ):
        known = (
            noop_cache.find(arguments, os.environ, time.monotonic_ns(), main.git_tracks)
            if arguments[0] in KEPT
            else None
        )
        if known is None:
            code = app.run([*arguments])
        else:
            code = known.code
            sys.stdout.write(known.out)
            sys.stderr.write(known.err)
    return subprocess.CompletedProcess([PIVOT, *arguments], code, out[0], err[0])


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """A test that never ends takes these tests along."""
    signal.alarm(DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)


@contextlib.contextmanager
def _taken(number: int) -> Iterator[list[str]]:
    """The output of this process and those that it starts on a standard stream meanwhile; known at the end."""
    said: list[str] = []
    redirect = {1: contextlib.redirect_stdout, 2: contextlib.redirect_stderr}[number]
    before = os.dup(number)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), number)
            with open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as stream:
                stream.reconfigure(line_buffering=True)
                with redirect(stream):
                    yield said
            file.seek(0)
            said.append(file.read().decode())
    finally:
        os.dup2(before, number)
        os.close(before)
