"""The manifest of a project is the same in every process, hash seed, checkout, working directory and locale."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pivot_fingerprint import Manifest, fingerprint

GOLDEN = Path(__file__).parent / "golden"
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import golden_module
from pivot_fingerprint import fingerprint
print(json.dumps(fingerprint(golden_module.stage).to_json(), indent=1))
"""


def run(checkout: Path, cwd: Path, *flags: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *flags, "-c", SCRIPT, os.path.relpath(checkout, cwd)],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_processes_agree_byte_by_byte(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "deeper" / "two"
    for checkout in (one, two):
        checkout.mkdir(parents=True)
        shutil.copy(GOLDEN / "golden_module.py", checkout)

    expected = run(one, tmp_path, PYTHONHASHSEED="1")

    assert run(two, two, PYTHONHASHSEED="2") == expected
    assert run(one, two, "-O", PYTHONHASHSEED="3", LC_ALL="C") == expected
    assert str(tmp_path) not in expected


def golden_manifest() -> Manifest:
    spec = importlib.util.spec_from_file_location("golden_module", GOLDEN / "golden_module.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["golden_module"] = module
    try:
        spec.loader.exec_module(module)
        return fingerprint(module.stage, root=GOLDEN)
    finally:
        del sys.modules["golden_module"]


def test_golden_fingerprints() -> None:
    """If this fails, every existing lock file becomes stale: raise SCHEMA, or undo the change.

    After a change that is meant: `json.dumps(golden_manifest().to_json(), indent=1)` → golden/manifest.json.
    """
    expected = Manifest.from_json(json.loads((GOLDEN / "manifest.json").read_text(encoding="utf-8")))

    assert golden_manifest() == expected


def test_a_long_chain_of_helpers(write: Callable[[str], Path], tmp_path: Path) -> None:
    count = 3000
    lines = [f"def f{n}(x):\n    return f{n + 1}(x)\n" for n in range(count)]
    root = write(f"{''.join(lines)}def f{count}(x):\n    return x\nstage = f0\n")
    spec = importlib.util.spec_from_file_location("long_chain", root / "pipeline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    manifest = fingerprint(module.stage)

    assert len(manifest) == count + 1
    assert manifest.unresolved == ()


def test_a_long_chain_of_lambdas(take: Callable[..., Manifest]) -> None:
    lines = [f"f{n} = lambda x: f{n + 1}(x)\n" for n in range(1500)]

    assert len(take(f"{''.join(lines)}f1500 = 1\ndef stage(x):\n    return f0(x)\n")) == 1502


def test_a_long_expression(take: Callable[..., Manifest]) -> None:
    total = " + ".join(["x"] * 3000)

    assert take(f"def stage(x):\n    return {total}\n") != take(f"def stage(x):\n    return {total} + x\n")


def test_an_edited_file_is_read_again_within_the_same_second(write: Callable[[str], Path]) -> None:
    """Size and second are the same; only the content differs."""
    root = write("def stage(x):\n    return 1\n")
    path = root / "pipeline.py"

    def load() -> Manifest:
        namespace = {"__name__": "pipeline", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec"), namespace)
        return fingerprint(namespace["stage"])  # type: ignore[arg-type]

    before = load()
    path.write_text("def stage(x):\n    return 2\n")

    assert load().digest != before.digest
