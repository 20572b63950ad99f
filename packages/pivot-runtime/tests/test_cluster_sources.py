"""The sources of a project for workers: which files, the same bytes for the same files, and safe extraction."""

import io
import os
import pathlib
import tarfile
import zlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.code import LibraryUse
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import CodeEntry
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.cluster import sources
from pivot_runtime.errors import ConfigError, EngineError
from pivot_runtime.evaluating import expectation
from pivot_runtime.freshness.load_trace import Fact, LoadTrace
from pivot_runtime.loading.loaded import Loaded, LoadedStage, Steady


def write(root: pathlib.Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")


def project(root: pathlib.Path) -> tuple[pathlib.Path, Loaded]:
    """A project with all kinds of files, and a load that knows some of them."""
    write(root, "pipeline.py", "pkg/sub/__init__.py", "pkg/sub/used.py", "pkg/__init__.py", "pkg/other.py")
    write(root, "lazy.py", "read.txt", ".env", "secret/.env", "run.sh", "data/big.bin", "made.py", "outs/a.py")
    write(root, ".git/config", ".pivot/config.yaml", ".pivot/cache/x.py", ".pivotignore", "seen/dynamic.py")
    write(root, ".venv/pyvenv.cfg", ".venv/x.py", "__pycache__/x.py", "extra/a.json", "extra/.env.local", "extra/b.txt")
    write(root.parent, "elsewhere.py")
    (root / "link.py").symlink_to("pkg/other.py")
    (root / "away.py").symlink_to("../elsewhere.py")
    outs = (OutSpec(ArtifactPath("made.py")), OutSpec(ArtifactPath("outs"), directory=True))
    spec = StageSpec(
        "s", "p", "", Location("pipeline.py", 1), outs=outs, named=(ArtifactPath("run.sh"), ArtifactPath("log.txt"))
    )
    code = {"func:f": CodeEntry("0" * 32, Location("pkg/sub/used.py", 1)), "const:x": CodeEntry("0" * 32)}
    trace = LoadTrace(
        (Fact("file", f"{root}/read.txt", "x"), Fact("probe", f"{root}/data/big.bin", "")), (), (), "", ""
    )
    write(root, "log.txt")  # a command names it, and creates it
    names = (
        "pipeline.py",
        "run.sh",
        "link.py",
        "away.py",
        "made.py",
        "outs/a.py",
        ".venv/site-packages/x.py",
        "../elsewhere.py",
    )
    found = {f"{root}/{name}": "x" for name in names} | {f"{root}/params.yaml": "", f"{root}/gone.py": "x"}
    return root, Loaded(1, (LoadedStage(spec, code),), found, trace, read={f"{root}/lazy.py": "x"})


KNOWN = [".pivot/config.yaml", ".pivotignore", "lazy.py", "link.py", "pipeline.py", "pkg/__init__.py"]
KNOWN += ["pkg/sub/__init__.py", "pkg/sub/used.py", "read.txt", "run.sh"]


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


def test_sources_are_the_files_that_the_load_knows_and_nothing_else(root: pathlib.Path) -> None:
    root, loaded = project(root)

    found = sources.collect(root, [loaded])

    assert list(found) == KNOWN
    assert all(file == root / name for name, file in found.items())


def test_code_that_a_run_was_observed_to_use_is_a_source(root: pathlib.Path) -> None:
    root, loaded = project(root)
    (root / ".env").write_text("TOKEN=secret")
    (root.parent / "outside.py").write_text("x = 1")

    found = sources.collect(root, [loaded], observed=["seen/dynamic.py", ".env", "../outside.py"])

    assert set(found) == {*KNOWN, "seen/dynamic.py"}


def test_what_an_import_looked_at_without_reading_it_is_known(root: pathlib.Path) -> None:
    root, loaded = project(root)
    facts = [
        *(("names", "data"), ("names", "pkg"), ("names", "pkg/sub"), ("names", "outs"), ("names", ".git")),
        *(("type", "data/big.bin"), ("probe", "extra/a.json"), ("type", "gone"), ("type", "read.txt")),
    ]
    trace = LoadTrace(tuple(Fact(kind, f"{root}/{name}", "x") for kind, name in facts), (), (), "", "")
    loaded = attrs.evolve(loaded, trace=trace)

    assert sources.looked_at(root, [loaded], KNOWN) == ["data/", "extra/a.json", "pkg/"]
    assert sources.looked_at(root, [loaded], [*KNOWN, "data/big.bin", "pkg/other.py"]) == ["extra/a.json"]
    loaded = attrs.evolve(loaded, trace=trace._replace(facts=(Fact("names", str(root), "x"),)))
    assert sources.looked_at(root, [loaded], KNOWN[:-1]) == ["run.sh"]


def test_patterns_include_further_files_but_no_secrets_outs_or_directories_of_tools(root: pathlib.Path) -> None:
    root, loaded = project(root)

    found = sources.collect(root, [loaded], include=["*", "!extra/b.txt"])

    assert set(found) == {*KNOWN, "pkg/other.py", "data/big.bin", "seen/dynamic.py", "extra/a.json"}


def test_an_env_file_that_the_load_has_read_is_a_source(root: pathlib.Path) -> None:
    root, loaded = project(root)
    loaded = attrs.evolve(loaded, read={f"{root}/.env": "x"})

    assert ".env" in sources.collect(root, [loaded])


def test_a_wrong_pattern_names_its_key(root: pathlib.Path) -> None:
    root, loaded = project(root)

    with pytest.raises(ConfigError, match=r"worker\.include"):
        sources.collect(root, [loaded], include=["a/**b[!", "!"])


def test_equal_files_give_equal_archives(tmp_path: pathlib.Path) -> None:
    for number, directory in enumerate((tmp_path / "one", tmp_path / "two")):
        write(directory, "b.py", "a/c.py")
        (directory / "b.py").chmod(0o755 if number else 0o700)
        os.utime(directory / "b.py", (number, number))

    names = ("b.py", "a/c.py")
    one = sources.pack({name: tmp_path / "one" / name for name in names})
    two = sources.pack({name: tmp_path / "two" / name for name in reversed(names)})

    assert one == two
    (tmp_path / "two/b.py").chmod(0o644)
    assert sources.pack({name: tmp_path / "two" / name for name in names}).digest != one.digest


FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "é", "x y", "\udcff", "b.py"]), min_size=1, max_size=3).map("/".join),
    st.tuples(st.binary(max_size=9), st.booleans()),
    max_size=3,
)


@given(FILES)
def test_extraction_gives_the_files_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, bool]]
) -> None:
    names = {name for name in files if not any(other.startswith(f"{name}/") for other in files)}
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(files[name][0])
        (source / name).chmod(0o755 if files[name][1] else 0o644)

    archive = sources.pack({name: source / name for name in names})
    digests = sources.extract(archive.data, archive.digest, target)

    assert digests == {name: digest_bytes(files[name][0]) for name in names}
    assert all((target / name).read_bytes() == files[name][0] for name in names)
    assert all((target / name).stat().st_mode & 0o100 == (0o100 if files[name][1] else 0) for name in names)


def archive_of(*members: tarfile.TarInfo) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b""))
    return zlib.compress(buffer.getvalue()), digest_bytes(buffer.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    "bad",
    [
        member("../x"),
        member("/etc/x"),
        member("a/../../x"),
        member(".git/config"),
        member(".pivot/stages/p.s.lock"),
        member("./x"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "/etc/passwd"),
        member("fifo", tarfile.FIFOTYPE),
    ],
    ids=lambda made: made.name,
)
def test_an_archive_with_other_paths_is_refused(tmp_path: pathlib.Path, bad: tarfile.TarInfo) -> None:
    target = tmp_path / "target"
    target.mkdir()

    with pytest.raises(sources.ArchiveError):
        sources.extract(*archive_of(bad), target)
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == []


def test_a_damaged_archive_is_refused(tmp_path: pathlib.Path) -> None:
    data, digest = archive_of(member("a.py"))

    for damaged in (b"", data[:-9], zlib.compress(b"no tar")):
        with pytest.raises(sources.ArchiveError):
            sources.extract(damaged, digest, tmp_path)
    with pytest.raises(sources.ArchiveError):
        sources.extract(zlib.compress(b"no tar" * 200), digest_bytes(b"no tar" * 200), tmp_path)


def test_a_file_that_was_removed_is_left_out_and_one_that_is_no_file_is_named(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "a.py")

    assert sources.pack({"a.py": tmp_path / "a.py", "b.py": tmp_path / "b.py"}) == sources.pack(
        {"a.py": tmp_path / "a.py"}
    )
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(EngineError, match=r"pipe\.py cannot be read"):
        sources.pack({"pipe.py": tmp_path / "pipe.py"})


def test_sources_that_are_large_data_are_named(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "a.py")
    (tmp_path / "big.csv").write_bytes(bytes(2_000_000))

    with pytest.raises(EngineError, match=r"have 2 MB, and big\.csv alone 2 MB") as caught:
        sources.pack({name: tmp_path / name for name in ("a.py", "big.csv", "gone")}, most=1_000_000)
    assert "at most 1 MB are sent" in str(caught.value.hint)


STAGE = LoadedStage(
    StageSpec("s", "p", "", Location("p.py", 1), outs=(OutSpec(ArtifactPath("a")),), deps=(ArtifactPath("d"),)),
    {"func:f": CodeEntry("0" * 32, Location("p.py", 1)), "const:m:V": CodeEntry("1" * 32)},
    params={"token": "secret"},
    env={"MODE": "x"},
)


def changed(stage: LoadedStage) -> list[str]:
    ours, theirs = expectation.facts(STAGE, 1), expectation.facts(stage, 1)
    found = expectation.differences(ours, theirs)
    assert (expectation.digest(ours) == expectation.digest(theirs)) is (found == [])
    return found


def test_differences_between_two_loads_are_named_without_values() -> None:
    code = {"func:f": CodeEntry("2" * 32), "const:m:W": CodeEntry("1" * 32)}

    assert changed(attrs.evolve(STAGE, code=code)) == [
        "code m:V is missing there",
        "code m:W exists there only",
        "code f differs",
    ]
    assert changed(attrs.evolve(STAGE, params={"token": "other"}, env={})) == [
        "parameter token differs",
        "variable MODE is missing there",
    ]
    assert changed(attrs.evolve(STAGE, spec=attrs.evolve(STAGE.spec, base="x", deps=(), outs=()))) == [
        "it runs in 'x', not in ''",
        "dep d is missing there",
        "out a is missing there",
    ]
    many = changed(attrs.evolve(STAGE, code={f"func:{number}": CodeEntry("0" * 32) for number in range(12)}))
    assert len(many) == 11
    assert many[-1] == "and 4 more"


def test_neither_places_nor_values_that_differ_by_chance_are_differences() -> None:
    moved = {key: attrs.evolve(entry, location=Location("q.py", 9)) for key, entry in STAGE.code.items()}
    steady = Steady({"const:m:V": "s" * 32}, {})
    by_chance = attrs.evolve(STAGE, steady=steady)
    other = attrs.evolve(by_chance, code={**STAGE.code, "const:m:V": CodeEntry("9" * 32)})

    assert changed(attrs.evolve(STAGE, code=moved)) == []
    assert expectation.differences(expectation.facts(by_chance, 1), expectation.facts(other, 1)) == []


def test_other_versions_are_named() -> None:
    here = expectation.facts(attrs.evolve(STAGE, libraries={"numpy": LibraryUse("2.0"), "a": LibraryUse("1")}), 1)
    there = expectation.facts(attrs.evolve(STAGE, libraries={"numpy": LibraryUse("2.1"), "b": LibraryUse("1")}), 1)

    assert expectation.differences(here, there) == [
        "library a 1 is not installed or not used there",
        "library b 1 is used there only",
        "library numpy is 2.1 there, and 2.0 here",
    ]
    assert expectation.differences(here, {**there, "schema": 2}) == ["fingerprints are of another version"]
