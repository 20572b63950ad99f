"""`pivot docs`."""

from typing import TYPE_CHECKING, Final

import click

from pivot_cli.terminal import console

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pivot_cli.docs.topics import Section, Topic

_EXAMPLES: Final = """\b
Examples:
  pivot docs                        List all topics.
  pivot docs running                Open a page.
  pivot docs running#debugging      Open a section of it.
  pivot docs troubleshooting hangs  Open the section that has this word.
  pivot docs reflink                List the sections that have it.
  pivot docs remotes --print        Print its Markdown.
"""

_MOST: Final = 30
"""The most sections in a list."""


def _complete(context: click.Context, _: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the topics, or after a topic and a # or a space its sections, that begin with the typed text."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_cli.docs.topics import anchors, topics  # lazy

    earlier = context.params.get("words") or ()
    name, mark, rest = (earlier[0], " ", typed) if earlier else typed.partition("#")
    if mark and name in topics():
        before = "" if earlier else f"{name}#"
        known = anchors(topics()[name].text)
        return [CompletionItem(f"{before}{each}", help=None) for each in known if each.startswith(rest)]
    return [CompletionItem(each.name, help=each.title) for each in topics().values() if each.name.startswith(typed)]


@click.command("docs", epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[TOPIC[#SECTION]] [WORD]...", shell_complete=_complete)
@click.option("--print", "as_text", is_flag=True, help="Print the Markdown of the page.")
def command(words: tuple[str, ...], *, as_text: bool) -> int:
    """Read the documentation, which comes with Pivot and needs no network.

    The command opens the page in your browser, or where there is none in the pager of the terminal. Without a terminal,
    it prints the page. The name of a command is a topic, too.

    Words that are no topic are searched for in the headings, or if none has them in the text; after a topic, on its
    page. If one section has them, the command opens it; if several have them, it lists these.
    """
    from pivot_cli.docs import reader, topics  # lazy

    pages = list(topics.topics().values())
    if not words:
        console.data(_listed(pages))
        return 0
    typed = " ".join(words)
    if typed not in topics.topics() and (part := [each for each in pages if each.part == typed]):
        console.data(_listed(part))
        return 0
    found = _named(typed) or _searched(typed.split())
    if isinstance(found, list):
        console.data(_sections(found))
        return 0
    page, anchor = found
    if as_text:
        console.data(topics.readable(page, anchor))
    else:
        reader.read(page, anchor)
    return 0


def _named(typed: str) -> "tuple[Topic, str] | None":
    """Return the page and the section that a user names: a command has its own in the reference."""
    from pivot_cli.docs.topics import TopicError, anchors, find  # lazy

    name, mark, anchor = typed.partition("#")
    command_anchor = "-".join(["pivot", *name.removeprefix("pivot ").split()])
    try:
        return find(name), anchor
    except TopicError:
        if not mark and command_anchor in anchors(find("cli").text):
            return find("cli"), command_anchor
        if mark:
            raise
        return None


def _searched(words: list[str]) -> "tuple[Topic, str] | list[Section]":
    """Return the only section that has the words, or all such; after a topic, those of its page.

    Raises:
        TopicError: There is none.
    """
    from pivot_cli.docs.topics import TopicError, find, search, topics  # lazy

    pages = topics()
    page = pages.get(words[0]) if words[1:] else None
    found = search(words, pages.values()) if page is None else search(words[1:], [page])
    if page is not None and not found:
        typed = "-".join(words[1:])
        raise TopicError(f"no section of the page {page.name!r} has {' '.join(words[1:])!r}", hint=_close(typed, page))
    if not found:
        find(" ".join(words))  # raises
    return (found[0].topic, found[0].anchor) if len(found) == 1 else found


def _close(typed: str, page: "Topic") -> str:
    from pivot_cli.docs.topics import anchors  # lazy
    from pivot_core.errors import suggest  # lazy

    close = suggest(typed, anchors(page.text), most=3, format_name=lambda each: f"{page.name}#{each}")
    return close or f"'pivot docs {page.name}' shows it"


def _sections(found: "list[Section]") -> str:
    shown = found[:_MOST]
    width = max(len(each.name) for each in shown)
    lines = [f"{each.name:<{width}}  {each.heading}" for each in shown]
    return "\n".join([*lines, *([f"and {len(found) - _MOST} more"] if len(found) > _MOST else [])])


def _listed(pages: "list[Topic]") -> str:
    from pivot_cli.docs.topics import PARTS  # lazy

    width = max(len(page.name) for page in pages)
    lines: list[str] = []
    part = None
    for page in pages:
        if page.part != part:
            lines += [""] * (part is not None)
            part = page.part
            lines.append(PARTS.get(part, part))
        lines.append(f"  {page.name:<{width}}  {page.title}")
    return "\n".join(lines)
