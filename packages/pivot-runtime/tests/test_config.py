"""The settings: keys and values, what overrides what, and what is wrong with it."""

import itertools
import pathlib
from typing import Annotated, Any

import pytest
from workshop import Deferred, Workshop, parts_of

from pivot_cache.files.signatures import stat_signature
from pivot_cache.layout import DEFAULT_CACHE, Layout
from pivot_cache.objects.store import CheckoutMode
from pivot_cache.remotes import entry_points
from pivot_core.errors import DiscoveryError
from pivot_core.loaders import Text
from pivot_core.stages.annotations import Dep, Out
from pivot_runtime.config import keys, remotes, settings
from pivot_runtime.config.keys import KEYS
from pivot_runtime.config.settings import Settings, SettingSource, Strictness, WorkerStart, user_file
from pivot_runtime.config.store import ConfigStore
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ConfigError
from pivot_runtime.executors.base import Executor
from pivot_runtime.project.project import Project


class Places:
    """A project's file, a user's file and an environment."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.root = directory / "project"
        self.project = self.root / ".pivot/config.yaml"
        self.project.parent.mkdir(parents=True)
        self.environment = {"XDG_CONFIG_HOME": str(directory / "home")}
        self.user = directory / "home/pivot/config.yaml"

    def says(self, project: str | None = None, user: str | None = None, **environment: str) -> None:
        for file, text in ((self.project, project), (self.user, user)):
            if text is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        self.environment |= environment

    def resolved(self) -> Settings:
        return CommandContext(Project(self.root, self.root), self.environment).settings

    def wrong(self) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.resolved()
        return caught.value

    def configuration(self) -> ConfigStore:
        return ConfigStore(self.root, self.environment)


@pytest.fixture
def places(tmp_path: pathlib.Path) -> Places:
    return Places(tmp_path)


# -- keys and values


def test_the_keys_are_sorted_and_each_attribute_has_one() -> None:
    assert [key.name for key in KEYS] == sorted(key.name for key in KEYS)
    assert sorted(key.attribute for key in KEYS) == sorted(Settings._fields)


def test_every_default_is_one_of_the_values() -> None:
    for key in KEYS:
        if key.default is not None:
            assert key.kind.parse(key.kind.show(key.default)) == key.default


def test_no_two_keys_have_one_variable() -> None:
    variables = [keys.variable(key.family or key.name) for key in KEYS]
    families = [keys.variable(key.family) for key in KEYS if key.family]

    assert not [
        (one, family)
        for one, family in itertools.product(variables, families)
        if one.startswith(family) and one != family
    ]
    assert len(set(variables)) == len(variables)


EVERY_KEY: list[tuple[str, str, str, Any]] = [
    ("cache.checkout_mode", "symlink", "checkout_mode", CheckoutMode.SYMLINK),
    ("cache.fsync", "all", "fsync", settings.Fsync.ALL),
    ("cache.dir", "../shared cache", "cache_dir", "../shared cache"),
    ("cache.trash_days", "7", "trash_days", 7),
    ("cache.keep_runs_days", "0", "keep_runs_days", 0),
    ("cache.sha256", "true", "sha256", True),
    ("default_remote", "origin", "default_remote", "origin"),
    ("executor", "dask://head.example:8786", "executor", "dask://head.example:8786"),
    ("executor", "local", "executor", "local"),
    ("executor.shared", "/shared/pivot", "executor_shared", "/shared/pivot"),
    ("git.ignore_outs", "no", "ignore_outs", False),
    ("fingerprint.library_versions", "off", "library_versions", settings.VersionPolicy.OFF),
    ("remote.jobs", "40", "remote_jobs", 40),
    ("remote.read_only", "origin, b-2_c", "read_only", ("origin", "b-2_c")),
    ("remote.timeout", "7.5", "remote_timeout", 7.5),
    ("remote.run_cache", "true", "remote_run_cache", True),
    ("remotes.origin", "s3://bucket/prefix", "remotes", {"origin": "s3://bucket/prefix"}),
    ("remotes.b-2_c", "S3://bucket", "remotes", {"b-2_c": "S3://bucket"}),
    ("resources.gpu", "2", "resources", {"gpu": 2}),
    ("resources.memory", "16 GiB", "resources", {"memory": 16 << 30}),
    ("run.jobs", "007", "run_jobs", 7),
    ("run.keep_going", "Yes", "keep_going", True),
    ("run.silence", "0", "silence_seconds", 0),
    ("snapshot", "off", "snapshot", False),
    ("strict_io.level", "error", "strict_io_level", Strictness.ERROR),
    ("warm", "on", "warm", True),
    ("strict_io.ignore", "tmp/, *.log", "strict_io_ignore", "tmp/, *.log"),
    ("watch.debounce", "0", "debounce_ms", 0),
    ("worker.include", "templates/, *.sql", "worker_include", "templates/, *.sql"),
    ("worker.start", "spawn", "worker_start", WorkerStart.SPAWN),
]


@pytest.mark.parametrize(("name", "text", "attribute", "value"), EVERY_KEY)
@pytest.mark.parametrize("where", ["project", "nested", "user", "environment", "set"])
def test_every_key_everywhere(places: Places, name: str, text: str, attribute: str, value: Any, where: str) -> None:
    section, dot, last = name.partition(".")
    match where:
        case "nested":
            places.says(project=f"{section}:\n  {last}: {text}\n" if dot else f"{name}: {text}\n")
        case "environment":
            places.says(project="remotes.b-2_c: s3://old\n", **{keys.variable(name): text})
            value = {"b-2_c": "s3://old", **value} if attribute == "remotes" else value
        case "set":
            places.configuration().assign(name, text)
        case _:
            places.says(**{where: f"{name}: {text}\n"})

    resolved = places.resolved()
    assert getattr(resolved, attribute) == value
    if where != "environment" or attribute != "remotes":
        assert resolved._replace(**{attribute: getattr(Settings(), attribute)}) in (
            Settings(),
            Settings(remotes={"b-2_c": "s3://old"}),
        )


def test_every_key_is_tried() -> None:
    assert {attribute for _, _, attribute, _ in EVERY_KEY} == set(Settings._fields)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("cache.checkout_mode", "move", "'move' is not one of copy, hardlink, symlink"),
        ("cache.dir", "", "is not the path of a directory"),
        ("cache.dir", "a\nb", "is not the path of a directory"),
        ("executor", "head:8786", "it is neither local nor an address"),
        ("executor", "dask://", "it is neither local nor an address"),
        ("executor", "dask://a b", "it is neither local nor an address"),
        ("executor.shared", "shared", "'shared' is not an absolute path"),
        ("run.jobs", "0", r"'0' is not a whole number \(at least 1\)"),
        ("remote.timeout", "0", r"'0' is not a number of seconds \(at least 0.1\)"),
        ("remote.timeout", "1e3", "is not a number of seconds"),
        ("run.jobs", "-1", "is not a whole number"),
        ("run.jobs", "1_0", "is not a whole number"),
        ("run.jobs", "2.0", "is not a whole number"),
        ("run.jobs", "٣", "is not a whole number"),
        ("run.jobs", "9" * 5000, "is not a whole number"),
        ("run.keep_going", "maybe", "is neither true nor false"),
        ("snapshot", "", "is neither on nor off"),
        ("default_remote", "a b", "is not a name"),
        ("resources.memory", "16 G", "'16 G' is neither a whole number .at least 1. nor a size"),
        ("remotes.a.b", "s3://bucket", "'a.b' is not a name"),
        ("remotes.", "s3://bucket", "is not a name"),
        ("remotes.x", "ftp://bucket", "must be an S3 path, s3://bucket/prefix"),
        ("remotes.x", "gs://", "is gs://bucket/prefix, without credentials"),
        ("remotes.x", "https://me:hunter2@host/x", "is https://host/path, without credentials"),
        ("remotes.x", "file:///a\nb", "file:///absolute/path, is printable"),
        ("remotes.x", "bucket/prefix", "must be an S3 path"),
        ("remotes.x", "~/data", "a directory is a remote by its URL, file:///absolute/path"),
        ("remotes.x", "sftp://host/data", "sftp:// is no URL of a remote: it is ssh://user@host:port/path here"),
        ("remotes.x", "s3a://bucket", "s3a:// is no URL of a remote: it is s3://bucket/prefix here"),
        ("remotes.x", "s3://", "s3://bucket/prefix"),
        ("remotes.x", "s3:///prefix", "s3://bucket/prefix"),
        ("remotes.x", "s3://b/a b", "has no spaces"),
        ("remotes.x", "ssh://me:secret@host/data", "ssh://user@host:port/path, without credentials"),
        ("fingerprint.package", "off", "this key is not known"),
        ("remotes", "s3://b", "this key is not known"),
        ("remotes.<name>", "s3://b", "is not a name"),
    ],
)
def test_what_is_refused(places: Places, name: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        places.configuration().assign(name, text)

    assert caught.value.key == name
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert not places.project.exists()


@pytest.mark.parametrize("url", ["s3://key:hunter2@bucket/x", "https://key:hunter2@host/x", "s3://bucket:hunter2/x"])
def test_no_secret_is_repeated(places: Places, url: str) -> None:
    places.says(project=f"remotes.origin: {url}\n")
    error = places.wrong()

    assert "hunter2" not in f"{error} {error.hint} {error.problem}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("remote.origin", "remotes.origin"),
        ("jobs", "run.jobs"),
        ("default-remote", "default_remote"),
        ("cache.dri", "cache.dir"),
        ("cache.grace", "cache.trash_days"),
        ("cache.retention", "cache.keep_runs_days"),
        ("cache.strong_digest", "cache.sha256"),
        ("fingerprint.packages", "fingerprint.library_versions"),
        ("remote.share_runs", "remote.run_cache"),
        ("strict_io", "strict_io.level"),
        ("strict_io_ignore", "strict_io.ignore"),
    ],
)
def test_similar_keys_are_suggested(name: str, meant: str) -> None:
    assert keys.suggest_key(name) == f"did you mean {meant}?"


def test_nothing_is_like_it() -> None:
    assert keys.suggest_key("zzz").startswith("known keys: cache.checkout_mode, ")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, None),
        (".pivot/cache", None),
        ("./.pivot/cache/", None),
        ("../shared", "/home/me/shared"),
        ("/data/cache", "/data/cache"),
        ("~/cache", "/home/you/cache"),
    ],
)
def test_the_directory_of_the_cache(written: str | None, meant: str | None) -> None:
    root = pathlib.Path("/home/me/project")
    resolved = Settings() if written is None else Settings(cache_dir=written)

    assert resolved.cache_home(root, {"HOME": "/home/you"}) == (None if meant is None else pathlib.Path(meant))
    assert Layout(root).cache_dir == root / DEFAULT_CACHE


# -- what wins


@pytest.mark.parametrize("layers", list(itertools.product([False, True], repeat=3)))
def test_precedence(places: Places, layers: tuple[bool, bool, bool]) -> None:
    user, project, environment = layers
    places.says(
        user="run.jobs: 2\nremote.jobs: 5\n" if user else None,
        project="\nrun.jobs: 3\n" if project else None,
        **({"PIVOT_RUN_JOBS": "4"} if environment else {}),
    )
    setting = places.configuration().read().get("run.jobs")
    expected: list[tuple[int | None, SettingSource, str, int | None]] = [
        (4, SettingSource.ENVIRONMENT, "PIVOT_RUN_JOBS", None),
        (3, SettingSource.PROJECT, str(places.project), 2),
        (2, SettingSource.USER, str(places.user), 1),
        (None, SettingSource.DEFAULT, "", None),
    ]
    strongest = [environment, project, user, True].index(True)

    assert (setting.value, setting.origin, setting.source, setting.line) == expected[strongest]
    assert places.resolved().run_jobs == expected[strongest][0]
    assert places.resolved().remote_jobs == (5 if user else 20)


def test_families_are_joined_by_name(places: Places) -> None:
    places.says(
        user="remotes.a: s3://user\nremotes.b: s3://user\n",
        project="remotes:\n  b: s3://project\n  c-d: s3://project\n",
        PIVOT_REMOTES_C_D="s3://environment",
        PIVOT_REMOTES_NEW="s3://environment",
        PIVOT_REMOTES_="s3://nobody",
    )

    with pytest.raises(ConfigError, match=r"'' is not a name.* PIVOT_REMOTES_"):
        places.resolved()
    del places.environment["PIVOT_REMOTES_"]
    assert places.resolved().remotes == {
        "a": "s3://user",
        "b": "s3://project",
        "c-d": "s3://environment",
        "new": "s3://environment",
    }


def test_an_empty_variable_says_nothing(places: Places) -> None:
    places.says(project="run.jobs: 3\n", PIVOT_RUN_JOBS="", PIVOT_REMOTES_X="", PIVOT_DEBUG="1")

    assert places.resolved() == Settings(run_jobs=3)


@pytest.mark.parametrize(
    ("environment", "file"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/home/me"}, "/x/pivot/config.yaml"),
        ({"XDG_CONFIG_HOME": "", "HOME": "/home/me"}, "/home/me/.config/pivot/config.yaml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/home/me"}, "/home/me/.config/pivot/config.yaml"),
        ({"HOME": "/home/me"}, "/home/me/.config/pivot/config.yaml"),
        ({}, None),
    ],
)
def test_the_path_of_the_users_file(environment: dict[str, str], file: str | None) -> None:
    assert user_file(environment) == (None if file is None else pathlib.Path(file))


def test_a_user_without_a_home(places: Places) -> None:
    configuration = ConfigStore(places.root, {})

    assert list(configuration.read(user=True).explicit) == []
    with pytest.raises(ConfigError, match="no directory") as caught:
        configuration.assign("run.jobs", "1", user=True)
    assert caught.value.hint == "set HOME or XDG_CONFIG_HOME"


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "line", "key", "told"),
    [
        ("# ours\nrun.job: 3\n", 2, "run.job", "this key is not known"),
        ("run.jobs: many\n", 1, "run.jobs", "'many' is not a whole number"),
        ("run:\n  jobs: 1\n\nrun.jobs: 2\n", 4, "run.jobs", "occurs twice, first in line 2"),
        ("run.jobs:\n", 1, "run.jobs", "'' is not a whole number"),
        ("run.jobs: [1]\n", 1, "run.jobs", "must be a single string or number"),
        ("other: [1]\n", 1, "other", "this key is not known"),
        ("remotes:\n  - s3://b\n", 1, "remotes", "this key is not known"),
        ("snapshot: on\nrun.jobs: [1\n", 2, "", "this is not YAML"),
        ("- a\n", 1, "", "it must contain keys and values"),
    ],
)
@pytest.mark.parametrize("where", ["project", "user"])
def test_wrong_files(places: Places, text: str, line: int, key: str, told: str, where: str) -> None:
    places.says(**{where: text})
    error = places.wrong()

    assert told in error.problem
    assert error.hint
    assert (error.key, error.line, error.source) == (key, line, str(getattr(places, where)))
    assert str(error).endswith(f" @ {getattr(places, where)}:{line}")


def test_a_section_that_holds_nothing_is_nothing(places: Places) -> None:
    places.says(project="remotes:\n# none yet\nrun: {}\n")

    assert places.resolved() == Settings()


def test_files_that_cannot_be_read(places: Places) -> None:
    places.project.write_bytes(b"run.jobs: 1 # \xff\n")
    assert str(places.wrong()) == f"it is not UTF-8 @ {places.project}"
    places.project.unlink()
    places.project.mkdir()
    assert "cannot be read" in str(places.wrong())


def test_all_invalid_entries_are_found(places: Places) -> None:
    places.says(project="a: 1\nrun.jobs: 0\nremote.jobs: 7\n", user="b: 1\n", PIVOT_SNAPSHOT="maybe")
    found = places.configuration().read()

    assert [(error.key, error.line) for error in found.problems] == [
        ("b", 1),
        ("a", 1),
        ("run.jobs", 2),
        ("snapshot", None),
    ]
    assert found.get("remote.jobs").value == 7
    with pytest.raises(ConfigError, match="not a whole number"):
        found.get("run.jobs")


# -- remotes that are meant


@pytest.mark.parametrize(
    ("text", "refused"),
    [("", set()), ("false", set()), ("yes", {"a", "b"}), ("b", {"b"}), ("other, a", {"a"}), ("a,b", {"a", "b"})],
)
def test_remotes_that_are_only_read(places: Places, text: str, refused: set[str]) -> None:
    places.says(project="remotes.a: s3://a\nremotes.b: s3://b\n", PIVOT_REMOTE_READ_ONLY=text)

    for name in "ab":
        if name in refused:
            with pytest.raises(ConfigError, match=f"'{name}' is read-only: nothing was pushed"):
                places.resolved().check_writable(name)
        else:
            places.resolved().check_writable(name)


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("remotes.a: s3://a\n", None, "s3://a"),
        ("remotes.a: s3://a\nremotes.b: s3://b\n", "b", "s3://b"),
        ("remotes.a: s3://a\nremotes.b: s3://b\ndefault_remote: b\n", None, "s3://b"),
        ("remotes.a: s3://a\nremotes.b: s3://b\ndefault_remote: b\n", "a", "s3://a"),
    ],
)
def test_the_remote_that_is_meant(places: Places, text: str, name: str | None, url: str) -> None:
    places.says(project=text)

    assert places.resolved().remote_url(name) == url


@pytest.mark.parametrize(
    ("text", "name", "told", "hint"),
    [
        ("", None, "no remote is configured", "pivot remote add"),
        ("", "a", "no remote is configured", "pivot remote add"),
        ("remotes.a: s3://a\n", "b", "no remote is named 'b'", "configured: a"),
        ("remotes.a: s3://a\ndefault_remote: b\n", None, "named 'b', which default_remote names", "configured: a"),
        ("remotes.a: s3://a\ndefault_remote: a\n", "", "no remote is named ''$", "configured: a"),
        ("remotes.a: s3://a\nremotes.b: s3://b\n", None, "several remotes are configured .a, b.", "default_remote"),
    ],
)
def test_no_remote_is_meant(places: Places, text: str, name: str | None, told: str, hint: str) -> None:
    places.says(project=text)

    with pytest.raises(ConfigError, match=told) as caught:
        places.resolved().remote_url(name)
    assert hint in str(caught.value.hint)


def test_renaming_looks_at_the_file_that_is_meant(places: Places) -> None:
    places.says(user="remotes.a: s3://a\n", project="default_remote: a\n", PIVOT_REMOTES_E="s3://e")
    configuration = places.configuration()

    for name, hint in (("a", "--global"), ("e", "PIVOT_REMOTES_E"), ("zzz", "configured: a, e")):
        with pytest.raises(ConfigError) as caught:
            remotes.rename(configuration, name, "b")
        assert hint in str(caught.value.hint)
    with pytest.raises(ConfigError, match="already"):
        remotes.rename(configuration, "a", "e", user=True)
    with pytest.raises(ConfigError, match="is not a name"):
        remotes.rename(configuration, "a", "b c", user=True)
    remotes.rename(configuration, "a", "b", user=True)
    assert places.user.read_text() == "remotes.b: s3://a\n"
    assert places.project.read_text() == "default_remote: a\n"


def test_a_remote_whose_package_is_not_installed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with the name of the package and of the extra; one on S3 may be configured first."""

    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(entry_points, "load_entry_point", nothing)
    for url, extra in (("gs://bucket", "pivot[gcs]"), ("az://container", "pivot[azure]"), ("file:///x", "[remotes]")):
        with pytest.raises(ConfigError, match="URLs need the package pivot-remote-obstore") as caught:
            remotes.add(places.configuration(), "x", url)
        assert extra in str(caught.value.hint)
    remotes.add(places.configuration(), "x", "s3://bucket")
    assert places.project.read_text() == "remotes.x: s3://bucket\n"


# -- files


def test_setting_what_is_set_writes_nothing(places: Places) -> None:
    places.says(project="run.jobs: 3\n")
    before = stat_signature(places.project.stat())
    places.configuration().assign("run.jobs", "3")

    assert stat_signature(places.project.stat()) == before


def test_a_link_stays_one_and_the_mode_is_kept(places: Places, tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "dotfiles/pivot.yaml"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    kept.chmod(0o640)
    places.user.parent.mkdir(parents=True)
    places.user.symlink_to(kept)
    places.configuration().assign("run.jobs", "3", user=True)

    assert places.user.is_symlink()
    assert kept.read_text() == "# mine\nrun.jobs: 3\n"
    assert kept.stat().st_mode & 0o777 == 0o640
    assert list(kept.parent.iterdir()) == [kept]


def test_outside_a_project(tmp_path: pathlib.Path) -> None:
    configuration = ConfigStore(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "home")})
    configuration.assign("run.jobs", "3", user=True)

    assert configuration.read().get("run.jobs").origin is SettingSource.USER
    with pytest.raises(DiscoveryError):
        configuration.assign("run.jobs", "3")


# -- what asks for it


def test_jobs_and_keep_going_of_a_run(shop: Workshop) -> None:
    def failing(text: Annotated[str, Dep("in", Text())]) -> Annotated[str, Out("never.txt", Text())]:
        raise ValueError(text)

    shop.add("a", failing)
    for name in ("b", "c", "d"):
        shop.copying(name, "in", f"{name}.txt")
    shop.write("in", "1")
    made: list[Deferred] = []

    def deferred(executor: Executor) -> Executor:
        made.append(Deferred(executor))
        return made[-1]

    shop.write(".pivot/config.yaml", "run.jobs: 2\nrun.keep_going: true\n")
    assert parts_of(shop.run(jobs=None, wrap=deferred)) == {"failed": {"a"}, "ran": {"b", "c", "d"}}
    assert made[-1].most == 2
    shop.run(jobs=3, force=True, wrap=deferred)
    assert made[-1].most == 3
    assert "unstarted" in parts_of(shop.run(jobs=1, force=True, keep_going=False, wrap=deferred))
