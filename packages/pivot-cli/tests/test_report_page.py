"""The report of a project as a page: pure."""

import html
import re

from pivot_cli.pages.report import ReportFacts, report_page
from pivot_runtime.comparing.comparison import ComparedValues, Comparison
from pivot_runtime.comparing.heads import TableHead
from pivot_runtime.comparing.values import MISSING, Difference, HiddenValue
from pivot_runtime.history.history import PastRun, PastStage

HOSTILE = "<b>&\"'</script>"
RUN = PastRun(7, 1_700_000_000.0, "pivot repro", "done", 3.0, (PastStage("p.a", HOSTILE, "ran", 0.0, 1.0),))


def test_a_report_without_anything_has_the_environment() -> None:
    text = report_page(ReportFacts("t", ("workspace",), environment=(("Python", "3.13"),)))

    assert re.findall(r'<section id="(\w+)">', text) == ["environment"]
    assert len(text) < 30_000  # without libraries


def test_values_and_their_change() -> None:
    values = (
        Difference("same", (1, 1)),
        Difference("up", (0.5, 0.75)),
        Difference("close", (0.1234567, 0.1234568)),
        Difference(HOSTILE, (MISSING, "b")),
        Difference("token", (HiddenValue("1"), HiddenValue("2"))),
    )
    found = Comparison(
        ("HEAD", "workspace"), (ComparedValues("m.json", "p.a", values),), problems=(("n.json: gone", None),)
    )
    text = report_page(ReportFacts("t", found.sides, metrics=found, params=found))

    rows = [re.sub(r"<[^>]*>", " ", row).split() for row in re.findall("<tr>.*?</tr>", text)]
    assert rows[:6] == [
        ["file", "name", "HEAD", "workspace", "change"],
        ["m.json", "same", "1", "1"],
        ["m.json", "up", "0.5", "0.75", "+0.25"],
        ["m.json", "close", "0.1234567", "0.1234568", "+1e-07"],
        ["m.json", html.escape(HOSTILE), "-", "b", "changed"],
        ["m.json", "token", "***", "***", "changed"],
    ]
    assert text.count("n.json: gone") == 2


def test_tables_and_runs_whatever_is_in_them() -> None:
    long = TableHead("a.csv", "workspace", (HOSTILE, "n"), ({HOSTILE: "x" * 100, "n": None},), more=True)
    heads = long, TableHead("b.csv", "workspace"), TableHead("c.csv", "workspace", problem=HOSTILE)
    problems = ((HOSTILE, None),)
    text = report_page(ReportFacts(HOSTILE, ("workspace",), heads=heads, runs=(RUN,), problems=problems))

    body = text[text.index("<body>") : text.index("<iframe")]
    assert HOSTILE not in text.replace('type="application/json"', "")
    assert f"<td>{'x' * 59}…</td><td></td>" in body
    assert "and more rows" in body
    assert "It has no rows." in body
    assert body.count(html.escape(HOSTILE)) == 4  # the heading, a problem, a column and a table
    framed = html.unescape(text[text.index('srcdoc="') :])
    for digest in re.findall(r"'sha256-[^']+'", framed[:2000]):
        assert digest in text[: text.index("<title>")]  # or the browser would not run the script of the frame


def test_equal_tables_are_shown_once() -> None:
    sides = ("HEAD", "workspace")
    equal = [TableHead("a.csv", side, ("n",), ({"n": 1},)) for side in sides]
    other = [TableHead("b.csv", side, ("n",), ({"n": side},)) for side in sides]
    text = report_page(ReportFacts("p", sides, heads=(*equal, *other)))

    for title, count in (("a.csv at HEAD and workspace", 1), ("a.csv at HEAD<", 0), ("b.csv at HEAD<", 1)):
        assert text.count(f"<h3>{title}") == count
