"""The results of verification, as text, JSON, JUnit's XML, and for GitHub."""

import re
from xml.etree import ElementTree as ET

from pivot_cli.views import ci_reports, verify
from pivot_core.decide import Decision, FactChange, Reason, Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import Location
from pivot_runtime.inspecting.verify import StageVerdict, Verification

CURRENT = Decision(Verdict.UP_TO_DATE)
STALE = Decision(
    Verdict.RUN, (Reason.CODE,), (FactChange(Reason.CODE, "func:lib:clean", "0" * 32, "1" * 32, Location("lib.py", 7)),)
)
PLACE = Location("pipeline.py", 3)


def found(*stages: StageVerdict) -> Verification:
    return Verification(stages, {stage.address: stage.name for stage in stages})


PASSED = StageVerdict("clean", "p.clean", PLACE, CURRENT)
MISSING = StageVerdict("train", "p.train", PLACE, CURRENT, missing=(ArtifactPath("model.pkl"),))
CHANGED = StageVerdict("plot", "p.plot", Location("lib.py", 7), STALE)
UNKNOWN = StageVerdict("odd", "p.odd", None, CURRENT, unknown="pipeline.py must be imported")
ALL = found(PASSED, MISSING, CHANGED, UNKNOWN)


def test_text_and_json() -> None:
    assert verify.verify_text(ALL) == (
        "passed  clean\n"
        "FAILED  train  Missing files: model.pkl\n"
        "FAILED  plot   Code dependency changed: func:clean\n"
        "unknown odd    pipeline.py must be imported\n"
        "\n4 stages, 2 failed, 1 unknown\n"
    )
    assert verify.verify_json(ALL)["stages"][1] == {
        "name": "train",
        "status": "failed",
        "reason": "Missing files: model.pkl",
        "missing_files": ["model.pkl"],
    }
    assert [stage["status"] for stage in verify.verify_json(ALL)["stages"]][::3] == ["passed", "unknown"]
    assert verify.summary(found()) == "No stages are registered."


def test_junit() -> None:
    suites = ET.fromstring(ci_reports.junit(ALL, {"p.clean": "clean.json at $.a"}))
    (suite,) = suites
    assert suites.tag == "testsuites"
    for each in (suites, suite):
        assert each.attrib == {"name": "pivot verify", "tests": "4", "failures": "3", "errors": "1"}
    assert [(case.get("classname"), case.get("name"), case.get("file"), case.get("line")) for case in suite] == [
        ("p", "clean", "pipeline.py", "3"),
        ("p", "train", "pipeline.py", "3"),
        ("p", "plot", "lib.py", "7"),
        ("p", "odd", None, None),
    ]
    assert [[(each.tag, each.get("type"), each.get("message")) for each in case] for case in suite] == [
        [("failure", "differs", "clean.json at $.a")],
        [("failure", "missing", "Missing files: model.pkl")],
        [("failure", "stale", "Code dependency changed: func:clean")],
        [("error", "unknown", "pipeline.py must be imported")],
    ]
    passed = ci_reports.junit(found(PASSED), {}).splitlines()[3].strip()
    assert passed.startswith('<testcase classname="p" name="clean"')


def test_the_xml_is_valid_for_every_path() -> None:
    odd = StageVerdict("a", "p.a", PLACE, CURRENT, missing=(ArtifactPath('x\x01<&"\ud800\uffff'),))
    (failure,) = ET.fromstring(ci_reports.junit(found(odd), {})).iter("failure")
    assert failure.get("message") == 'Missing files: x\\x01<&"\\ud800\\uffff'


def test_annotations() -> None:
    assert ci_reports.annotations(ALL, {}, "ml").splitlines() == [
        "::error file=ml/pipeline.py,line=3,title=train%3A missing::Missing files: model.pkl",
        "::error file=ml/lib.py,line=7,title=plot%3A stale::Code dependency changed: func:clean",
        "::error title=odd%3A unknown::pipeline.py must be imported",
    ]
    assert "file=pipeline.py" in ci_reports.annotations(ALL, {})
    assert ci_reports.annotations(found(PASSED), {}) == ""


def test_a_path_cannot_command_the_runner() -> None:
    odd = StageVerdict("a", "p.a", PLACE, CURRENT, missing=(ArtifactPath("50%\n::set-env name=A::b\r"),))
    (line,) = ci_reports.annotations(found(odd), {}).splitlines()
    assert line.endswith("::Missing files: 50%25%0A::set-env name=A::b\\r")
    printed = ci_reports.plain_lines(verify.verify_text(found(odd)))
    assert not [line for line in printed.splitlines() if re.match(r"\s*(::|##\[)", line)]


def test_the_step_summary() -> None:
    assert ci_reports.summary(ALL, {"p.clean": "out.json"}).splitlines() == [
        "### pivot verify",
        "",
        "4 stages, 2 failed, 1 unknown",
        "",
        "| stage | | why |",
        "|---|---|---|",
        "| train | ❌ failed | Missing files\\: model.pkl |",
        "| plot | ❌ failed | Code dependency changed\\: func\\:clean |",
        "| odd | ❔ unknown | pipeline.py must be imported |",
        "| clean | ❌ failed | out.json |",
    ]
    assert ci_reports.summary(found(), {}).splitlines()[-2] == "No stages are registered."
    hostile = StageVerdict("a|b", "p.a", PLACE, CURRENT, missing=(ArtifactPath("<img src=x>`|\n![](y)"),))
    assert r"| a\|b | ❌ failed | Missing files\: \<img src=x\>\`\| \!\[\]\(y\) |" in ci_reports.summary(
        found(hostile), {}
    )
