"""The page of `pivot ui` in the package is built from its sources; this needs no Node, as `nox -s frontend` does."""

import hashlib
import json
import pathlib
import re
import subprocess
from collections import Counter

ROOT = pathlib.Path(__file__).parent.parent
FRONTEND = ROOT / "packages/pivot-ui/frontend"
STATIC = ROOT / "packages/pivot-ui/src/pivot_ui/static"
CONFIGURATION = ("build.mjs", "package-lock.json", "package.json", "tsconfig.json")
EXPORTED = re.compile(
    r"^export (?:default )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)", re.MULTILINE
)


def tracked(directory: pathlib.Path) -> set[str]:
    """The files in a directory that git tracks, or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (directory / name).is_file()}


def test_an_edit_of_the_page_is_built() -> None:
    """If not: `npm ci && npm run build` in `packages/pivot-ui/frontend` writes the static files again."""
    sources = {name for name in tracked(FRONTEND) if name.startswith("src/")}.union(CONFIGURATION)

    digests = {name: hashlib.sha256((FRONTEND / name).read_bytes()).hexdigest() for name in sources}

    assert json.loads((STATIC / "sources.json").read_text()) == digests


def test_each_built_file_is_in_the_repository() -> None:
    """And so in the wheel, which has all files beside the modules."""
    assert tracked(STATIC) == {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}


def test_no_lock_file_of_npm_names_a_registry() -> None:
    """Each machine takes the packages from its own, and compares their digests."""
    for name in sorted(each for each in tracked(ROOT) if each.endswith("package-lock.json")):
        packages = json.loads((ROOT / name).read_text())["packages"]
        assert [each for each, facts in packages.items() if each and "integrity" not in facts] == [], name
        assert [each for each, facts in packages.items() if "resolved" in facts] == [], name


def test_each_name_that_a_module_of_the_page_exports_is_used_by_another_one() -> None:
    """If not, it needs no `export`, or is dead. For a test alone, nothing is exported that its module does not use."""
    texts = {name: (FRONTEND / name).read_text() for name in tracked(FRONTEND) if name.endswith((".ts", ".tsx"))}
    words = {name: Counter(re.findall(r"\w+", text)) for name, text in texts.items()}

    def is_used(exported: str, module: str) -> bool:
        others = [name for name in texts if name != module and exported in words[name]]
        return any(name.startswith("src/") for name in others) or (bool(others) and words[module][exported] > 1)

    exports = [(name, each) for name in texts if name.startswith("src/") for each in EXPORTED.findall(texts[name])]
    assert [f"{name}: {each}" for name, each in sorted(exports) if not is_used(each, name)] == []
