"""The rules of the repository that no other tool checks."""

import ast
import functools
import importlib
import importlib.util
import itertools
import pathlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from parsed_modules import MODULES, NAMES, ROOT, AnyFunction, sources

from pivot_cache.layout import Layout
from pivot_core.values import Value
from pivot_runtime.freshness import noop_cache

PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
SPECS: dict[str, dict[str, Any]] = {
    package.name: tomllib.loads((package / "pyproject.toml").read_text()) for package in PACKAGES
}

DOTTED = re.compile(
    r"(?<![\w./-])pivot_(?:cache|cli|core|dask|fingerprint|loaders|mcp|remote_obstore|remote_s3|remote_ssh|runtime|ui)(?:\.[A-Za-z_]\w*)+"
)
each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)

LONGEST_MODULE = 500
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "setdefault", "update"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

# Written in pieces, or this file would break its own rules.
INDEX_HOSTS = re.compile(rf"\b{'py' + 'pi'}\.org|{'python' + 'hosted'}\.org", re.IGNORECASE)
# An example may speak of /home/me and /home/you.
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:(?:root|work)/\w|(?:home|Users)/(?!me\b|you\b)\w)")


def requirements(spec: dict[str, Any]) -> list[Requirement]:
    """The requirements of a package: dependencies, extras and build backend."""
    project = spec["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *spec["build-system"]["requires"], *(line for lines in extras for line in lines)]
    return [Requirement(line) for line in lines]


@functools.cache
def tracked() -> dict[str, str]:
    """The text files that git tracks: path → text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            texts[name] = data.decode()
    return texts


def first_matches(pattern: re.Pattern[str], texts: dict[str, str]) -> dict[str, str]:
    return {name: match.group() for name, text in texts.items() if (match := pattern.search(text))}


def test_all_packages_have_one_version() -> None:
    versions = {name: spec["project"]["version"] for name, spec in SPECS.items()}

    assert len(set(versions.values())) == 1, versions


@each_package
def test_siblings_are_pinned_to_the_version_of_the_package(package: pathlib.Path) -> None:
    """The sources of the workspace override the pins, so uv accepts a stale one."""
    version = SPECS[package.name]["project"]["version"]
    pins = {str(wanted.specifier) for wanted in requirements(SPECS[package.name]) if wanted.name in SPECS}

    assert pins <= {f"=={version}"}


@each_package
def test_third_party_dependencies_have_both_bounds_and_the_upper_one_is_a_version_to_come(
    package: pathlib.Path,
) -> None:
    loose = []
    for wanted in requirements(SPECS[package.name]):
        operators = {part.operator: Version(part.version) for part in wanted.specifier}
        if wanted.name not in SPECS and not (
            operators.keys() == {">=", "<"} and operators["<"].release > operators[">="].release
        ):
            loose.append(str(wanted))

    assert loose == []


@each_package
def test_a_package_can_be_published(package: pathlib.Path) -> None:
    module = package / "src" / package.name.replace("-", "_")

    assert package.name == SPECS[package.name]["project"]["name"]
    assert (package / "README.md").read_text().startswith(f"# {package.name}\n")
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    licences = {file for each in SPECS[package.name]["project"]["license-files"] for file in package.glob(each)}
    assert licences == {package / "LICENSE", *package.glob("src/**/*LICENSE*")}
    assert (module / "py.typed").is_file()


@each_package
def test_a_package_that_has_modules_has_tests(package: pathlib.Path) -> None:
    modules = [path for path in package.glob("src/**/*.py") if path.stem != "__init__"]

    assert not modules or list((package / "tests").glob("**/test_*.py")) != []


@each_package
def test_edits_rebuild_a_package_that_is_installed_without_links(package: pathlib.Path) -> None:
    wanted = [{"file": "pyproject.toml"}, {"file": "src/**/*"}]

    assert wanted == SPECS[package.name]["tool"]["uv"]["cache-keys"]


def test_modules_are_short() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(sources()[path].text.splitlines()) for path in MODULES}

    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


ROOMS = sorted({path.parent for path in MODULES if (path.parent.parent / "__init__.py").is_file()})
LARGEST_ROOM = 13
ONE_MODULE_PER_COMMAND = "pivot_cli.commands"
OWN_NAMES = {
    f"pivot_cli.commands.{name}" for name in ("cache", "metrics", "params", "plots")
}  # each needs the group itself


def test_rooms_are_small() -> None:
    """The roots of packages, too."""
    folders = [*ROOMS, *(path.parent for path in MODULES if path.parent.parent.name == "src")]
    sizes = {NAMES[room / "__init__.py"]: len(list(room.glob("[!_]*.py"))) for room in folders}
    del sizes[ONE_MODULE_PER_COMMAND]

    assert {name: size for name, size in sizes.items() if size > LARGEST_ROOM} == {}


def test_the_map_names_each_module_of_pivot_runtime() -> None:
    """In the rows of its room."""
    rows = re.findall(r"(?m)^\| (`\w+`[^|]*)\|(.*)\|$", (ROOT / "docs/architecture.md").read_text())
    named = {
        (room, name)
        for rooms, text in rows
        for room in re.findall(r"`(\w+)`", rooms)
        for name in re.findall(r"`(\w+)`", text)
    }
    modules = [NAMES[path].split(".") for path in MODULES if NAMES[path].startswith("pivot_runtime.")]

    assert [".".join(each) for each in modules if len(each) == 3 and (each[1], each[2]) not in named] == []


def test_rooms_hold_plain_names() -> None:
    assert [NAMES[path] for room in ROOMS for path in room.glob("_*.py") if path.stem != "__init__"] == []


def test_rooms_say_what_is_in_them() -> None:
    """In two to four sentences, and with nothing else in the module."""
    wrong = []
    for room in ROOMS:
        tree = sources()[room / "__init__.py"].tree
        sentences = re.findall(r"\S[.?!](?=\s|$)", ast.get_docstring(tree) or "")
        name = NAMES[room / "__init__.py"]
        if name not in OWN_NAMES | {ONE_MODULE_PER_COMMAND} and (len(tree.body) != 1 or not 2 <= len(sentences) <= 4):
            wrong.append(name)

    assert wrong == []


def test_one_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in sources()[path].nodes:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(NAMES[path])

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_modules_are_named_after_what_they_own() -> None:
    assert [path for path in MODULES if path.stem.strip("_") in EMPTY_NAMES] == []


def test_the_state_of_a_module_says_why_it_is_there() -> None:
    """A function that changes a name of its module makes that global state: a docstring below the name says why."""
    unexplained = {NAMES[path]: found for path in MODULES if (found := undocumented_state(path))}

    assert unexplained == {}


def undocumented_state(path: pathlib.Path) -> set[str]:
    """The names of a module that its functions rebind or change, and that no docstring follows."""
    names: set[str] = set()
    for statement, after in itertools.pairwise([*sources()[path].tree.body, ast.Pass()]):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        ):
            names |= {
                each.id
                for each in ast.walk(statement)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
    if names.isdisjoint(changed_names(sources()[path].nodes)):
        return set()
    return {name for function in sources()[path].functions for name in changed_by(function)} & names


def changed_by(function: ast.AST) -> set[str]:
    """The names, other than its own variables, that a function declares as global, or whose value it changes."""
    nodes = list(ast.walk(function))
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return (changed_names(nodes) - own) | declared


def changed_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that some code declares as global, or whose value it changes."""
    changed: set[str] = set()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in CHANGING:
                changed.add(name)
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                changed.add(name)
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                changed.add(name)
            case ast.Global():
                changed |= set(node.names)
    return changed


def test_imports_in_functions_are_marked_as_lazy() -> None:
    """They keep start-up short; without the mark, a reader takes them for an oversight."""
    unmarked = [
        f"{NAMES[path]}:{line}"
        for path, source in sources().items()
        for line in unmarked_lazy_imports(source.text, source.nodes, source.functions)
    ]

    assert unmarked == []


def unmarked_lazy_imports(text: str, nodes: Iterable[ast.AST], functions: Iterable[AnyFunction]) -> list[int]:
    """The lines of imports in functions that have no comment `# lazy`."""
    lines = text.splitlines()
    unmarked = [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not any("# lazy" in line for line in lines[node.lineno - 1 : node.end_lineno])
    ]
    inside = [range(function.lineno, (function.end_lineno or 0) + 1) for function in functions]
    return [line for line in unmarked if any(line in each for each in inside)]


def test_unmarked_lazy_imports_are_found() -> None:
    text = "import a\ndef f():\n    import b\n    import c  # lazy\n"
    nodes = list(ast.walk(ast.parse(text)))

    assert unmarked_lazy_imports(text, nodes, [node for node in nodes if isinstance(node, ast.FunctionDef)]) == [3]


def test_modules_begin_with_one_sentence() -> None:
    def is_one_sentence(doc: str | None) -> bool:
        return doc is not None and re.fullmatch(r"[^\n]+[.?!]", doc.split("\n\n")[0].replace("\n", " ")) is not None

    wrong = [path for path in MODULES if not is_one_sentence(ast.get_docstring(sources()[path].tree))]

    assert wrong == []


def test_frozen_classes_are_cheap_to_import_and_are_compared_all_the_same() -> None:
    """Code that attrs would compile for each of them at import adds up, so they share it."""
    frozen = re.compile(r"^ *@attrs\.frozen(.*)\n *class (\w+)", re.MULTILINE)
    found = {(path, name): how for path in MODULES for how, name in frozen.findall(sources()[path].text)}

    assert [key for key, how in found.items() if not how] == []
    for (path, name), how in found.items():
        if how == "(eq=False, repr=False)":
            module = importlib.import_module(NAMES[path])
            assert issubclass(getattr(module, name), Value), name


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a module of ours, or to something in one."""
    module, attributes = name, list[str]()
    while importlib.util.find_spec(module.partition(".")[0]) is not None:
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, attribute = module.rpartition(".")
            attributes.insert(0, attribute)
            continue
        return all((found := getattr(found, each, None)) is not None for each in attributes)
    return False


def test_each_module_that_is_named_in_a_text_is_there() -> None:
    """A move must not leave behind what starts a process, is looked up late, configured or documented by a name."""
    texts = tracked()
    wrong = {
        name: sorted(missing)
        for name, text in texts.items()
        if (missing := {each for each in DOTTED.findall(text) if not is_there(each)})
    }

    assert wrong.pop("packages/pivot-core/tests/test_package.py") == ["pivot_core." + "nonsense"]
    assert wrong == {}


def test_no_name_of_a_module_is_put_together() -> None:
    """The test above, and who renames a module, look for whole names."""
    put_together = re.compile(r"\bpivot_\w+(\.\w+)*\.\{|\{__(name|package)__\}\.|__(name|package)__ \+")

    assert first_matches(put_together, {str(path.relative_to(ROOT)): sources()[path].text for path in MODULES}) == {}


def test_files_that_have_rules_of_their_own_are_there() -> None:
    ignores = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]

    assert [path for path in ignores if next(ROOT.glob(path), None) is None] == []


def test_every_list_of_pivots_packages_is_complete() -> None:
    from pivot_fingerprint.walk import libraries  # lazy
    from pivot_runtime.definitions import source_import  # lazy

    names = {name.replace("-", "_") for name in SPECS}

    assert set(source_import._OWN) == names
    assert set(libraries._OWN) == names


def test_import_contracts_cover_all_packages() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    names = {name.replace("-", "_") for name in SPECS}
    (between,) = (contract for contract in config["contracts"] if "containers" not in contract and "layers" in contract)
    inside = {name for contract in config["contracts"] for name in contract.get("containers", [])}
    many_modules = {name for name in names if len([path for path in MODULES if name in path.parts]) > 3}

    assert names == set(config["root_packages"]), "a new package stands in tool.importlinter.root_packages"
    assert names == {name for layer in between["layers"] for name in re.split(r"\s*[|:]\s*", layer)}
    assert many_modules <= inside


def modules_loaded_by(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after the code."""
    script = f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_pivot_is_cheap() -> None:
    heavy = {"aioboto3", "asyncio", "botocore", "click", "numpy", "pandas", "pivot_loaders", "rich", "sqlite3", "yaml"}

    assert modules_loaded_by("import pivot, pivot.loaders") & heavy == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_asking_for_help_or_the_version_is_cheap(option: str) -> None:
    heavy = {"aioboto3", "botocore", "numpy", "pandas", "pivot_fingerprint", "rich", "sqlite3", "watchfiles", "yaml"}
    code = f"""
import sys
from pivot_cli.main import main
sys.argv = ["pivot", "{option}"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""

    assert modules_loaded_by(code) & heavy == set()


def test_changelog_fragments_are_named_so_that_towncrier_finds_them() -> None:
    good = re.compile(r"\.gitignore|(\d+|\+[a-z0-9-]+)\.(feature|fix|removal|misc)\.md")

    assert [path for path in (ROOT / "changes").iterdir() if not good.fullmatch(path.name)] == []


def test_no_file_names_the_host_of_a_package_index() -> None:
    texts = {name: text for name, text in tracked().items() if name != "uv.lock"}

    assert first_matches(INDEX_HOSTS, texts) == {}


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    assert first_matches(MACHINE_PATHS, tracked()) == {}


def test_the_repository_itself_is_not_a_project() -> None:
    """It would be the root of every project that a test makes below it."""
    assert not [name for name in tracked() if name.startswith(".pivot")]


def test_the_lowest_versions_are_those_that_the_packages_declare() -> None:
    """Except where something else needs a later one; `nox -s lower` writes the file."""
    later = {"pyyaml"}  # what the tests of pivot-remote-s3 need asks for more
    lowest = dict(re.findall(r"(?m)^([\w.-]+)==([^ ;\n]+)", (ROOT / "lowest.txt").read_text()))
    wrong = {}
    for spec in SPECS.values():
        for wanted in requirements({**spec, "build-system": {"requires": []}}):
            if wanted.name in SPECS:
                continue
            bound = next(Version(part.version) for part in wanted.specifier if part.operator == ">=")
            found = Version(lowest[wanted.name])
            if found not in wanted.specifier or (found != bound and wanted.name not in later):
                wrong[wanted.name] = (str(bound), str(found))

    assert wrong == {}


def test_paths_of_pivots_own_are_built_in_one_place() -> None:
    """Only `pivot_cache.layout` does; what may not import it says the same."""
    directories = {name for name in vars(Layout) if name.endswith("_dir")}
    built = re.compile(r"""["'](?:\.pivot/|\.lock["']|state\.db["'/])|\{STATE_DIR\}/(?:stages|cache|state\.db)""")
    found = []
    for path in MODULES:
        if NAMES[path] in ("pivot_cache.layout", "pivot_runtime.freshness.noop_cache"):
            continue
        text = sources()[path].text
        found += [f"{path}: {match.group()}" for match in built.finditer(text)]
        for node in sources()[path].nodes:
            match node:
                case ast.BinOp(left=ast.Attribute(attr=attr), op=ast.Div(), right=ast.Constant() | ast.JoinedStr()):
                    found += [f"{path}:{node.lineno}"] if attr in directories else []
    assert not found
    layout = Layout(pathlib.Path())
    own = (layout.state_dir, layout.stages_dir, layout.database_dir, layout.cache_dir)
    assert tuple(map(str, own)) == noop_cache._OWN
    assert str(layout.noop_cache_dir) == noop_cache._PLACE


def module_state(path: pathlib.Path) -> list[str]:
    """The names in a module whose values begin empty, so that functions must fill them."""
    names = []
    for node in sources()[path].tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        value = ast.unparse(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else ""
        if value in {"[]", "{}", "()", "set()", "None"}:
            names += [target.id for target in targets if isinstance(target, ast.Name) and target.id.islower()]
    return names


def test_modules_that_hold_state_are_on_the_map() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("### Module state")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w.]+)`", section))

    assert [NAMES[path] for path in MODULES if module_state(path) and not {NAMES[path], path.stem} & named] == []


def test_git_is_started_in_one_place() -> None:
    """It leaves out what a hook of git has in its environment, which leads to another repository."""
    starting = {
        NAMES[path]
        for path in MODULES
        for node in sources()[path].nodes
        if isinstance(node, ast.List | ast.Tuple)
        and node.elts
        and isinstance(node.elts[0], ast.Constant)
        and str(node.elts[0].value).rpartition("/")[2] == "git"
    }

    assert starting == {"pivot_runtime.git.calls"}


def test_the_environment_is_read_only_for_processes() -> None:
    """A command gets its environment from the command line, in its context."""
    processes = re.compile(r"pivot_runtime\.(?:host|fingerprints|worker|programs|tracing|processes|warm)(?:\.|$)")
    others = {
        NAMES[path]
        for path in MODULES
        if NAMES[path].startswith("pivot_runtime.")
        and not processes.match(NAMES[path])
        and re.search(r"\bos\.(?:environb?|getenv)\b", sources()[path].text)
    }

    assert others == {
        "pivot_runtime.definitions.params",  # the variables that a stage declares
        "pivot_runtime.executors.in_process",  # restores the environment after a stage
        "pivot_runtime.git.calls",  # the environment of git
        "pivot_runtime.interactive.call",  # the environment of a notebook or script
        "pivot_runtime.loading.host_client",  # the environment of a host
        "pivot_runtime.sweeps.combination",  # a process of its own, with the environment of the command
    }


def test_a_quick_pass_has_arguments_for_each_benchmark() -> None:
    (quick,) = (
        statement.value
        for statement in ast.parse((ROOT / "noxfile.py").read_text()).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id == "QUICK"
    )
    assert ast.literal_eval(quick).keys() == {path.stem for path in ROOT.glob("benchmarks/[!_]*.py")}
