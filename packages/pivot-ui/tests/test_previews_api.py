"""Previews and images of artifacts as the page gets them, and what nobody gets."""

import json
import pathlib
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator

import pytest
from served import TOKEN, Answer, ServedProject

from pivot_runtime.project.project import init

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
SECRET = b"the content of a file outside"
HOSTILE = "<img src=x onerror=alert(1)>'\"&.txt"
DECLARED = """\
pipeline: made
stages:
  all:
    cmd: cp -r given/. parts && cp given/loss.csv loss.csv && echo 1 > score.json
    deps: [given]
    outs: [{path: parts, directory: true}, {path: loss.csv, plot: {y: loss}}, {path: score.json, metric: true}]
"""
PATHS = (
    "", ".", "..", "/", "../outside.txt", "parts/../../outside.txt", "/etc/passwd", "pivot.yaml", ".pivot/config.yaml",
    ".git/config", "parts/..", "./parts", "parts//dot.png", "parts\\..\\..\\outside.txt", "%2e%2e/outside.txt",
    "file:///etc/passwd", "x" * 5000, "parts\n", "\u202e", "~/x",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProject]:
    """A project after a run, which tests do not change."""
    root = tmp_path_factory.mktemp("around") / "project"
    (root / "given").mkdir(parents=True)
    init(root)
    (root.parent / "outside.txt").write_bytes(SECRET)
    (root / "pivot.yaml").write_text(DECLARED)
    (root / "given/loss.csv").write_text("step,loss\n0,2.5\n1,nan\n")
    (root / "given/dot.png").write_bytes(PNG)
    (root / "given/drawing.svg").write_bytes(SVG)
    (root / "given/page.png").write_text("<script>alert(1)</script>")
    (root / "given" / HOSTILE).write_text("x")
    command = [sys.executable, "-P", "-m", "pivot_cli", "repro"]
    subprocess.run(command, cwd=root, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (root / "parts/link").symlink_to(root.parent / "outside.txt")
    (root / "parts/around").symlink_to(root.parent)
    with ServedProject(root) as served:
        yield served
    assert served.bugs == []


def ask(served: ServedProject, name: str, **parameters: object) -> Answer:
    query = urllib.parse.urlencode({key: str(value) for key, value in parameters.items()})
    return served.ask(f"/api/{name}?{query}", headers={"Authorization": f"Bearer {TOKEN}"})


def test_a_table_a_plot_and_a_directory(made: ServedProject) -> None:
    plot = ask(made, "preview", path="loss.csv").plain
    assert (plot["kind"], plot["y"], plot["spec"]["title"]) == ("plot", ["loss"], "loss.csv")
    table = ask(made, "preview", path="loss.csv", form="table", offset=1, limit=1).plain
    assert (table["kind"], table["rows"], table["total"]) == ("table", [[1, "NaN"]], 2)
    for side in ("workspace", "recorded", "run:1"):
        listed = ask(made, "preview", path="parts", side=side).plain
        assert listed["kind"] == "directory"
        assert {"name": HOSTILE, "kind": "file", "size": 1} in listed["entries"]
        assert ask(made, "preview", path="parts", side=side, inside=HOSTILE).plain["text"] == "x"


def test_the_media_type_of_an_image_is_that_of_its_bytes(made: ServedProject) -> None:
    png = ask(made, "content", path="parts", inside="dot.png")
    assert (png.status, png.headers["content-type"], png.body) == (200, "image/png", PNG)
    assert ask(made, "content", path="parts/dot.png", side="recorded").body == PNG
    for inside in ("page.png", HOSTILE, "loss.csv", "", "link", "around"):
        assert ask(made, "content", path="parts", inside=inside).status == 404


def test_no_script_of_an_image_runs(made: ServedProject) -> None:
    answer = ask(made, "content", path="parts", inside="drawing.svg")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/svg+xml", SVG)
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["preview", "content"])
@pytest.mark.parametrize("side", ["workspace", "recorded", "run:1"])
def test_no_path_leads_out(made: ServedProject, name: str, side: str) -> None:
    for path in PATHS:
        for parameters in ({"path": path}, {"path": "parts", "inside": path or "/"}):
            answer = ask(made, name, side=side, **parameters)
            assert answer.status in (400, 404), parameters
            assert SECRET not in answer.body
            assert set(json.loads(answer.body)) == {"error", "hint"}


@pytest.mark.parametrize("name", ["preview", "content"])
def test_links_that_lead_out_are_not_followed(made: ServedProject, name: str) -> None:
    for inside in ("link", "around", "around/outside.txt"):
        answer = ask(made, name, path="parts", inside=inside)
        assert SECRET not in answer.body
        assert answer.status == 404 or answer.plain["kind"] == "absent"


@pytest.mark.parametrize(
    "side",
    ["", "..", "../..", "no-such", "HEAD", "HEAD:pivot.yaml", "run:", "run:0", "run:-1", "run:99", f"run:{'9' * 400}",
     "run:../1", "-p", "--help", "a\nb", "x" * 5000, "@{-1}", ":/x"],
)  # fmt: skip
def test_no_other_side_is_read(made: ServedProject, side: str) -> None:
    for name in ("preview", "content"):
        answer = ask(made, name, path="parts", side=side)
        assert answer.status in (400, 404), answer.body


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"path": "a\0"},
        {"path": "parts", "inside": "a\0"},
        {"path": "parts", "side": "a\0"},
        {"path": "parts", "form": "html"},
        *({"path": "parts", "limit": text} for text in ("0", "201", "-1", "1.5", "", "nan", "٣", "9" * 5000)),
        *({"path": "parts", "offset": text} for text in ("-1", "x", "", "1e9", "9" * 17, "9" * 5000)),
    ],
)
def test_wrong_parameters_are_refused(made: ServedProject, parameters: dict[str, str]) -> None:
    answer = ask(made, "preview", **parameters)
    assert answer.status == 400
    assert set(answer.plain) == {"error", "hint"}


def test_far_pages_are_empty(made: ServedProject) -> None:
    for path, key in (("parts", "entries"), ("given/loss.csv", "rows")):
        assert ask(made, "preview", path=path, offset=1 << 53, limit=200).plain[key] == []


def test_previews_need_the_token(made: ServedProject, tmp_path: pathlib.Path) -> None:
    for name in ("preview", "content"):
        assert made.ask(f"/api/{name}?path=parts/dot.png").status == 401
