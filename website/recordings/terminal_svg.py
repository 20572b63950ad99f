"""A terminal's screen over time as an SVG: still, or animated without a script."""

import html
import itertools
from collections.abc import Iterable, Iterator, Sequence

import attrs

CELL, LINE, MARGIN, BAR = 8.4, 19, 16, 34
"""The width of a character, the height of a line, the space around the text, and the height of the title bar."""
FONT = "'IBM Plex Mono', ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
COLOURS = {
    "default": "#d5e2e1",
    "black": "#8aa3a3",  # bright black: what is of less interest
    "red": "#ff8b7b",
    "green": "#7fd88f",
    "brown": "#f2c46d",
    "blue": "#7fb8ff",
    "magenta": "#d9a5f5",
    "cyan": "#6fd0d0",
    "white": "#f4f8f8",
    "prompt": "#ff9d5c",
}


@attrs.frozen
class Span:
    """Characters of one line that look the same."""

    column: int
    text: str
    colour: str = "default"
    bold: bool = False


type Row = tuple[Span, ...]
type Screen = tuple[Row, ...]


@attrs.frozen
class Moment:
    """The screen from a time on, in seconds."""

    at: float
    screen: Screen


@attrs.frozen
class _Shown:
    """A row that is on the screen from one time until another one."""

    number: int
    row: Row
    start: float
    end: float


def picture(title: str, moments: Sequence[Moment], *, seconds: float, columns: int) -> str:
    """The SVG: an animation of so many seconds that repeats, or a still picture if there is one moment.

    Where nothing is animated, as for readers who prefer that, it shows the last moment, whose text is its description.
    """
    last = moments[-1].screen
    rows = max(len(moment.screen) for moment in moments)
    width, height = round(columns * CELL + 2 * MARGIN), BAR + rows * LINE + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{html.escape(title)}</title>",
        f"<desc>{html.escape(plain(last))}</desc>",
        f"<style>{_style(moments, seconds)}</style>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" fill="#0e1a1c" stroke="#38494b"/>',
        *(f'<circle cx="{20 + 18 * each}" cy="18" r="5" fill="#38494b"/>' for each in range(3)),
        f'<text x="{width / 2:.0f}" y="22" class="title">{html.escape(title)}</text>',
    ]
    for shown in _rows(moments, seconds):
        spans = "".join(_span(span, shown.number) for span in shown.row)
        stays = shown.end >= seconds
        name = "" if stays and shown.start == 0 else f' class="a {_name(shown)}{" last" if stays else ""}"'
        parts.append(f"<g{name}>{spans}</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def plain(screen: Screen) -> str:
    """The text of a screen."""
    lines = []
    for row in screen:
        line = ""
        for span in row:
            line = line.ljust(span.column) + span.text
        lines.append(line.rstrip())
    return "\n".join(lines).rstrip()


def _rows(moments: Sequence[Moment], seconds: float) -> Iterator[_Shown]:
    ends = [*(moment.at for moment in moments[1:]), seconds]
    for number in range(max(len(moment.screen) for moment in moments)):
        held = [
            (moment.screen[number] if number < len(moment.screen) else (), moment.at, end)
            for moment, end in zip(moments, ends, strict=True)
        ]
        for row, run in itertools.groupby(held, key=lambda each: each[0]):
            times = list(run)
            if row:
                yield _Shown(number, row, times[0][1], times[-1][2])


def _style(moments: Sequence[Moment], seconds: float) -> str:
    rules = [
        f"text{{font:14px {FONT};white-space:pre;fill:{COLOURS['default']}}}",
        ".title{font-size:12px;fill:#8aa3a3;text-anchor:middle}.b{font-weight:600}",
        *(f".{name}{{fill:{colour}}}" for name, colour in COLOURS.items() if name != "default"),
    ]
    shown = {_name(each): each for each in _rows(moments, seconds) if each.end < seconds or each.start > 0}
    if shown:
        rules.append(f".a{{opacity:0;animation:{seconds:g}s step-end infinite}}.last{{opacity:1}}")
        for name, each in shown.items():
            start, end = (f"{100 * time / seconds:.2f}%" for time in (each.start, each.end))
            frames = "0%{opacity:0}" if each.start else ""
            frames += f"{start}{{opacity:1}}" + (f"{end}{{opacity:0}}" if each.end < seconds else "100%{opacity:1}")
            rules.append(f".{name}{{animation-name:{name}}}@keyframes {name}{{{frames}}}")
        rules.append("@media(prefers-reduced-motion:reduce){.a{animation:none!important}}")
    return "".join(rules)


def _name(shown: _Shown) -> str:
    return f"t{round(100 * shown.start)}-{round(100 * shown.end)}"


def _span(span: Span, number: int) -> str:
    classes = " ".join([*([span.colour] if span.colour != "default" else []), *(["b"] if span.bold else [])])
    look = f' class="{classes}"' if classes else ""
    length = f' textLength="{len(span.text) * CELL:.1f}"' if len(span.text) > 1 else ""
    x, y = MARGIN + span.column * CELL, BAR + number * LINE + 14
    return f'<text x="{x:.1f}" y="{y}"{length}{look}>{html.escape(span.text, quote=False)}</text>'


def screen_of(rows: Iterable[Row]) -> Screen:
    """A screen without the empty rows at its end."""
    kept = list(rows)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)
