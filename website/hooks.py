"""Steps of the site's build for which mkdocs has no option: pages from outside `docs/`, anchors, the copy button."""

import html
import pathlib
import posixpath
import re
import subprocess
import sys

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parent.parent
DOCS = "docs/"
ALWAYS = (
    *("CONTRIBUTING.md", "CHANGELOG.md"),
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("packages/*/README.md")),
)
"""Pages outside `docs/` that the site has even if no page links to them."""
UNRELEASED = "<!-- towncrier release notes start -->"

BOOST = {
    "docs/concepts/": 2,
    "docs/guides/decisions.md": 2,
    "docs/troubleshooting.md": 2,
    **dict.fromkeys(("docs/architecture.md", "docs/decisions/", "packages/", "CONTRIBUTING.md"), 0.5),
    "CHANGELOG.md": 0.2,
}
"""Explanations come first in the results of a search, and what is for few readers comes last."""

FACTS = {
    "reference/configuration.md": "facts",
    "reference/events.md": "facts",
    "reference/json-schemas.md": "facts in-columns",
}
"""Pages whose tables have several short columns and a last one with sentences, and the class of these tables."""

FENCED = re.compile(r"^ *(`{3,})[^`\n]*\n.*?^ *\1`*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
DIRECTIVE = re.compile(r"^ *<!-- docs: [^>]*? -->\n", re.MULTILINE)
NOTEBOOK = re.compile(r"^( *```python) notebook$", re.MULTILINE)
CONSOLE = re.compile(r'<div class="language-console highlight">(.*?)</div>', re.DOTALL)
RECIPES = re.compile(r'<div class="language-make highlight">.*?</div>', re.DOTALL)
INDENT = re.compile(r'^(<span class="w">)? {4}', re.MULTILINE)
"""A tab, as Markdown hands it on."""
SHORT = re.compile(r"<code>(?=[^<]*-)([^<]{1,24})</code>")
"""Code in a sentence that a browser would break behind a hyphen, as the name of an option."""
LANGUAGES = {".py": "python", ".yml": "yaml", ".yaml": "yaml", ".json": "json", ".toml": "toml", ".csv": "text"}


def on_config(config: MkDocsConfig) -> None:
    """Use the anchors of code hosts, which tests of the pages' links use too."""
    config.mdx_configs["toc"]["slugify"] = slug


def slug(heading: str, separator: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages outside `docs/`: those that are always on the site, and those that a page links to."""
    waiting = [DOCS + file.src_uri for file in files.documentation_pages()] + list(ALWAYS)
    known = set(waiting)
    while waiting:
        source = waiting.pop()
        if not source.startswith(DOCS):
            files.append(outside(source, config))
        if source.endswith(".md"):
            text = FENCED.sub("", (ROOT / source).read_text())
            found = {target for path, _ in LINK.findall(text) if (target := resolved(source, path)) is not None}
            waiting += sorted(target for target in found - known if not target.startswith(DOCS))
            known |= found


def outside(source: str, config: MkDocsConfig) -> File:
    """A page for a file of the repository that is not in `docs/`."""
    text = (ROOT / source).read_text()
    if source == "CHANGELOG.md":
        text = text.replace("Unreleased changes are in\n[`changes/`](changes).", "").replace(UNRELEASED, unreleased())
    elif not source.endswith(".md"):
        language = LANGUAGES.get(pathlib.Path(source).suffix, "text")
        text = f"# {source}\n\n````{language}\n{text.rstrip()}\n````\n"
    uri = source if source.endswith(".md") else f"{source}.md"
    return File.generated(config, uri, content=text, inclusion=InclusionLevel.NOT_IN_NAV)


def unreleased() -> str:
    """The changes since the last release, as the next one will list them."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "Unreleased", "--date", ""]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.replace("## Unreleased ()", "## Unreleased")


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Lead links to where the site has their files, and leave out what only the tests of a page read."""
    uri = page.file.src_uri
    source = uri if page.file.generated_by else DOCS + uri

    def lead(match: re.Match[str]) -> str:
        target = resolved(source, match[1])
        return match[0] if target is None else relative(target, uri) + (match[2] or "")

    markdown = NOTEBOOK.sub(r"\1", DIRECTIVE.sub("", markdown))
    parts = []
    end = 0
    for block in FENCED.finditer(markdown):
        parts += [LINK.sub(lead, markdown[end : block.start()]), block[0]]
        end = block.end()
    for start, boost in BOOST.items():
        if source.startswith(start):
            page.meta["search"] = {"boost": boost}
    if not (ROOT / source).is_file():  # a page around a file of another kind
        page.meta["search"] = {"exclude": True}
    if uri == "index.md":
        page.meta.update({"template": "home.html", "hide": ["navigation", "toc"]})
    return "".join([*parts, LINK.sub(lead, markdown[end:])])


def resolved(source: str, link: str) -> str | None:
    """The file of the repository that a link leads to: of a directory its README; `None` if there is none."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if (ROOT / target).is_dir():
        target = f"{target}/README.md"
    return target if (ROOT / target).is_file() else None


def relative(target: str, uri: str) -> str:
    """The link from a page of the site to a file of the repository."""
    if target.startswith(DOCS):
        place = target.removeprefix(DOCS)
    else:
        place = target if target.endswith(".md") else f"{target}.md"
    return posixpath.relpath(place, posixpath.dirname(uri) or ".")


def on_page_content(content: str, *, page: Page, **_: object) -> str:
    """Let the copy button of a console copy its commands only, and tables of many facts use two lines for each row.

    Short code stays on one line. Recipes of Make begin with the tab without which Make rejects them.
    """
    content = RECIPES.sub(lambda block: INDENT.sub(lambda found: f"{found[1] or ''}\t", block[0]), content)
    content = SHORT.sub(r'<code class="short">\1</code>', CONSOLE.sub(commands, content))
    kind = FACTS.get(page.file.src_uri)
    return content.replace("<table>", f'<table class="{kind}">') if kind else content


def commands(console: re.Match[str]) -> str:
    """A block of a console that says which commands it has."""
    lines = html.unescape(re.sub(r"<[^>]+>", "", console[1])).splitlines()
    typed = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
    text = html.escape("\n".join(typed)).replace("\n", "&#10;")
    return console[0].replace("<div ", f'<div data-copy="{text}" ', 1)
