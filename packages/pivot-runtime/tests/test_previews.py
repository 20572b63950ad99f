"""Previews of the artifacts of a project, on each side, and what nothing may preview."""

import os
import pathlib
import shutil
import socket
import subprocess
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workshop import Workshop

from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import PathOnly, Text
from pivot_core.stages.annotations import Dep, DirectoryOut, Out, Plot
from pivot_runtime.artifacts.track import track
from pivot_runtime.comparing.revisions import Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import RevisionError, UnknownArtifactError
from pivot_runtime.previews import contents, directories, images, known_artifacts, plots
from pivot_runtime.previews.preview import (
    RECORDED,
    WORKSPACE,
    AbsentContent,
    BinaryPreview,
    DirectoryPreview,
    DocumentPreview,
    ImageContent,
    ImagePreview,
    PlotPreview,
    Preview,
    PreviewRequest,
    TablePreview,
    TextPreview,
    TooLarge,
    Window,
    image,
    preview,
)

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x02"
SECRET = "the content of a file outside"


@pytest.fixture
def made(shop: Workshop) -> Workshop:
    """A project with outs and a dep of several kinds, after a run."""
    shop.write("raw.csv", "a,b\n1,x\n2,y\n")

    def table(raw: Annotated[str, Dep("raw.csv", Text())]) -> Annotated[str, Out("out/table.csv", Text())]:
        return raw.replace("x", "z")

    def directory() -> Annotated[pathlib.Path, DirectoryOut("parts", PathOnly())]:
        for name in ("one.txt", "inner/two.json"):
            shop.write(f"parts/{name}", "{}")
        (shop.root / "parts/dot.png").write_bytes(PNG)
        return pathlib.Path("parts")

    def drawn() -> Annotated[str, Plot("loss.csv", Text(), y="loss", title="The loss")]:
        return "step,loss\n0,1.5\n1,0.5\n"

    def kept() -> Annotated[str, Out("kept.json", Text(), cache=False)]:
        return '{"a": [1]}'

    for function in (table, directory, drawn, kept):
        shop.add(function.__name__, function)
    shop.run()
    return shop


def show(shop: Workshop, path: str, side: str = WORKSPACE, inside: str = "", **options: Any) -> Preview:
    return preview(shop.context, PreviewRequest(path, side, inside, **options))


def git(root: pathlib.Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_each_kind_in_the_workspace(made: Workshop) -> None:
    table = show(made, "out/table.csv")
    assert isinstance(table.detail, TablePreview)
    assert table.detail.rows == ((1, "z"), (2, "y"))
    assert (table.size, table.title, table.problem) == (12, "table.csv", "")
    assert isinstance(show(made, "out/table.csv", form="text").detail, TextPreview)
    assert show(made, "raw.csv").detail == attrs_with(table.detail, rows=((1, "x"), (2, "y")))
    assert show(made, "kept.json").detail == DocumentPreview({"a": [1]}, cut=False)
    assert show(made, "parts", inside="dot.png").detail == ImagePreview("image/png", 3, 2)
    assert show(made, "parts/one.txt").detail == TextPreview("{}", cut=False, encoding="utf-8")
    listed = show(made, "parts").detail
    assert isinstance(listed, DirectoryPreview)
    assert [(entry.name, entry.kind) for entry in listed.entries] == [
        ("dot.png", "file"),
        ("inner", "directory"),
        ("one.txt", "file"),
    ]


def attrs_with(value: TablePreview, **changes: Any) -> TablePreview:
    return attrs.evolve(value, **changes)


def test_a_plot_has_its_columns(made: Workshop) -> None:
    found = show(made, "loss.csv")
    assert isinstance(found.detail, PlotPreview)
    assert found.detail.axes.y == ("step", "loss")
    assert found.detail.side.rows == ({"step": 0, "loss": 1.5}, {"step": 1, "loss": 0.5})
    assert isinstance(show(made, "loss.csv", form="table").detail, TablePreview)
    made.write("loss.csv", "step\na\n")
    assert isinstance(show(made, "loss.csv").detail, TablePreview)


def test_a_plot_is_drawn_as_the_pipeline_says(made: Workshop) -> None:
    plot = "{path: loss.csv, plot: {y: loss, title: The loss}}"
    made.write("pivot.yaml", f"pipeline: p\nstages:\n  drawn:\n    cmd: make\n    outs: [{plot}]\n")
    found = show(made, "loss.csv")
    assert isinstance(found.detail, PlotPreview)
    assert (found.title, found.detail.axes.y) == ("The loss", ("loss",))


def test_the_rows_of_a_plot_in_json_are_a_table(made: Workshop) -> None:
    made.write("kept.json", '{"rows": [{"x": 1, "y": 2.5}, {"x": 2}, {"x": 3}]}')
    found = show(made, "kept.json", form="table", window=Window(1, 1)).detail
    assert isinstance(found, TablePreview)
    assert [(column.name, column.type) for column in found.columns] == [("x", "integer")]
    assert (found.rows, found.total, found.more) == (((2,),), 3, True)
    assert isinstance(show(made, "kept.json").detail, DocumentPreview)
    made.write("kept.json", "{}")
    assert "has no rows" in show(made, "kept.json", form="table").problem


def test_a_large_plot_is_a_table(made: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "MOST_BYTES", 5)
    assert isinstance(show(made, "loss.csv").detail, TablePreview)


def test_the_recorded_content_comes_from_the_cache(made: Workshop) -> None:
    before = show(made, "out/table.csv", RECORDED)
    made.write("out/table.csv", "edited,now\n")
    assert show(made, "out/table.csv", RECORDED) == before
    assert before.digest is not None
    assert show(made, "out/table.csv").detail != before.detail
    shutil.rmtree(made.root / "parts")
    recorded = show(made, "parts", RECORDED).detail
    assert isinstance(recorded, DirectoryPreview)
    assert [(entry.name, entry.size) for entry in recorded.entries] == [("dot.png", 24), ("inner", 2), ("one.txt", 2)]
    assert show(made, "parts", RECORDED, "inner").detail == DirectoryPreview(
        (directories.DirectoryEntry("two.json", "file", 2),), 0, 1
    )
    assert show(made, "parts", RECORDED, "inner/two.json").detail == DocumentPreview({}, cut=False)
    with pytest.raises(UnknownArtifactError):
        show(made, "parts", RECORDED, "inner/three")
    with pytest.raises(UnknownArtifactError):
        show(made, "out/table.csv", RECORDED, "inner")
    made.write("parts/later.txt", "x")
    assert isinstance(show(made, "parts", inside="later.txt").detail, TextPreview)
    for path in ("parts", "out/table.csv", "raw.csv", "kept.json"):
        with pytest.raises(UnknownArtifactError):
            show(made, path, inside="absent.txt")


def test_content_that_only_git_stores(made: Workshop) -> None:
    assert show(made, "kept.json", RECORDED).detail == DocumentPreview({"a": [1]}, cut=False)
    git(made.root, "init", "-q")
    git(made.root, "add", "-A")
    git(made.root, "commit", "-qm", "one")
    made.write("kept.json", "[2]")
    made.write("raw.csv", "c\n3\n")
    edited = show(made, "kept.json", RECORDED)
    assert edited.detail == AbsentContent(
        "nowhere",
        "pivot repro p.kept",
        "the cache does not store it, and the workspace has other content",
        10,
        edited.digest,
    )
    assert show(made, "kept.json", "HEAD").detail == DocumentPreview({"a": [1]}, cut=False)
    assert show(made, "parts", "HEAD", "one.txt").detail == TextPreview("{}", cut=False, encoding="utf-8")
    raw = show(made, "raw.csv", "HEAD").detail
    assert isinstance(raw, TablePreview)
    assert raw.rows == ((1, "x"), (2, "y"))
    with pytest.raises(UnknownArtifactError):
        show(made, "kept.json", "HEAD", "x")
    made.write("later.txt", "x")
    track(made.context, ["later.txt"])
    assert isinstance(show(made, "later.txt").detail, TextPreview)
    with pytest.raises(UnknownArtifactError):
        show(made, "later.txt", "HEAD")
    for name in ("nothing", "", "-x", "HEAD\n", "HEAD\0", "x" * 5000, "HEAD:kept.json"):
        with pytest.raises(RevisionError):
            show(made, "kept.json", name)


def test_absent_content_is_said_with_the_command_that_brings_it(made: Workshop) -> None:
    (made.root / "out/table.csv").unlink()
    (made.root / "raw.csv").unlink()
    size = 12
    digest = show(made, "out/table.csv", RECORDED).digest
    assert show(made, "out/table.csv").detail == AbsentContent(
        "cache", "pivot checkout out/table.csv", size=size, digest=digest
    )
    assert show(made, "raw.csv").detail == AbsentContent("nowhere")
    shutil.rmtree(made.root / "parts")
    inner = show(made, "parts", inside="one.txt").detail
    assert isinstance(inner, AbsentContent)
    assert (inner.where, inner.command, inner.size) == ("cache", "pivot checkout parts", 2)
    shutil.rmtree(made.layout.objects_dir)
    lost = show(made, "out/table.csv").detail
    assert isinstance(lost, AbsentContent)
    assert (lost.where, lost.command) == ("nowhere", "pivot repro p.table")
    made.write(".pivot/config.yaml", "remotes:\n  far: file:///nowhere\n")
    for side, command in ((WORKSPACE, "pivot pull out/table.csv"), (RECORDED, "pivot fetch out/table.csv")):
        found = show(made, "out/table.csv", side).detail
        assert isinstance(found, AbsentContent)
        assert (found.where, found.command) == ("remote", command)


def test_a_stage_that_has_not_run_yet(shop: Workshop) -> None:
    shop.write(
        "pivot.yaml",
        "pipeline: p\nstages:\n  s:\n    cmd: cat in/*.txt > new.txt\n    deps: [in/*.txt]\n    outs: [new.txt]\n",
    )
    shop.write("in/a.txt", "x")
    assert show(shop, "new.txt").detail == AbsentContent("nowhere")
    assert show(shop, "new.txt", RECORDED).detail == AbsentContent("nowhere", problem="no run has recorded new.txt")
    assert isinstance(show(shop, "in/a.txt").detail, TextPreview)
    with pytest.raises(UnknownArtifactError):
        show(shop, "in/a.csv")


@pytest.mark.parametrize(
    "path",
    ["", ".", "/", "..", "../outside.txt", "/etc/passwd", "pipeline.py", ".pivot/config.yaml", ".git/config", "out",
     "raw.csv\0", "out/table.csv/..", "out/../raw.csv", "./raw.csv", "raw.csv/", "out//table.csv", "\udcff",
     "x" * 10_000],
)  # fmt: skip
@pytest.mark.parametrize("side", [WORKSPACE, RECORDED])
def test_no_other_path_is_previewed(made: Workshop, path: str, side: str) -> None:
    made.write("pipeline.py", SECRET)
    made.write("../outside.txt", SECRET)
    with pytest.raises(UnknownArtifactError, match="pivot knows no artifact"):
        show(made, path, side)
    with pytest.raises(UnknownArtifactError):
        image(made.context, PreviewRequest(path, side))


@pytest.mark.parametrize("inside", ["..", "../raw.csv", "../../outside.txt", "/etc/passwd", "inner/../..", "a\0", "."])
@pytest.mark.parametrize("side", [WORKSPACE, RECORDED])
def test_no_path_inside_leads_out(made: Workshop, inside: str, side: str) -> None:
    with pytest.raises(UnknownArtifactError):
        show(made, "parts", side, inside)


def test_links_that_lead_out_are_not_followed(made: Workshop) -> None:
    outside = made.write("../outside.txt", SECRET)
    (made.root / "parts/link").symlink_to(outside)
    (made.root / "parts/around").symlink_to(outside.parent)
    (made.root / "parts/state").symlink_to(made.root / ".pivot")
    made.write("inner/.git/config", SECRET)
    (made.root / "parts/git").symlink_to(made.root / "inner/.git/config")
    (made.root / "out/table.csv").unlink()
    (made.root / "out/table.csv").symlink_to(outside)
    (made.root / "kept.json").unlink()
    (made.root / "kept.json").symlink_to(outside)
    for path, inside in (
        ("out/table.csv", ""),
        ("parts", "link"),
        ("parts", "around"),
        ("parts", "around/outside.txt"),
        ("parts", "state/config.yaml"),
        ("parts", "git"),
    ):
        found = show(made, path, inside=inside)
        assert isinstance(found.detail, AbsentContent)
        assert found.detail.where == "outside"
        assert "a symbolic link leads" in found.problem
    listed = show(made, "parts").detail
    assert isinstance(listed, DirectoryPreview)
    assert {entry.name: entry.kind for entry in listed.entries}["link"] == "link"
    assert SECRET not in repr(show(made, "kept.json", RECORDED))


@pytest.mark.parametrize("replaced", ["raw.csv", "deep"])
def test_a_file_that_becomes_a_link_before_it_is_opened_is_not_read(made: Workshop, replaced: str) -> None:
    place = made.write("deep/raw.csv", "a\n1\n") if replaced == "deep" else made.root / "raw.csv"
    with Revisions.opened(made.context) as revisions:
        known = known_artifacts.known(made.context, revisions, "raw.csv", WORKSPACE)
        content = contents.find(
            made.context, revisions, attrs.evolve(known, path=ArtifactPath(str(place.relative_to(made.root))))
        )
        assert isinstance(content, contents.FileContent)
        outside = made.write("../outside/raw.csv", SECRET)
        (made.root / replaced).rename(made.root / "before")
        (made.root / replaced).symlink_to(outside if replaced == "raw.csv" else outside.parent)
        with pytest.raises(OSError, match="replaced"), content.opened():
            pass


def test_a_directory_that_becomes_a_link_before_it_is_listed_is_not_listed(made: Workshop) -> None:
    with Revisions.opened(made.context) as revisions:
        content = contents.find(
            made.context, revisions, known_artifacts.known(made.context, revisions, "parts", WORKSPACE)
        )
        assert isinstance(content, contents.WorkspaceDirectory)
        outside = made.write("../outside/secret.txt", SECRET).parent
        (made.root / "parts").rename(made.root / "before")
        (made.root / "parts").symlink_to(outside)
        with pytest.raises(OSError, match=r"[Nn]ot a directory|symbolic"), content.opened():
            pass
        (made.root / "parts").unlink()
        outside.rename(made.root / "parts")
        with pytest.raises(OSError, match="replaced"), content.opened():
            pass


def test_links_inside_and_into_the_cache_are_followed(made: Workshop) -> None:
    table = made.root / "out/table.csv"
    table.unlink()
    table.symlink_to(made.object_of("table", "out/table.csv"))
    (made.root / "parts/again").symlink_to("one.txt")
    assert isinstance(show(made, "out/table.csv").detail, TablePreview)
    assert isinstance(show(made, "parts", inside="again").detail, TextPreview)
    (made.root / "parts/loop").symlink_to("loop")
    assert "cannot be read" in show(made, "parts", inside="loop").problem


def test_what_is_no_file_is_not_opened(made: Workshop) -> None:
    os.mkfifo(made.root / "parts/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(made.root / "parts")
        server.bind("socket")
        os.chdir(here)
        for name in ("pipe", "socket"):
            found = show(made, "parts", inside=name)
            assert found.detail == BinaryPreview(b"")
            assert found.problem == "it cannot be read: it is neither a file nor a directory"
            assert image(made.context, PreviewRequest("parts", inside=name)) is None


def test_damaged_content_is_shown_as_it_is_with_the_problem(made: Workshop) -> None:
    (made.root / "out/table.csv").write_bytes(b'a\n"\xff"b\n')
    found = show(made, "out/table.csv")
    assert found.problem.startswith("it is not CSV")
    assert found.detail == TextPreview('a\n"ÿ"b\n', cut=False, encoding="latin-1")
    (made.root / "out/table.csv").write_bytes(b"\0\1")
    assert isinstance(show(made, "out/table.csv").detail, TablePreview | BinaryPreview)
    made.damage("table", "out/table.csv")
    made.write(".pivot/stages/p.drawn.lock", "damaged")
    assert isinstance(show(made, "parts").detail, DirectoryPreview)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A project that tracks a directory."""
    shop = Workshop(tmp_path_factory.mktemp("tracking"))
    shop.write("any/x", "")
    track(shop.context, ["any"])
    return shop


@given(data=st.binary(max_size=60), name=st.sampled_from(["x.csv", "x.json", "x.jsonl", "x.yaml", "x.svg", "x"]))
def test_any_bytes_give_a_preview(tracking: Workshop, data: bytes, name: str) -> None:
    (tracking.root / "any" / name).write_bytes(data)
    assert show(tracking, "any", inside=name).size == len(data)


def test_images(made: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    request = PreviewRequest("parts", inside="dot.png")
    assert image(made.context, request) == ImageContent("image/png", PNG)
    assert image(made.context, PreviewRequest("parts", RECORDED, "dot.png")) == ImageContent("image/png", PNG)
    (made.root / "parts/dot.png").write_text("<script>")
    assert image(made.context, request) is None
    assert image(made.context, PreviewRequest("parts")) is None
    (made.root / "parts/dot.png").write_bytes(PNG)
    monkeypatch.setattr(images, "MOST_BYTES", len(PNG) - 1)
    assert image(made.context, request) is None
    assert show(made, "parts", inside="dot.png").detail == TooLarge(len(PNG) - 1)


def test_pages_of_directories(made: Workshop) -> None:
    for side in (WORKSPACE, RECORDED):
        names = []
        for offset in range(5):
            found = show(made, "parts", side, window=Window(offset, 1)).detail
            assert isinstance(found, DirectoryPreview)
            assert (found.offset, found.total) == (offset, 3)
            names += [entry.name for entry in found.entries]
        assert names == ["dot.png", "inner", "one.txt"]


def test_a_huge_directory_is_listed_in_part(made: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "MOST_ENTRIES", 2)
    found = show(made, "parts").detail
    assert isinstance(found, DirectoryPreview)
    assert found.total is None


def test_a_project_that_is_reached_by_a_link(made: Workshop, tmp_path: pathlib.Path) -> None:
    (tmp_path / "alias").symlink_to(made.root)
    context = CommandContext.find(tmp_path / "alias", os.environ)
    assert isinstance(preview(context, PreviewRequest("out/table.csv")).detail, TablePreview)


def test_a_preview_changes_nothing(made: Workshop) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.root.rglob("*") if "state.db" not in str(path)}
    for side in (WORKSPACE, RECORDED):
        for path in ("out/table.csv", "parts", "loss.csv", "kept.json", "raw.csv"):
            show(made, path, side)
    assert before == {path: path.stat().st_mtime_ns for path in made.root.rglob("*") if "state.db" not in str(path)}
