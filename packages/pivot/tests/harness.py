"""A project in a directory, driven through the real executable."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from typing import Any
from unittest import mock

from pivot_cli import group

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


class Project:
    """A directory with a project in it."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> pathlib.Path:
        """Write a file below the root."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file: ``old`` stands in it exactly once."""
        text = self.read(name)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def start(self, *arguments: str, cwd: str = ".", **options: Any) -> subprocess.Popen[str]:
        """Start ``pivot`` and do not wait for it."""
        return subprocess.Popen(
            [PIVOT, *arguments],
            cwd=self.root / cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            **{"env": environment(), "stderr": subprocess.PIPE, **options},
        )

    def pivot(
        self, *arguments: str, cwd: str = ".", code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``pivot`` to its end and check its exit code; None takes any."""
        done = subprocess.run(
            [PIVOT, *arguments],
            cwd=self.root / cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**environment(), **(env or {})},
        )
        told = f"pivot {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        assert "ResourceWarning" not in done.stderr, told
        assert "Traceback" not in done.stderr or "pivot_" not in done.stderr, told
        return done

    def inside(self, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        """What ``pivot`` prints on stdout, and then on stderr, without a process of its own.

        For commands that run nothing of the user's: the SDK for S3, which takes longer than all else, is imported
        once by all tests.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.root),
            mock.patch.dict(os.environ, {**environment(), **(env or {})}, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            found = group.run([*arguments])
        told = out.getvalue() + err.getvalue()
        assert found == code, f"pivot {' '.join(arguments)} ended with {found}\n{told}"
        assert "bug in Pivot" not in told, told
        return told

    def json(self, *arguments: str, **options: Any) -> Any:
        """What ``pivot`` prints, parsed."""
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
