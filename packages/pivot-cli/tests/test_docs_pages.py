"""The documentation that comes with the package: names, sections, HTML."""

import pathlib
import re

import pytest

from pivot_cli import app
from pivot_cli.docs import html_pages, reader
from pivot_cli.docs.topics import Topic, TopicError, anchors, find, markdown, readable, slug, topics

PAGE = Topic(
    "page",
    "guides/page.md",
    """# A *page* of `code`

<!-- docs: exit 1 -->
```console
# no heading
```

## One

<a id="short"></a>
## A long, long heading

See [another](watch.md#b), [the reference](../reference/cli.md), [a file](../../CONTRIBUTING.md) and
![a picture](a.svg).

### Below

## Last
""",
)


def test_every_page_has_a_name_and_a_title() -> None:
    known = topics()

    assert known["watch"].path == "guides/watch.md"
    assert known["watch"].title == "Watch mode"
    assert [name for name, topic in known.items() if topic.title == name] == []
    assert len({topic.path for topic in known.values()}) == len(known)
    assert find("docs/guides/watch.md") == find("guides/watch") == find("watch")


def test_sections_are_found_by_their_headings_and_by_the_names_that_a_page_gives_them() -> None:
    assert list(anchors(PAGE.text)) == ["a-page-of-code", "one", "a-long-long-heading", "below", "last", "short"]
    assert slug("Where do I put …") == "where-do-i-put-"
    assert markdown(PAGE, "one") == "## One\n"
    assert readable(PAGE, "short").startswith("## A long")
    assert markdown(PAGE, "short").startswith('<a id="short"></a>\n## A long')
    assert markdown(PAGE, "a-long-long-heading").endswith("### Below\n")
    assert "docs: exit" not in markdown(PAGE)
    with pytest.raises(TopicError, match="no section 'longest'"):
        markdown(PAGE, "longest")


def test_a_page_leads_to_the_others() -> None:
    page = html_pages.html_page(PAGE)

    assert '<a href="watch.html#b">another</a>' in page
    assert '<a href="../reference/cli.html">the reference</a>' in page
    assert " a file and\na picture." in page
    assert '<h2 id="a-long-long-heading">' in page
    assert "data:image/svg+xml;base64," in html_pages.html_page(topics()["index"])
    assert "<h1>Pivot's documentation</h1>" in page


def test_all_links_between_pages_lead_to_a_page_and_a_section() -> None:
    pages = dict(html_pages.all_pages())
    ids = {path: set(re.findall(r' id="([^"]+)"', page)) for path, page in pages.items()}
    broken = []
    for path, page in pages.items():
        for target, anchor in re.findall(r'href="(?![a-z]+:)([^"#]*)(?:#([^"]*))?"', page):
            found = (pathlib.PurePosixPath("/", path).parent / target).as_posix() if target else f"/{path}"
            while "/../" in found:
                found = re.sub(r"/[^/]+/\.\./", "/", found, count=1)
            if found[1:] not in pages or (anchor and anchor not in ids[found[1:]]):
                broken.append((path, target, anchor))

    assert broken == []


def test_pages_are_in_the_cache_of_the_user() -> None:
    assert reader.directory({"XDG_CACHE_HOME": "/c"}) == pathlib.Path("/c/pivot/docs")
    assert reader.directory({"HOME": "/home/me", "XDG_CACHE_HOME": "c"}) == pathlib.Path("/home/me/.cache/pivot/docs")
    assert reader.directory({"HOME": ""}) is None


@pytest.mark.parametrize(
    ("words", "code", "printed"),
    [
        ([], 0, "Guides\n  cache "),
        (["concepts"], 0, "Concepts\n  artifacts-and-dag "),
        (["watch"], 0, "# Watch mode\n"),
        (["watch", "--print"], 0, "# Watch mode\n"),
        (["cache gc"], 0, "## `pivot cache gc`\n"),
        (["wacth"], 2, "hint: did you mean watch or cache?\n"),
        (["watch#zzz"], 2, "hint: pivot docs watch\n"),
        (["zzz"], 2, "hint: 'pivot docs' lists all pages\n"),
        (["cache", "gc"], 0, "## `pivot cache gc`\n"),
        (["troubleshooting", "hangs"], 0, "### Nothing happens: a command or a stage seems to hang\n"),
        (["hangs"], 0, "### Nothing happens: a command or a stage seems to hang\n"),
        (["cache freeing"], 0, "## Freeing space\n"),
        (["Trusts"], 0, "Trust: what is checked when\ncluster#trust  "),
        (["reflink"], 0, "cache#contents  "),
        (["stage"], 0, " more\n"),
        (["watch", "zzz"], 2, "error: no section of the page 'watch' has 'zzz'\nhint: 'pivot docs watch' shows it\n"),
        (["running", "debuging"], 2, "hint: did you mean running#debugging?\n"),
    ],
    ids=str,
)
def test_the_command_prints(words: list[str], code: int, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["docs", *words]) == code

    captured = capsys.readouterr()
    assert printed in captured.out + captured.err


def test_topics_and_sections_are_completed() -> None:
    context = app.cli.make_context("pivot", ["--help"], resilient_parsing=True)
    command = app.cli.get_command(context, "docs")
    assert command is not None
    (topic,) = (each for each in command.params if each.name == "words")

    assert [item.value for item in topic.shell_complete(context, "watc")] == ["watch"]
    assert "running#debugging" in [item.value for item in topic.shell_complete(context, "running#d")]
    context.params["words"] = ("running",)
    assert "debugging" in [item.value for item in topic.shell_complete(context, "d")]
