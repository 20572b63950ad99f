"""`config` and `remote` through the executable: every sub-command, option and origin, and what wins."""

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from harness import PIVOT, Project

CONFIG = ".pivot/config.yaml"
ORIGIN = "s3://my-bucket/pivot-cache"


class Mine(Project):
    """A project, and a home with settings of the user's own."""

    def pivot(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        home = {"XDG_CONFIG_HOME": str(self.home), **(options.pop("env", None) or {})}
        return super().pivot(*arguments, env=home, **options)

    @property
    def home(self) -> pathlib.Path:
        return self.root.parent / "home"

    @property
    def user(self) -> pathlib.Path:
        return self.home / "pivot/config.yaml"

    def config(self, *arguments: str, **options: Any) -> str:
        return self.pivot("config", *arguments, **options).stdout


@pytest.fixture
def mine(empty: Project, initialized: pathlib.Path) -> Mine:
    shutil.copytree(initialized, empty.root, dirs_exist_ok=True)
    return Mine(empty.root)


def rows(text: str) -> dict[str, tuple[str, str]]:
    """By key, its value and its origin, of a listing."""
    cells = [re.split(r" {2,}", line, maxsplit=2) for line in text.splitlines()]
    return {cell[0]: (cell[1], cell[2] if len(cell) > 2 else "") for cell in cells}


# -- as the guides say


def test_the_guide_to_remote_storage(mine: Mine) -> None:
    mine.config("set", "remotes.origin", ORIGIN)
    mine.config("set", "default_remote", "origin")
    file = mine.root / CONFIG
    listed = rows(mine.config("list"))
    assert listed["remotes.origin"] == (ORIGIN, f"the project's file {file}:1")
    assert listed["default_remote"] == ("origin", f"the project's file {file}:2")

    mine.config("set", "remotes.backup", "s3://backup-bucket/pivot-cache")
    assert mine.pivot("remote", "list").stdout == (
        f"backup  s3://backup-bucket/pivot-cache\norigin  {ORIGIN}      (default)\n"
    )
    mine.config("set", "default_remote", "backup")
    assert "backup  s3://backup-bucket/pivot-cache  (default)\n" in mine.pivot("remote", "list").stdout
    mine.config("set", "remote.jobs", "40")
    assert mine.read(CONFIG) == (
        f"remotes.origin: {ORIGIN}\ndefault_remote: backup\n"
        "remotes.backup: s3://backup-bucket/pivot-cache\nremote.jobs: 40\n"
    )


def test_the_only_remote_is_the_default_one(mine: Mine) -> None:
    """As in the guide to CI, which sets one remote and pulls."""
    mine.config("set", "remotes.s3", ORIGIN)

    assert mine.pivot("remote", "list").stdout == f"s3  {ORIGIN}  (default)\n"


# -- get, set, unset, list


def test_a_key_from_nothing_to_nothing(mine: Mine) -> None:
    unset = mine.pivot("config", "get", "run.jobs", code=1)
    assert (unset.stdout, unset.stderr) == ("", "")
    assert mine.config("set", "run.jobs", "3") == ""
    assert mine.config("get", "run.jobs") == "3\n"
    assert mine.config("unset", "run.jobs") == ""
    assert mine.read(CONFIG) == ""

    again = mine.pivot("config", "unset", "run.jobs", code=1)
    assert again.stderr == f"error: run.jobs is not set in {mine.root / CONFIG}\n"
    assert mine.config("get", "cache.dir") == ".pivot/cache\n"
    assert mine.config("get", "cache.dir", cwd=".pivot") == ".pivot/cache\n"


def test_defaults_are_listed(mine: Mine) -> None:
    listed = rows(mine.config("list"))

    assert listed["run.jobs"] == ("(none)", "default")
    assert listed["run.keep_going"] == ("false", "default")
    assert {origin for _, origin in listed.values()} == {"default"}


def test_comments_order_and_forms_are_kept(mine: Mine) -> None:
    before = "# Ours\r\n\r\nremotes:   # shared\r\n  origin: 's3://old'   # in Dublin\r\nrun.jobs:   2\r\n# the end"
    (mine.root / CONFIG).write_bytes(before.encode())
    mine.config("set", "remotes.origin", ORIGIN)
    mine.config("set", "cache.dir", "../the cache: # 1")
    mine.config("unset", "run.jobs")

    assert (mine.root / CONFIG).read_bytes().decode() == (
        f"# Ours\r\n\r\nremotes:   # shared\r\n  origin: {ORIGIN}   # in Dublin\r\n# the end\r\n"
        'cache.dir: "../the cache: # 1"'
    )
    assert mine.config("get", "cache.dir") == "../the cache: # 1\n"


def test_global(mine: Mine, tmp_path: pathlib.Path) -> None:
    mine.config("set", "--global", "run.jobs", "2")
    assert mine.user.read_text() == "run.jobs: 2\n"
    assert not (mine.root / CONFIG).exists()
    mine.config("set", "run.jobs", "3")

    assert (mine.config("get", "run.jobs"), mine.config("get", "--global", "run.jobs")) == ("3\n", "2\n")
    assert mine.config("list", "--global") == f"run.jobs  2  your own file {mine.user}:1\n"
    assert mine.pivot("config", "get", "--global", "cache.dir", code=1).stdout == ""
    mine.config("unset", "--global", "run.jobs")
    assert mine.user.read_text() == ""
    assert mine.config("list", "--global") == ""
    refused = mine.pivot("config", "unset", "--global", "run.jobs", code=1)
    assert refused.stderr.endswith(f"hint: it is set by the project's file {mine.root / CONFIG}:1\n")


def test_outside_a_project(mine: Mine) -> None:
    shutil.rmtree(mine.root / ".pivot")
    mine.config("set", "--global", "run.jobs", "2")

    assert mine.config("get", "run.jobs") == "2\n"
    assert rows(mine.config("list"))["run.jobs"] == ("2", f"your own file {mine.user}:1")
    assert "run 'pivot init'" in mine.pivot("config", "set", "run.jobs", "2", code=2).stderr
    assert "run 'pivot init'" in mine.pivot("config", "unset", "run.jobs", code=2).stderr


def test_the_home_without_xdg(mine: Mine) -> None:
    home = {"XDG_CONFIG_HOME": "", "HOME": str(mine.home)}
    mine.config("set", "--global", "run.jobs", "2", env=home)

    assert (mine.home / ".config/pivot/config.yaml").read_text() == "run.jobs: 2\n"
    assert mine.config("get", "run.jobs", env=home) == "2\n"


def test_json(mine: Mine) -> None:
    mine.config("set", "--global", "run.keep_going", "yes")
    said = {"key": "run.jobs", "value": 3, "origin": "project", "source": str(mine.root / CONFIG), "line": 1}
    default = {"key": "run.jobs", "value": None, "origin": "default", "source": None, "line": None}

    assert mine.json("config", "set", "--json", "run.jobs", "3") == said
    assert mine.json("config", "get", "--json", "run.jobs") == said
    assert mine.json("config", "get", "--json", "run.jobs", env={"PIVOT_RUN_JOBS": "4"}) == (
        said | {"value": 4, "origin": "environment", "source": "PIVOT_RUN_JOBS", "line": None}
    )
    listed = mine.json("config", "list", "--json")
    assert listed["problems"] == []
    assert said in listed["settings"]
    own = {"key": "run.keep_going", "value": True, "origin": "user", "source": str(mine.user), "line": 1}
    assert own in listed["settings"]
    assert mine.json("config", "list", "--json", "--global") == {"settings": [own], "problems": []}
    assert mine.json("config", "unset", "--json", "run.jobs") == {"removed": True, "now": default}
    assert mine.json("config", "unset", "--json", "run.jobs", code=1) == {"removed": False, "now": default}
    assert mine.json("config", "get", "--json", "run.jobs", code=1) == default


@pytest.mark.parametrize("strongest", ["default", "user", "project", "environment"])
def test_precedence_and_origins(mine: Mine, strongest: str) -> None:
    layers = ["default", "user", "project", "environment"]
    there = layers[: layers.index(strongest) + 1]
    if "user" in there:
        mine.config("set", "--global", "remote.jobs", "2")
    if "project" in there:
        mine.config("set", "remote.jobs", "3")
    env = {"PIVOT_REMOTE_JOBS": "4"} if "environment" in there else {}
    expected = {
        "default": ("20", "default"),
        "user": ("2", f"your own file {mine.user}:1"),
        "project": ("3", f"the project's file {mine.root / CONFIG}:1"),
        "environment": ("4", "the variable PIVOT_REMOTE_JOBS"),
    }[strongest]

    assert rows(mine.config("list", env=env))["remote.jobs"] == expected
    assert mine.config("get", "remote.jobs", env=env) == f"{expected[0]}\n"
    assert mine.json("config", "get", "remote.jobs", "--json", env=env)["origin"] == strongest


def test_the_setting_that_overrides_a_change_is_reported(mine: Mine) -> None:
    told = mine.pivot("config", "set", "run.jobs", "3", env={"PIVOT_RUN_JOBS": "4"}).stderr
    assert told == "warning: the variable PIVOT_RUN_JOBS sets run.jobs, too, and overrides this value\n"
    told = mine.pivot("config", "set", "--global", "run.jobs", "2").stderr
    assert told == f"warning: the project's file {mine.root / CONFIG}:1 sets run.jobs, too, and overrides this value\n"
    assert mine.pivot("config", "set", "run.jobs", "5").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told", "hint"),
    [
        (["set", "cash.dir", "x"], "cash.dir: this key is not known", "did you mean cache.dir?"),
        (["set", "remote.origin", "s3://x"], "remote.origin: this key is not known", "did you mean remotes.origin?"),
        (["get", "run.job"], "run.job: this key is not known", "did you mean run.jobs?"),
        (["unset", "run.job"], "run.job: this key is not known", "did you mean run.jobs?"),
        (["set", "run.jobs", "many"], "'many' is not a whole number", "a number of at least 1"),
        (["set", "cache.checkout_mode", "x"], "'x' is not one of", "one of copy, hardlink, symlink"),
        (["set", "remotes.x", "ftp://b/p"], "must be an S3 path, s3://bucket/prefix", "s3://bucket/prefix"),
        (["set", "remotes.x", "s3://Bucket/p"], "remotes.x: 'Bucket' cannot be the name of an S3 bucket", "3 to 63"),
        (["set", "remotes.x", "gs://B/p"], "remotes.x: 'B' cannot be the name of a bucket of Google", "3 to 63"),
        (["set", "remotes.x", "file://drive"], "the path of a file:// remote is relative", "file:///absolute/path"),
        (["get", "remotes.a.b"], "'a.b' is not a name", "remotes.<name>"),
        (["sett", "a", "b"], "No such command 'sett'. Did you mean set or unset?", "pivot config --help"),
        (["set", "run.jobs"], "Missing argument 'VALUE'", "pivot config set --help"),
    ],
)
def test_wrong_usage(mine: Mine, arguments: list[str], told: str, hint: str) -> None:
    done = mine.pivot("config", *arguments, code=2)

    assert told in done.stderr
    assert hint in done.stderr
    assert not (mine.root / CONFIG).exists()


def test_changes_at_once_are_all_kept(mine: Mine) -> None:
    names = [f"remotes.r{number}" for number in range(6)]
    running = [
        subprocess.Popen([PIVOT, "config", "set", name, ORIGIN], cwd=mine.root, stdin=subprocess.DEVNULL)
        for name in names
    ]

    assert [process.wait(60) for process in running] == [0] * 6
    assert sorted(mine.read(CONFIG).splitlines()) == [f"{name}: {ORIGIN}" for name in names]
    assert sorted(os.listdir(mine.root / ".pivot")) == [".gitignore", "config.yaml", "stages"]


# -- broken configurations

BROKEN = "# ours\nrun.jobs: many\ncash.dir: x\nremote.jobs: 7\n"


@pytest.mark.parametrize("where", ["project", "user"])
def test_a_broken_configuration_is_reported_and_repaired(quick: Project, where: str) -> None:
    mine = Mine(quick.root)
    file = mine.root / CONFIG if where == "project" else mine.user
    scope = [] if where == "project" else ["--global"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(BROKEN)

    for command in (["repro"], ["status"], ["checkout"], ["remote", "list"], ["config", "get", "run.jobs"]):
        done = mine.pivot(*command, code=2)
        assert f"error: run.jobs: 'many' is not a whole number (at least 1) @ {file}:2\nhint: " in done.stderr
    listed = mine.pivot("config", "list", code=2)
    assert rows(listed.stdout)["remote.jobs"][0] == "7"
    assert f"error: cash.dir: this key is not known @ {file}:3\nhint: did you mean cache.dir?\n" in listed.stderr
    assert [(each["key"], each["line"]) for each in mine.json("config", "list", "--json", code=2)["problems"]] == [
        ("run.jobs", 2),
        ("cash.dir", 3),
    ]

    good = mine.pivot("config", "get", "remote.jobs")
    assert good.stdout == "7\n"
    assert f"warning: cash.dir: this key is not known @ {file}:3\n" in good.stderr
    mine.config("unset", *scope, "cash.dir")
    mine.config("set", *scope, "run.jobs", "2")
    assert file.read_text() == "# ours\nrun.jobs: 2\nremote.jobs: 7\n"
    assert "2 ran" in mine.pivot("repro").stdout


def test_invalid_yaml_is_refused(mine: Mine) -> None:
    mine.write(CONFIG, "remote.jobs: 7\ncache.dir: [\nrun.jobs: 2\n")
    place = f"@ {mine.root / CONFIG}:2\n"

    for arguments in (["get", "run.jobs"], ["list"], ["set", "snapshot", "on"], ["unset", "remote.jobs"]):
        assert place in mine.pivot("config", *arguments, code=2).stderr
    mine.config("unset", "cache.dir")
    assert mine.read(CONFIG) == "remote.jobs: 7\nrun.jobs: 2\n"


def test_a_form_that_cannot_be_changed(mine: Mine) -> None:
    mine.write(CONFIG, "{run.jobs: 2, remote.jobs: 3}\n")

    done = mine.pivot("config", "unset", "run.jobs", code=2)
    assert f"@ {mine.root / CONFIG}:1\nhint: repair the file by hand" in done.stderr
    assert mine.read(CONFIG) == "{run.jobs: 2, remote.jobs: 3}\n"
    mine.config("set", "run.jobs", "4")
    assert mine.read(CONFIG) == "{run.jobs: 4, remote.jobs: 3}\n"


def test_a_variable_that_is_wrong(quick: Project) -> None:
    done = quick.pivot("status", code=2, env={"PIVOT_RUN_JOBS": "none"})

    assert "error: run.jobs: 'none' is not a whole number (at least 1) @ PIVOT_RUN_JOBS\n" in done.stderr


# -- remotes


def test_remotes(mine: Mine) -> None:
    none = mine.pivot("remote", "list")
    assert (none.stdout, "pivot remote add NAME" in none.stderr) == ("", True)

    assert mine.pivot("remote", "add", "origin", ORIGIN).stdout == "Added origin\n"
    assert mine.pivot("remote", "add", "backup", "s3://backup", "--default").stdout == "Added backup\n"
    assert mine.pivot("remote", "add", "own", "s3://own", "--global").stdout == "Added own\n"
    assert mine.user.read_text() == "remotes.own: s3://own\n"
    assert mine.read(CONFIG) == f"remotes.origin: {ORIGIN}\nremotes.backup: s3://backup\ndefault_remote: backup\n"
    assert mine.json("remote", "list", "--json")["remotes"][0] == {
        "name": "backup",
        "url": "s3://backup",
        "default": True,
        "origin": "project",
        "source": str(mine.root / CONFIG),
        "line": 2,
    }

    assert mine.pivot("remote", "rename", "backup", "main").stdout == "Renamed backup to main\n"
    assert mine.read(CONFIG) == f"remotes.origin: {ORIGIN}\nremotes.main: s3://backup\ndefault_remote: main\n"
    removed = mine.pivot("remote", "remove", "main")
    assert (removed.stdout, removed.stderr) == ("Removed main\n", "")
    assert mine.read(CONFIG) == f"remotes.origin: {ORIGIN}\n"
    mine.pivot("remote", "rename", "own", "mine", "--global")
    assert mine.pivot("remote", "list").stdout == f"mine    s3://own\norigin  {ORIGIN}\n"
    mine.pivot("remote", "remove", "mine", "--global")
    assert mine.pivot("remote", "list").stdout == f"origin  {ORIGIN}  (default)\n"


@pytest.mark.parametrize(
    ("arguments", "told", "hint"),
    [
        (["add", "origin", "s3://other"], f"there is a remote 'origin' already, {ORIGIN}", "config set remotes.origin"),
        (
            ["add", "new", "ftp://h"],
            "must be an S3 path, s3://bucket/prefix, or begin with one of gs://",
            "file:///abs",
        ),
        (["add", "new", "/data"], "a directory is a remote by its URL, file:///absolute/path", "file:///abs"),
        (["add", "a.b", "s3://b"], "'a.b' is not a name", "hint: "),
        (["remove", "orign"], "no remote is named 'orign'", "configured: origin, own"),
        (["remove", "own"], "the remote 'own' is not configured there", "add --global"),
        (["remove", "origin", "--global"], "the remote 'origin' is not configured there", "remove --global"),
        (["rename", "origin", "own"], "there is a remote 'own' already", "pivot remote list"),
        (["rename", "nothing", "x"], "no remote is named 'nothing'", "configured: origin, own"),
        (["rename", "origin", "a b"], "'a b' is not a name", "hint: "),
        (["lst"], "No such command 'lst'. Did you mean list?", "pivot remote --help"),
    ],
)
def test_remotes_that_are_refused(mine: Mine, arguments: list[str], told: str, hint: str) -> None:
    mine.pivot("remote", "add", "origin", ORIGIN)
    mine.pivot("remote", "add", "own", "s3://own", "--global")
    before = mine.snapshot()
    done = mine.pivot("remote", *arguments, code=2)

    assert told in done.stderr
    assert hint in done.stderr
    assert mine.snapshot() == before


def test_a_default_remote_that_is_not_there(mine: Mine) -> None:
    concern = "warning: default_remote is 'origin', but no remote of that name is configured\n"

    assert mine.pivot("config", "set", "default_remote", "origin").stderr == concern
    assert concern in mine.pivot("config", "list").stderr
    assert concern in mine.pivot("remote", "list").stderr
    assert mine.pivot("config", "set", "remotes.origin", ORIGIN).stderr == ""
    assert mine.pivot("config", "unset", "remotes.origin").stderr == concern


# -- what asks for it

STAGES = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def fails() -> Annotated[str, pivot.Out("fails.txt", Text())]:
    raise ValueError


@pipeline.register
def works() -> Annotated[str, pivot.Out("works.txt", Text())]:
    return "done"
"""


@pytest.mark.parametrize(
    ("config", "env", "options", "goes_on"),
    [
        ("", {}, [], False),
        ("run.keep_going: true\n", {}, [], True),
        ("run.keep_going: true\n", {"PIVOT_RUN_KEEP_GOING": "off"}, [], False),
        ("", {"PIVOT_RUN_KEEP_GOING": "on"}, ["--no-keep-going"], False),
        ("run.keep_going: false\n", {}, ["--keep-going"], True),
        ("run.keep_going: false\n", {"PIVOT_RUN_KEEP_GOING": "off"}, ["-k"], True),
    ],
)
def test_keep_going(
    make: Callable[[str], Project], config: str, env: dict[str, str], options: list[str], goes_on: bool
) -> None:
    project = make(STAGES)
    project.write(CONFIG, f"run.jobs: 1\n{config}")
    project.pivot("repro", *options, env=env, code=1)

    assert (project.root / "works.txt").exists() == goes_on


def test_reading_simple_lines_does_not_import_yaml(mine: Mine) -> None:
    mine.write(CONFIG, f"# ours\nremotes.origin: {ORIGIN}  # in Dublin\nrun.jobs: 2\n")
    loaded = mine.pivot("config", "get", "run.jobs", env={"PYTHONVERBOSE": "", "PYTHONPROFILEIMPORTTIME": "1"}).stderr

    assert "pivot_runtime.config.settings" in loaded
    assert "yaml" not in {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}
