"""`pivot docs`."""

from typing import TYPE_CHECKING, Final

import click

from pivot_cli.terminal import console

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pivot_cli.docs.topics import Topic

_EXAMPLES: Final = """\b
Examples:
  pivot docs                    List all topics.
  pivot docs running            Open a page.
  pivot docs running#debugging  Open a section of it.
  pivot docs remotes --print    Print its Markdown.
"""


def _complete(_: click.Context, __: click.Parameter, typed: str) -> "list[CompletionItem]":
    """Return the topics, or after a # the sections of a page, that begin with the typed text."""
    from click.shell_completion import CompletionItem  # lazy

    from pivot_cli.docs.topics import anchors, topics  # lazy

    name, mark, rest = typed.partition("#")
    if mark and name in topics():
        known = anchors(topics()[name].text)
        return [CompletionItem(f"{name}#{each}", help=None) for each in known if each.startswith(rest)]
    return [CompletionItem(each.name, help=each.title) for each in topics().values() if each.name.startswith(typed)]


@click.command("docs", epilog=_EXAMPLES)
@click.argument("topic", required=False, metavar="[TOPIC[#SECTION]]", shell_complete=_complete)
@click.option("--print", "as_text", is_flag=True, help="Print the Markdown of the page.")
def command(topic: str | None, *, as_text: bool) -> int:
    """Read the documentation, which comes with Pivot and needs no network.

    The command opens the page in your browser, or where there is none in the pager of the terminal. Without a terminal,
    it prints the page. The name of a command is a topic, too.
    """
    from pivot_cli.docs import reader, topics  # lazy

    pages = list(topics.topics().values())
    if topic is None:
        console.data(_listed(pages))
        return 0
    if topic not in topics.topics() and (part := [each for each in pages if each.part == topic]):
        console.data(_listed(part))
        return 0
    page, anchor = _named(topic)
    if as_text:
        console.data(topics.readable(page, anchor))
    else:
        reader.read(page, anchor)
    return 0


def _named(typed: str) -> "tuple[Topic, str]":
    """Return the page and the section that a user names: a command has its own in the reference."""
    from pivot_cli.app import COMMANDS  # lazy
    from pivot_cli.docs.topics import find, topics  # lazy

    name, _, anchor = typed.partition("#")
    words = name.removeprefix("pivot ").split()
    if name not in topics() and words and words[0] in COMMANDS:
        return find("cli"), "-".join(["pivot", *words])
    return find(name), anchor


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
