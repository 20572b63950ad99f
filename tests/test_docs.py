"""The pages of the documentation do what they say: their code blocks are run.

All blocks of a page run in order, in one project, which is empty at first, or is as the page left it that this one
continues (`<!-- docs: continues dependencies.md -->`, alone in a line). With `<!-- docs: bucket my-bucket -->`, the
commands of a page find an S3 server that has this bucket:

- `python`: executed; the blocks of a page share their names.
- `python notebook`: executed as cells of one notebook, by a kernel in the project's directory.
- any language with `title="pipeline.py"`: written to that file.
- `bash`: run as one script, which must not fail.
- `console`: each `$ command` is run and must print what the page shows; `…` stands for anything in a line, and alone
  in a line for any number of lines. A command that shows no output may print anything.
- other languages are only shown.

A comment on the line before a block changes that: `<!-- docs: exit 1 -->` (of the last command) or
`<!-- docs: not run: the reason -->`.
"""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import pytest

from pivot_core.pivot_yaml import schema
from pivot_runtime.config.keys import KEYS

if TYPE_CHECKING:
    from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parent.parent
_TABLE = importlib.util.spec_from_file_location("make_config_table", ROOT / "docs/reference/make_config_table.py")
assert _TABLE is not None
assert _TABLE.loader is not None
reference = importlib.util.module_from_spec(_TABLE)
_TABLE.loader.exec_module(reference)
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md")
    for path in ROOT.glob(pattern)
)

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]+)\n(?P<body>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"<!-- docs: (?P<words>[^>]*?) -->\s*\Z")
BUCKET = re.compile(r"^<!-- docs: bucket (?P<name>\S+) -->$", re.MULTILINE)
CONTINUES = re.compile(r"^<!-- docs: continues (?P<page>\S+) -->$", re.MULTILINE)
TITLE = re.compile(r'title="(?P<title>[^"]+)"')

SHELLS = {"bash", "sh", "shell"}
LEAVES = re.compile(r"^(?:\$ )?cd |&& cd |\bsed -i |\bsed .*\\n")
SLOW_IMPORTS = re.compile(r"^note: (?:still importing \S+, for |importing \S+ [(…]|imported \S+ in ).*\n", re.MULTILINE)
"""Lines that only a busy machine has, since the imports of pages are short."""


@attrs.frozen
class Block:
    """One fenced block: its language, its title, the directive before it and where it stands."""

    page: str
    line: int
    language: str
    is_cell: bool
    title: str | None
    directive: str
    text: str

    @property
    def not_run(self) -> str | None:
        """Why the block is not run, where the page says so."""
        return self.directive.removeprefix("not run: ") if self.directive.startswith("not run: ") else None

    @property
    def exit_code(self) -> int:
        """The exit code that the last command of the block must have."""
        return int(self.directive.removeprefix("exit ")) if self.directive.startswith("exit ") else 0

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


class PageError(Exception):
    """A page says what is not so."""


def blocks(page: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in FENCE.finditer(text):
        info = match["info"].strip()
        title = TITLE.search(info)
        directive = DIRECTIVE.search(text, 0, match.start())
        indent = match["indent"]
        yield Block(
            page=page,
            line=text.count("\n", 0, match.start()) + 1,
            language=info.split()[0],
            is_cell=info.split()[1:] == ["notebook"],
            title=title["title"] if title else None,
            directive=directive["words"].strip() if directive else "",
            text=re.sub(rf"^{indent}", "", match["body"], flags=re.MULTILINE),
        )


def matches(shown: str, printed: str) -> bool:
    """Whether printed text is what the page shows; `…` stands for anything in a line, alone for any lines."""
    pattern = ""
    for line in shown.rstrip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part.rstrip()) for part in line.split("…")) + r"[^\S\n]*\n"
    return re.fullmatch(pattern, printed.rstrip() + "\n" if printed.strip() else "") is not None


def dialogue(text: str) -> Iterator[tuple[str, str, bool]]:
    """The commands of a console block, what the page shows after each, and whether it is the last one.

    A command begins with `$ `, its further lines with `> `.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        said = list(itertools.takewhile(lambda line: line.startswith("> "), lines[start + 1 : end]))
        command = "\n".join(line[2:] for line in [lines[start], *said])
        yield command, "\n".join(lines[start + 1 + len(said) : end]).strip(), end == len(lines)


class Run:
    """Does the steps of one page in a project of its own."""

    def __init__(self, project: pathlib.Path, name: str) -> None:
        self.project = project
        self.module = types.ModuleType(name)
        self.resources = contextlib.ExitStack()
        self._variables: dict[str, str] = {}
        self._notebook: NotebookClient | None = None

    def serve(self, bucket: str) -> None:
        """Let commands find an empty bucket of this name, until the end of the page."""
        from moto.s3.models import s3_backends  # few pages need it
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        self.resources.callback(server.stop)
        backend = s3_backends["123456789012"]["aws"]
        backend.reset()  # all servers of a process have the same buckets
        self.resources.callback(backend.reset)
        backend.create_bucket(bucket, "us-east-1")
        host, port = server.get_host_and_port()
        self._variables |= {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def step(self, block: Block) -> None:
        """Do what a block says.

        Raises:
            PageError: a command fails, or prints something else than the page shows.
        """
        if block.not_run is not None:
            return
        if block.title is not None:
            path = self.project / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.is_cell:
            self._cell(block)
        elif block.language == "python":
            self._python(block)
        elif block.language in SHELLS:
            self._shell(block, block.text, block.exit_code)
        elif block.language == "console":
            self._console(block)

    def _python(self, block: Block) -> None:
        # From a file, with its lines where the page has them: code that asks for its own source finds it.
        file = self.project / f"block_{block.line}.py"
        file.write_text("\n" * block.line + block.text)
        self.module.__file__ = str(file)
        sys.modules[self.module.__name__] = self.module
        try:
            exec(compile(file.read_text(), file, "exec"), self.module.__dict__)
        except Exception as error:
            raise PageError(f"{block.where}: {error!r}") from error

    def _cell(self, block: Block) -> None:
        from nbclient import NotebookClient  # few pages need it
        from nbclient.exceptions import CellExecutionError
        from nbformat import NotebookNode

        if self._notebook is None:
            at = {"metadata": {"path": str(self.project)}}
            empty = NotebookNode(nbformat=4, nbformat_minor=5, metadata={}, cells=[])
            client = self._notebook = NotebookClient(empty, resources=at, timeout=120, kernel_name="python3")
            self.resources.enter_context(client.setup_kernel(env=self._environment()))
        cells = self._notebook.nb.cells
        cells.append(NotebookNode(cell_type="code", source=block.text, metadata={}, outputs=[], execution_count=None))
        try:
            self._notebook.execute_cell(cells[-1], len(cells) - 1)
        except CellExecutionError as error:
            raise PageError(f"{block.where}: {error}") from error

    def _console(self, block: Block) -> None:
        for command, shown, is_last in dialogue(block.text):
            printed = self._shell(block, command, block.exit_code if is_last else 0)
            if shown and not matches(shown, printed):
                raise PageError(f"{block.where}: {command}\nthe page shows:\n{shown}\nprinted:\n{printed}")

    def _shell(self, block: Block, script: str, exit_code: int) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.project,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != exit_code:
            raise PageError(f"{block.where}: exit code {done.returncode}, not {exit_code}\n{script}\n{done.stdout}")
        return SLOW_IMPORTS.sub("", done.stdout)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIVOT_", "PYTEST_", "GIT_", "XDG_"))
        }
        return (
            kept
            | self._variables
            | {
                "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
                "HOME": str(self.project.parent),
                "COLUMNS": "100",
                "JUPYTER_PLATFORM_DIRS": "1",
                "NO_COLOR": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": "Reader",
                "GIT_AUTHOR_EMAIL": "reader@example.org",
                "GIT_COMMITTER_NAME": "Reader",
                "GIT_COMMITTER_EMAIL": "reader@example.org",
            }
        )


def series(texts: dict[str, str]) -> list[list[str]]:
    """All pages; those that continue another one after it, in one list."""
    found = {page: [page] for page in texts}
    for page in sorted(texts, key=lambda page: len(before(page, texts))):
        if earlier := before(page, texts):
            found[earlier[0]].append(page)
            del found[page]
    return list(found.values())


def before(page: str, texts: dict[str, str]) -> list[str]:
    """The pages that a page continues, the first one first."""
    continues = CONTINUES.search(texts[page])
    if continues is None:
        return []
    last = (pathlib.PurePosixPath(page).parent / continues["page"]).as_posix()
    return [*before(last, texts), last]


def run(page: str, text: str, project: pathlib.Path) -> None:
    """Do the steps of a page in a directory."""
    project.mkdir(exist_ok=True)
    name = re.sub(r"\W", "_", f"docs_{page}")
    doing = Run(project, name)
    try:
        with contextlib.chdir(project), doing.resources:
            if bucket := BUCKET.search(text):
                doing.serve(bucket["name"])
            for block in blocks(page, text):
                doing.step(block)
    finally:
        sys.modules.pop(name, None)


SERIES = series({page: (ROOT / page).read_text() for page in PAGES})


@pytest.mark.parametrize("pages", SERIES, ids=[pages[0] for pages in SERIES])
def test_a_page_does_what_it_says(pages: list[str], tmp_path: pathlib.Path) -> None:
    for page in pages:
        run(page, (ROOT / page).read_text(), tmp_path / "project")


def test_a_page_runs_after_those_that_it_continues() -> None:
    texts = {
        "docs/a.md": "<!-- docs: continues b.md -->\n",
        "docs/b.md": "Text.\n\n<!-- docs: continues c.md -->\n",
        "docs/c.md": "",
        "docs/d.md": "Write `<!-- docs: continues b.md -->`.\n",
    }

    assert series(texts) == [["docs/c.md", "docs/b.md", "docs/a.md"], ["docs/d.md"]]


def test_readers_stay_where_they_are_and_edit_on_any_system() -> None:
    """Tests run each block in the directory of the project; readers type all of them in one shell."""
    found = [
        f"{block.where}: {line}"
        for page in PAGES
        if page.startswith("docs/")
        for block in blocks(page, (ROOT / page).read_text())
        if block.language in SHELLS | {"console"}
        for line in block.text.splitlines()
        if LEAVES.search(line)
    ]

    assert found == [], (
        "write pivot -C DIR or git -C DIR, and sed -i.bak, which needs a suffix on macOS, without a newline"
    )


def test_blocks_that_are_not_run_say_why() -> None:
    marked = [block for page in PAGES for block in blocks(page, (ROOT / page).read_text()) if block.directive]
    for block in marked:
        sys.stdout.write(f"{block.where}: {block.directive}\n")

    known = re.compile(r"exit \d+|not run: \w+ .+")
    assert [block.where for block in marked if not known.fullmatch(block.directive)] == []


def test_the_page_of_the_configuration_has_the_table_of_the_code() -> None:
    """If not: `nox -s reference` writes it."""
    page = (ROOT / "docs/reference/configuration.md").read_text()

    assert page == reference.page(page)


def test_the_table_has_every_key() -> None:
    table = reference.table()

    assert all(f"| `{key.name}` | `PIVOT_" in table for key in KEYS)
    assert all(line.count("|") == 6 for line in table.splitlines())


def test_a_page_without_a_place_for_the_table() -> None:
    page = f"before\n{reference.BEGIN}old\n{reference.END}after\n"

    assert reference.page(page) == f"before\n{reference.BEGIN}\n{reference.table()}\n{reference.END}after\n"
    with pytest.raises(ValueError, match="begins and ends"):
        reference.page("before\n")


def test_the_schema_in_the_documentation_is_that_of_the_code() -> None:
    """If not: `nox -s reference` writes it."""
    assert (ROOT / "docs/reference/pivot-yaml.schema.json").read_text() == schema.text()


def test_a_console_block_shows_what_is_printed(tmp_path: pathlib.Path) -> None:
    page = """
```text title="names/a.txt"
one
```

```console
$ cat names/a.txt
one
$ for word in first 2 3; do
>   echo "$word in 0.3s"
> done
first in …s
…
$ echo unseen
```

<!-- docs: exit 1 -->
```console
$ test -e b.txt
```

<!-- docs: not run: it would fail -->
```bash
false
```

```python
import pathlib

text = pathlib.Path("names/a.txt").read_text()
```

```python
assert text == "one\\n"
```
"""

    run("page.md", page, tmp_path / "project")


@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ echo two\none\n```",
        "```console\n$ echo one; echo two\none\n```",
        "```console\n$ true\none\n```",
        "```console\n$ false\n$ true\n```",
        "```bash\nfalse\ntrue\n```",
        "<!-- docs: exit 1 -->\n```console\n$ true\n```",
        "- In a list:\n\n  ```python\n  raise ValueError\n  ```",
    ],
)
def test_a_page_that_says_what_is_not_so_fails(block: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(PageError, match=r"page\.md:\d"):
        run("page.md", f"Text.\n\n{block}\n", tmp_path / "project")
