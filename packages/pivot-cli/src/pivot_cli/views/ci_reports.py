"""Formats the results of `pivot verify` for CI services: JUnit XML, GitHub annotations and step summary; pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from pivot_cli.terminal import formats
from pivot_cli.views import verify
from pivot_runtime.inspecting.verify import StageVerdict, Verification

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@:-])")
_MARKS: Final = {"passed": "✅ passed", "failed": "❌ failed", "unknown": "❔ unknown"}


def junit(found: Verification, differing: Mapping[str, str]) -> str:
    """Return a test suite with a test case per stage: a failed stage is a failure, an unknown one an error.

    Args:
        found: The findings.
        differing: The results of reruns that differ, by address.
    """
    suite = ET.Element("testsuite", name="pivot verify")
    for stage in found.stages:
        pipeline, _, name = stage.address.partition(".")
        place = {} if stage.location is None else {"file": stage.location.file, "line": str(stage.location.line)}
        case = ET.SubElement(suite, "testcase", _valid({"classname": pipeline, "name": name, **place}))
        for kind, problem in _problems(stage, found, differing):
            tag = "error" if kind == "unknown" else "failure"
            ET.SubElement(case, tag, _valid({"type": kind, "message": problem}))
    for file in found.unread:
        case = ET.SubElement(suite, "testcase", _valid({"classname": "pivot verify", "name": file, "file": file}))
        ET.SubElement(case, "error", type="unknown", message="Determining its stages requires an import")
    cases = list(suite)
    for tag, plural in (("testcase", "tests"), ("failure", "failures"), ("error", "errors")):
        count = len(cases) if tag == "testcase" else sum(case.find(tag) is not None for case in cases)
        suite.set(plural, str(count))
    suites = ET.Element("testsuites", suite.attrib)
    suites.append(suite)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites).decode("ascii")}\n'


def annotations(found: Verification, differing: Mapping[str, str], inside: str = "") -> str:
    """Return commands for GitHub's runner, which shows each problem at the affected line.

    Args:
        found: The findings.
        differing: As for `junit`.
        inside: The path of the project in the repository; ``""`` is its root.
    """
    lines = []
    for stage in found.stages:
        place = {} if stage.location is None else {"line": str(stage.location.line)}
        if stage.location is not None:
            place = {"file": f"{inside}/{stage.location.file}".lstrip("/"), **place}
        for kind, problem in _problems(stage, found, differing):
            named = {**place, "title": f"{stage.name}: {kind}"}
            options = ",".join(f"{key}={_option(value)}" for key, value in named.items())
            lines.append(f"::error {options}::{_message(problem)}\n")
    return "".join(lines)


def summary(found: Verification, differing: Mapping[str, str]) -> str:
    """Return GitHub's step summary: a table in Markdown, beginning with the stages that did not pass."""
    rows = sorted(found.stages, key=lambda stage: ("failed", "unknown", "passed").index(stage.status))
    lines = ["### pivot verify", "", verify.summary(found), ""]
    if rows:
        lines += ["| stage | | why |", "|---|---|---|"]
    for stage in rows:
        problems = list(_problems(stage, found, differing))
        mark = _MARKS["failed" if problems and stage.status == "passed" else stage.status]
        described = "<br>".join(_cell(problem) for _, problem in problems)
        lines.append(f"| {_cell(stage.name)} | {mark} | {described} |")
    return "".join(f"{line}\n" for line in lines)


def plain_lines(text: str) -> str:
    """Change a text so that no line of it begins a command to GitHub's runner."""
    return re.sub(r"(?m)^([^\S\n]*)(::|##\[)", "\\1\u200b\\2", re.sub(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text))


def _problems(stage: StageVerdict, found: Verification, differing: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Return the problems of a stage, each with its kind and description."""
    if stage.status == "unknown":
        yield "unknown", verify.why(stage, found)
    elif stage.status == "failed":
        yield ("missing" if stage.current else "stale"), verify.why(stage, found)
    if stage.address in differing:
        yield "differs", differing[stage.address]


def _valid(attributes: Mapping[str, str]) -> dict[str, str]:
    """Remove the characters that XML cannot contain."""
    return {name: _NOT_IN_XML.sub("\ufffd", formats.escaped(value)) for name, value in attributes.items()}


def _message(text: str) -> str:
    text = formats.escaped(text)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _option(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Escape a text for a table cell in Markdown."""
    return _MARKDOWN.sub(r"\\\1", formats.escaped(" ".join(text.split())))
