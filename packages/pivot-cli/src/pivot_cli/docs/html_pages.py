"""Renders the documentation as HTML pages, each one self-contained file that leads to the others."""

import base64
import functools
import html
import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pivot_cli.docs.topics import PARTS, Topic, files, markdown, slug, topics
from pivot_cli.pages.page import GENERATOR, build, escape

_ELSEWHERE: Final = re.compile(r"[a-z]+:|#")


def all_pages() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each page."""
    for topic in topics().values():
        yield file_name(topic), html_page(topic)


def file_name(topic: Topic) -> str:
    """Return the path of the HTML page of a topic, below the directory of all."""
    return f"{topic.path.removesuffix('.md')}.html"


def html_page(topic: Topic) -> str:
    """Return the HTML page of a topic."""
    tokens = _parser().parse(markdown(topic))
    _add_anchors(tokens)
    _convert_links(tokens, topic.folder)
    content = _parser().renderer.render(tokens, _parser().options, {})
    title = f"{topic.title} · Pivot"
    return build(title, f'{_navigation(topic)}\n<main id="page">\n{content}</main>', {}, parts=["docs"])


def redirect(path: str, anchor: str) -> str:
    """Return a page that leads to a section, for systems that open a file but forget the section."""
    target = html.escape(f"{path}#{anchor}", quote=True)
    return (
        f'<!doctype html>\n<meta charset="utf-8">\n{GENERATOR}\n<meta http-equiv="refresh" content="0; url={target}">\n'
        f'<title>Pivot</title>\n<a href="{target}">{target}</a>\n'
    )


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _add_anchors(tokens: list[Token]) -> None:
    used: dict[str, int] = {}
    for heading, content in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            name = slug(content.content)
            count = used[name] = used.get(name, -1) + 1
            heading.attrSet("id", f"{name}-{count}" if count else name)


def _convert_links(tokens: list[Token], folder: str) -> None:
    """Lead links between pages to their HTML; links to other files of the repository become plain text."""
    pages = {topic.path: file_name(topic) for topic in topics().values()}
    for token in tokens:
        inside = token.children or []
        kept: list[Token] = []
        dropped = 0
        for each in inside:
            if each.type == "link_open":
                target = _target(str(each.attrs["href"]), folder, pages)
                if target is None:
                    dropped += 1
                    continue
                each.attrSet("href", target)
            elif each.type == "link_close" and dropped:
                dropped -= 1
                continue
            elif each.type == "image":
                _embed(each, folder)
            kept.append(each)
        if inside:
            token.children = kept


def _embed(image: Token, folder: str) -> None:
    """Put a picture into the page, or its description if it does not come with the package."""
    file = files().joinpath(posixpath.normpath(posixpath.join(folder, str(image.attrs["src"]))))
    if file.is_file():
        image.attrSet("src", f"data:image/svg+xml;base64,{base64.b64encode(file.read_bytes()).decode()}")
    else:
        image.type, image.tag = "text", ""


def _target(href: str, folder: str, pages: Mapping[str, str]) -> str | None:
    if _ELSEWHERE.match(href):
        return href
    path, mark, anchor = href.partition("#")
    found = pages.get(posixpath.normpath(posixpath.join(folder, path)))
    return None if found is None else f"{posixpath.relpath(found, folder or '.')}{mark}{anchor}"


def _navigation(here: Topic) -> str:
    lines = ["<header><h1>Pivot's documentation</h1></header>", "<nav>"]
    part = None
    for topic in topics().values():
        if topic.part != part:
            lines += ["</ul>"] if part is not None else []
            part = topic.part
            lines += [f"<h2>{escape(PARTS.get(part, part))}</h2>", "<ul>"]
        target = posixpath.relpath(file_name(topic), here.folder or ".")
        current = ' aria-current="page"' if topic.name == here.name else ""
        lines.append(f'<li><a href="{escape(target)}"{current}>{escape(topic.title)}</a></li>')
    return "\n".join([*lines, "</ul>", "</nav>"])
