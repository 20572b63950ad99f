"""`get`, `import`, `import-url` and `update` through the executable, from repositories and servers on this machine."""

import json
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from harness import Project

REGISTRY = """\
from typing import Annotated

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("registry")


@pipeline.register
def train() -> Annotated[dict[str, int], pivot.Out("models/model.json", JSON())]:
    return {"version": 1}


@pipeline.register
def parts() -> Annotated[dict[str, str], pivot.DirectoryOut("parts", Text())]:
    return {"a.txt": "a", "b/c.txt": "c"}


@pipeline.register
def score() -> Annotated[int, pivot.Metric("score.json")]:
    return 5
"""


def git(directory: pathlib.Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(project: Project, tag: str) -> str:
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", tag)
    git(project.root, "tag", tag)
    return git(project.root, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def made_registry(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository with two revisions of a model, and tracked data."""
    registry = Project(tmp_path_factory.mktemp("made") / "registry")
    shutil.copytree(initialized, registry.root)
    git(registry.root, "init", "-qb", "main")
    registry.write("pipeline.py", REGISTRY)
    registry.write("raw.csv", "a,b\n")
    registry.pivot("repro")
    registry.pivot("track", "raw.csv")
    commit(registry, "v1")
    registry.replace("pipeline.py", '"version": 1', '"version": 2')
    registry.pivot("repro")
    commit(registry, "v2")
    return registry.root


@pytest.fixture
def registry(made_registry: pathlib.Path, tmp_path: pathlib.Path) -> Project:
    """A repository beside the project."""
    shutil.copytree(made_registry, tmp_path / "registry")
    return Project(tmp_path / "registry")


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    return make("import pivot\n\npipeline = pivot.Pipeline('empty')\n")


def model(project: Project, name: str = "model.json") -> int:
    return int(json.loads(project.read(name))["version"])


def pvt(project: Project, name: str) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(project.read(f"{name}.pvt"))["source"]
    return parsed


def test_import_and_update(registry: Project, project: Project) -> None:
    """A file of a tag, a directory, a file in git and tracked data; then the source moves."""
    said = project.pivot("import", "../registry", "models/model.json", "--rev", "v1")
    assert said.stdout.startswith("Imported model.json (19 B) from models/model.json of ../registry at v1, ")
    assert "git add model.json.pvt" in said.stderr
    project.pivot("import", str(registry.root), "train", "-o", "data/current.json")
    project.pivot("import", "../registry", "parts/")
    project.pivot("import", "../registry", "score.json")
    project.pivot("import", "../registry", "raw.csv", "--json")
    assert (model(project), model(project, "data/current.json"), project.read("score.json")) == (1, 2, "5\n")
    assert (project.read("parts/b/c.txt"), project.read("raw.csv")) == ("c", "a,b\n")
    assert project.read(".gitignore").split() == ["/model.json", "/parts", "/score.json", "/raw.csv"]
    v1, v2 = (git(registry.root, "rev-parse", tag) for tag in ("v1", "v2"))
    assert pvt(project, "model.json") == {
        "repo": "../registry",
        "path": "models/model.json",
        "rev": "v1",
        "commit": v1,
    }
    assert pvt(project, "data/current.json") == {
        "repo": str(registry.root),
        "path": "models/model.json",
        "commit": v2,
    }
    tracked = project.json("status", "--json")["tracked_files"]
    assert {each["status"] for each in tracked} == {"clean"}

    before = project.snapshot()
    assert "is up to date" in project.pivot("update").stdout
    assert project.snapshot() == before
    registry.replace("pipeline.py", '"version": 2', '"version": 3')
    registry.pivot("repro")
    v3 = commit(registry, "v3")
    asked = project.json("status", "--sources", "--json")["sources"]
    assert {each["path"]: each["state"] for each in asked} == {
        **dict.fromkeys(("model.json", "parts", "raw.csv", "score.json"), "current"),
        "data/current.json": "moved",
    }
    assert "data/current.json has changed at its source" in project.pivot("status", "--sources").stdout
    dry = project.pivot("update", "--dry-run", code=1)
    assert f"data/current.json has changed at its source ({v3[:10]})" in dry.stdout
    assert project.snapshot() == before
    updated = project.json("update", "--json")
    assert [each["path"] for each in updated["updated"]] == ["data/current.json"]
    assert model(project, "data/current.json") == 3

    project.pivot("update", "model.json", "--rev", "main")
    assert (model(project), pvt(project, "model.json")["rev"], pvt(project, "model.json")["commit"]) == (3, "main", v3)
    project.pivot("update", "model.json", "--rev", "main~1")
    assert (model(project), pvt(project, "model.json")["commit"]) == (2, v2)


def test_edited_data_are_not_overwritten(registry: Project, project: Project) -> None:
    project.write("model.json", "mine")
    said = project.pivot("import", "../registry", "models/model.json", code=1)
    assert "error: model.json already exists with other content" in said.stderr
    assert project.read("model.json") == "mine"
    assert not (project.root / "model.json.pvt").exists()

    forced = project.pivot("import", "../registry", "models/model.json", "--force")
    digits = forced.stderr.partition("--kept ")[2][:8]
    project.pivot("checkout", "--kept", digits, "--to", "saved")
    assert (model(project), project.read("saved")) == (2, "mine")
    (project.root / "there").mkdir()
    for directory in ("there", "new/"):
        project.pivot("import", "../registry", "raw.csv", "-o", directory)
    assert (project.root / "there/raw.csv.pvt").exists()
    assert (project.root / "new/raw.csv.pvt").exists()
    spaced = project.pivot("import", "../registry", "raw.csv", "-o", "raw data.csv")
    assert "git add 'raw data.csv.pvt'\n" in spaced.stderr

    project.write("model.json", "edited")
    assert "model.json is up to date" in project.pivot("update").stdout
    said = project.pivot("update", "model.json", "--rev", "v1", code=1)
    assert "model.json already exists with other content" in said.stderr
    assert project.read("model.json") == "edited"
    project.pivot("update", "model.json", "--rev", "v1", "-f")
    assert model(project) == 1
    volume = project.root.parent / "volume"
    (project.root / "model.json").rename(volume)
    (project.root / "model.json").symlink_to(volume)
    said = project.pivot("update", "--rev", "v2", code=1)
    assert "model.json is a symbolic link\nhint: --force puts the data in its place" in said.stderr
    assert (project.root / "model.json").is_symlink()
    project.pivot("update", "--rev", "v2", "--force")
    assert (model(project), volume.read_text().count("1")) == (2, 1)

    project.write("model.json", "tracked")
    project.pivot("track", "model.json")
    assert "source" not in json.loads(project.read("model.json.pvt"))
    assert "was not imported" in project.pivot("update", "model.json", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("import", "../registry", "models/modle.json"), 2, "did you mean models/model.json"),
        (("import", "../registry", "../secrets"), 2, "records nothing"),
        (("import", "../nothing", "x"), 2, "there is no directory '../nothing'"),
        (("import", "../registry", "raw.csv", "--rev", "v9"), 2, "has no revision 'v9'"),
        (("import", "../registry", "raw.csv", "--rev", "--upload-pack=touch x"), 2, "no revision"),
        (("import", "../registry", "raw.csv", "-o", "pipeline.py"), 2, "not data"),
        (("import", "../registry", "raw.csv", "-o", ".git/hooks/post-checkout"), 2, "into which nothing is restored"),
        (("import", "../registry", "raw.csv", "-o", "../outside.csv"), 2, "outside"),
        (("import", "ext::touch x", "raw.csv"), 2, "not the URL"),
        (("import", "http://me:hunter2@127.0.0.1:1/x.git", "raw.csv"), 3, "git fetch failed"),
        (("import-url", "http://127.0.0.1:1/"), 2, "names no file"),
        (("get", "nothing"), 2, "nothing is recorded at 'nothing'"),
        (("get", "trian", "--repo", "../registry"), 2, "did you mean train"),
        (("get", "parts", "--repo", "../registry", "-o", "-"), 2, "cannot be printed"),
        (("update", "nothing"), 2, "nothing recorded is named"),
    ],
)
def test_errors_leave_nothing(
    registry: Project, project: Project, arguments: tuple[str, ...], code: int, problem: str
) -> None:
    before = project.snapshot()
    said = project.pivot(*arguments, code=code)

    assert problem in said.stderr
    assert "hint: " in said.stderr
    assert "hunter2" not in said.stderr
    assert project.snapshot() == before
    assert not (registry.root.parent / "x").exists()


def test_get(registry: Project, project: Project) -> None:
    """From the project itself, from another repository, and where there is no project."""
    v1 = git(registry.root, "rev-parse", "v1")
    before = registry.snapshot()
    assert json.loads(registry.pivot("get", "models/model.json", "--rev", "v1", "-o", "-").stdout) == {"version": 1}
    assert json.loads(registry.pivot("get", "train", "-o", "-").stdout) == {"version": 2}
    assert registry.pivot("get", "score.json", "--rev", "HEAD~1", "-o", "-").stdout == "5\n"
    assert registry.snapshot() == before
    said = project.pivot("get", "models/model.json", "--repo", "../registry", "--rev", v1)
    assert said.stdout == f"Wrote model.json: models/model.json at {v1[:10]}, 19 B\n"
    assert model(project) == 1
    assert "model.json exists" in project.pivot("get", "train", "--repo", "../registry", code=1).stderr
    project.pivot("get", "train", "--repo", "../registry", "--force")
    assert "Wrote new/model.json:" in project.pivot("get", "train", "--repo", "../registry", "-o", "new/").stdout
    assert model(project) == 2
    assert not (project.root / "model.json.pvt").exists()

    elsewhere = Project(registry.root.parent / "elsewhere")
    elsewhere.root.mkdir()
    elsewhere.pivot("get", "parts", "--repo", f"file://{registry.root}", "-o", "copy", code=1)  # its cache is not there
    elsewhere.pivot("get", "parts", "--repo", "../registry", "-o", "copy")
    assert elsewhere.read("copy/b/c.txt") == "c"


def test_code_of_another_repository_does_not_run(registry: Project, project: Project) -> None:
    """Neither its pipeline nor its hooks, nor the programs that its configuration names."""
    registry.write("pipeline.py", "open('/ran', 'w')")
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        hook = registry.write(f".git/hooks/{name}", "#!/bin/sh\ntouch ../ran ran\n")
        hook.chmod(0o755)
    registry.write(".gitattributes", "* filter=evil\n")
    git(registry.root, "config", "filter.evil.smudge", "touch ../ran; cat")
    git(registry.root, "config", "core.fsmonitor", "touch ../ran")
    git(registry.root, "add", ".gitattributes")
    git(registry.root, "-c", "core.hooksPath=/dev/null", "commit", "-qm", "evil")
    for left in registry.root.parent.glob("**/ran"):
        left.unlink()

    project.pivot("import", "../registry", "raw.csv")
    assert list(registry.root.parent.glob("**/ran")) == []


def test_repositories_within_data_are_not_imported(registry: Project, project: Project) -> None:
    """Git runs programs that the settings of a repository name, also where the user only looks at its status."""
    registry.replace("pipeline.py", '"a.txt": "a"', '"x/.GIT/config": "a"')
    registry.pivot("repro")
    git(registry.root, "commit", "-qam", "evil")
    before = project.snapshot()
    for command in (("import", "../registry", "parts"), ("get", "parts", "--repo", "../registry")):
        said = project.pivot(*command, code=1).stderr
        assert "parts contains x/.GIT/config, which is not data\nhint: " in said
    assert project.snapshot() == before

    parts = registry.lock("registry.parts")["outs"]["parts"]
    facts = {"digest": parts["digest"], "size": parts["size"], "executable": False, "tree": True}
    record = {"format": 1, "algorithm": "xxh3-128", **facts}
    registry.write("evil.pvt", json.dumps(record))
    said = registry.pivot("checkout", "evil", code=1).stderr
    assert "evil contains x/.GIT/config, which is not data" in said
    assert not (registry.root / "evil").exists()


@pytest.mark.parametrize("name", [".bashrc", "sub/.git", "conftest.py"])
def test_other_repositories_do_not_choose_names_that_programs_work_from(
    registry: Project, project: Project, name: str
) -> None:
    """Only a user who names such a file, or another name for it, gets it."""
    file = registry.root / ".pivot/stages/registry.train.lock"
    file.write_text(file.read_text().replace('"models/model.json"', json.dumps(name)))
    git(registry.root, "commit", "-qam", "evil")
    before = project.snapshot()
    for command in (("import", "../registry", "train"), ("get", "train", "--repo", "../registry")):
        for output in ((), ("-o", ".")) if command[0] == "get" else ((),):
            said = project.pivot(*command, *output, code=2).stderr
            assert f"programs work from files named {name.removeprefix('sub/')!r}\nhint: -o FILE chooses" in said
    assert project.snapshot() == before
    if name == ".bashrc":
        project.pivot("get", ".bashrc", "--repo", "../registry")
        assert model(project, ".bashrc") == 2
        project.pivot("import", "../registry", "train", "-o", "mine.json")
    if name == "sub/.git":
        assert "programs work from" in project.pivot("get", name, "--repo", "../registry", code=2).stderr
        project.pivot("get", "train", "--repo", "../registry", "-o", "mine.json")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[tuple[pathlib.Path, str]]:
    """A directory, and the URL under which a server shows it."""
    directory = tmp_path / "site"
    directory.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *each: Quiet(*each, directory=str(directory)))
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_import_url(site: tuple[pathlib.Path, str], project: Project) -> None:
    directory, url = site
    (directory / "d.csv").write_text("a,b\n")
    said = project.pivot("import-url", f"{url}/d.csv")
    assert said.stdout == f"Imported d.csv (4 B) from {url}/d.csv\n"
    assert pvt(project, "d.csv")["url"] == f"{url}/d.csv"
    assert "Imported sub/d.csv " in project.pivot("import-url", f"{url}/d.csv", "sub/").stdout
    project.pivot("untrack", "sub/d.csv")
    secret = project.pivot("import-url", f"{url}/d.csv?token=hunter2", "raw/e.csv")
    assert "are not recorded" in secret.stderr
    assert "hunter2" not in project.read("raw/e.csv.pvt") + secret.stdout + secret.stderr
    assert "d.csv is up to date" in project.pivot("update", "d.csv").stdout
    (directory / "d.csv").write_text("a,b\n1,2\n")
    assert project.json("update", "--dry-run", "--json", code=1)["checked"][0]["state"] == "moved"
    project.pivot("update")
    assert (project.read("d.csv"), project.read("raw/e.csv")) == ("a,b\n1,2\n", "a,b\n1,2\n")

    (directory / "d.csv").unlink()
    failed = project.pivot("update", code=3)
    assert failed.stderr.count("404") == 2
    asked = project.json("status", "--sources", "--json")["sources"]
    assert [each["state"] for each in asked] == ["failed", "failed"]
    (project.root / "d.csv").unlink()
    project.pivot("checkout", "d.csv")
    assert project.read("d.csv") == "a,b\n1,2\n"
