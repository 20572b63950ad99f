"""The Python examples of all pages as modules, for type checkers: ``python tests/typed_examples.py DIRECTORY``.

Each titled block is a module, and so are all untitled blocks of a page together, since they share their names. The
names of modules begin with that of their page, also where one imports another; a later version of a file is a module of
its own. Blocks that are not run count as well, unless they are a part of something.
"""

import json
import pathlib
import re
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ("README.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md")
PROGRAMS = ("examples/**/*.py",)

_FENCE = re.compile(
    r"^(?P<mark><!-- docs: [^>]*-->\n)?^(?P<indent> *)```python(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)``` *$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_CONTINUES = re.compile(r"^<!-- docs: continues (\S+) -->$", re.MULTILINE)


def modules(page: str, text: str, names: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """The modules of a page, each with its name and its source, whose lines are those of the page.

    `names` has the names of modules by their names on the pages that this one continues; those of this page are added.
    """
    prefix = re.sub(r"\W", "_", page.removesuffix(".md").removesuffix("/README"))
    names = {} if names is None else names
    versions: dict[str, int] = {}
    shared = ""
    for match in _FENCE.finditer(text):
        if "not run: a part of" in (match["mark"] or ""):
            continue
        body = re.sub(rf"(?m)^{match['indent']}", "", match["body"])
        line = text.count("\n", 0, match.start("body"))
        title = _TITLE.search(match["info"])
        if title is None:
            shared += "\n" * (line - shared.count("\n")) + body
            continue
        stem = re.sub(r"\W", "_", title[1].removesuffix(".py"))
        versions[stem] = versions.get(stem, 0) + 1
        names[stem] = f"{prefix}__{stem}" + (f"_{versions[stem]}" if versions[stem] > 1 else "")
        directory = re.sub(r"\W", "_", title[1].rpartition("/")[0] + "/")
        beside = {name.removeprefix(directory): full for name, full in names.items() if name.startswith(directory)}
        yield names[stem], "\n" * line + _renamed(body, names | beside if "/" in title[1] else names)
    if shared:
        yield f"{prefix}__page", _renamed(shared, names)


def _renamed(source: str, names: dict[str, str]) -> str:
    """The source with imports of other modules of the page by their new names."""
    for stem, name in names.items():
        source = re.sub(rf"(?m)^(from) {stem} (import)\b", rf"\1 {name} \2", source)
        source = re.sub(rf"(?m)^(import) {stem}$", rf"\1 {name} as {stem}", source)
    return source


def _write_page(path: pathlib.Path, directory: pathlib.Path, names: dict[pathlib.Path, dict[str, str]]) -> None:
    """Write the modules of a page, after those of the page that it continues."""
    if path in names:
        return
    text = path.read_text()
    names[path] = {}
    if continues := _CONTINUES.search(text):
        earlier = (path.parent / continues[1]).resolve()
        _write_page(earlier, directory, names)
        names[path] |= names[earlier]
    for name, source in modules(path.relative_to(ROOT).as_posix(), text, names[path]):
        (directory / f"{name}.py").write_text(source)


def main(directory: pathlib.Path) -> None:
    """Write all modules into the directory."""
    names: dict[pathlib.Path, dict[str, str]] = {}
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            _write_page(path, directory, names)
    for pattern in PROGRAMS:
        for path in sorted(ROOT.glob(pattern)):
            name = re.sub(r"\W", "_", path.relative_to(ROOT).as_posix().removesuffix(".py"))
            (directory / f"{name}.py").write_text(path.read_text())
    settings: dict[str, object] = {"typeCheckingMode": "standard", "pythonVersion": "3.13", "failOnWarnings": True}
    settings["reportUnusedExpression"] = False  # the last line of a notebook's cell is shown
    (directory / "pyrightconfig.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
