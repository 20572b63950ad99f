"""Translates a ``dvc.yaml`` into a ``pivot.yaml``; pure.

Both have the same structure, so most of the text stays as it is, with its comments: templates stay templates. Parts
without a counterpart are removed, and returned as leftovers.
"""

import contextlib
import copy
import posixpath
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_core.files.paths import parent_names
from pivot_core.values import Value
from pivot_runtime.definitions import yaml_document
from pivot_runtime.dvc_import.dvc_lock import is_elsewhere
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.yaml_edits import Path, YamlEdits, quoted_keys

_STAGE: Final = frozenset(
    {
        "cmd",
        "wdir",
        "deps",
        "params",
        "outs",
        "metrics",
        "plots",
        "frozen",
        "always_changed",
        "desc",
        "meta",
        "vars",
        "matrix",
    }
)
_OUT: Final = frozenset({"cache", "persist", "desc", "meta", "type", "labels"})
_PLOT: Final = frozenset({"x", "y", "x_label", "y_label", "title", "template", "header"})
_TEMPLATES: Final = frozenset(
    {
        "linear",
        "simple",
        "smooth",
        "scatter",
        "scatter_jitter",
        "confusion",
        "confusion_normalized",
        "bar_horizontal",
        "bar_horizontal_sorted",
    }
)
OUT_KEYS: Final = ("outs", "metrics", "plots")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_=,+-]+")
REFERENCE: Final = re.compile(r"\\?\$\{[^}]*\}")
_MOST_LETTERS: Final = 100
_FILES_WITH_METRICS: Final = "name the files in it that have metrics"

type Outs = Mapping[str, list[Mapping[str, Any]]]
"""The outs of each variant of each stage of a file without references, as far as these can be resolved."""
type Kind = Callable[[str, str, str], bool | None]
"""Whether an out of a stage, in a ``wdir``, is a directory; None if nobody knows."""


@attrs.frozen(eq=False, repr=False)
class TranslatedStages(Value):
    """The ``pivot.yaml`` for a ``dvc.yaml``.

    Attributes:
        text: Its text; "" if there is no stage.
        stages: The name in the ``dvc.yaml`` of each stage, by its name here; both without a variant.
        leftovers: The parts that are not carried.
        assumed: The outs that are taken for directories, since their names have no suffix.
        places: The place of each stage in the ``dvc.yaml``, by its name here.
    """

    text: str
    stages: Mapping[str, str]
    leftovers: tuple[Leftover, ...]
    assumed: tuple[str, ...] = ()
    places: Mapping[str, str] = attrs.field(factory=dict)


def translate(
    text: str, name: str, pipeline: str, is_directory: Kind, outs_of: Callable[[Any], Outs] = lambda _: {}
) -> TranslatedStages:
    """Translate a file.

    Args:
        text: Its text.
        name: Its path, for the places of leftovers.
        pipeline: The name of the pipeline.
        is_directory: Tells files from directories, which DVC does not declare.
        outs_of: Resolves the references in paths of outs.

    Raises:
        YamlError: The text is not YAML that Pivot reads; the error names the line.
    """
    with contextlib.suppress(yaml_document.TextError):  # `parse` reports it with its place
        text = quoted_keys(text)
    document = yaml_document.parse(text, name)
    return _Translation(document, YamlEdits(text), pipeline, is_directory, outs_of(document.data)).result()


def pattern_of(path: str) -> re.Pattern[str]:
    """The paths that a path with references may stand for."""
    parts = REFERENCE.split(posixpath.normpath(path))
    return re.compile(".+".join(map(re.escape, parts)))


def valid_name(name: str, other: str = "stage") -> str:
    """A name like this one that a stage or a pipeline can have."""
    found = _NOT_IN_NAMES.sub("-", name).strip("-=,+")[:_MOST_LETTERS]
    return found or other


class _Translation:
    """The translation of one file."""

    def __init__(
        self, document: yaml_document.Document, edits: YamlEdits, pipeline: str, is_directory: Kind, bodies: Outs
    ) -> None:
        self._document = document
        self._edits = edits
        self._pipeline = pipeline
        self._is_directory = is_directory
        self._bodies = bodies
        self._data: Any = copy.deepcopy(document.data)
        self._leftovers: list[Leftover] = []
        self._names: dict[str, str] = {}
        self._outs: dict[str, tuple[re.Pattern[str], bool]] = {}
        self._charted: list[re.Pattern[str]] = []
        self._assumed: list[str] = []

    def result(self) -> TranslatedStages:
        data = self._data
        if not isinstance(data, dict) or not isinstance(data.get("stages"), dict) or not data["stages"]:
            if isinstance(data, dict) and data:
                charts = [key for key in ("metrics", "plots") if data.get(key)]
                problem = f"it has no stages, but {' and '.join(charts)}" if charts else "it has no stages"
                self._leave((), problem, "name them in the pivot.yaml of the stage that writes them" if charts else "")
            return TranslatedStages("", {}, tuple(self._leftovers))
        for key in list(data):
            if key not in ("stages", "vars", "metrics", "plots"):
                self._top(key)
        for name in list(data["stages"]):
            self._stage(name)
        for key in ("metrics", "plots"):
            if key in data:
                self._charts(key)
        first = next(iter(self._document.data))
        self._edits.insert((first,), f"pipeline: {self._pipeline}")
        wanted = {"pipeline": self._pipeline, **data}
        text = self._edits.result(wanted)
        places = {new: self._document.where(("stages", name)) for new, name in self._names.items()}
        return TranslatedStages(text, self._names, tuple(self._leftovers), tuple(self._assumed), places)

    def _leave(self, path: Path, problem: str, remedy: str) -> None:
        self._leftovers.append(Leftover(self._document.where(path), problem, remedy))

    def _drop(self, path: Path) -> None:
        """Remove a part of the data."""
        held, last = self._at(path[:-1]), path[-1]
        if isinstance(held, dict):
            del held[last]
        else:
            held[last] = _GONE
        self._edits.remove(path)

    def _at(self, path: Path) -> Any:
        held = self._data
        for each in path:
            held = held[each]
        return held

    def _top(self, key: str) -> None:
        problem, remedy = {
            "params": ("'params' matters only to 'dvc params diff'", ""),
            "artifacts": ("'artifacts', the model registry, has no counterpart", ""),
            "datasets": ("'datasets' has no counterpart", "bring the data in with 'pivot import-url' or 'pivot track'"),
        }.get(key, (f"the key {key!r} is not known", "remove it, or declare it as Pivot does"))
        self._leave((key,), problem, remedy)
        self._drop((key,))

    # Stages

    def _stage(self, name: str) -> None:
        stage = self._data["stages"][name]
        path: Path = ("stages", name)
        if not isinstance(stage, dict):
            self._leave(path, f"the stage {name!r} is empty", "")
            self._drop(path)
            return
        body, inner = stage, path
        if "foreach" in stage or "do" in stage:
            for key in [key for key in stage if key not in ("foreach", "do")]:
                self._unknown((*path, key))
            inner = (*path, "do")
            if not isinstance(stage.get("do"), dict) or "foreach" not in stage:
                self._leave(path, f"the stage {name!r} has no 'foreach' with a 'do'", "complete or remove it")
                self._drop(path)
                return
            body = stage["do"]
        if not body.get("cmd"):
            self._leave(path, f"the stage {name!r} has no command", "")
            self._drop(path)
            return
        for key in [key for key in body if key not in _STAGE]:
            self._unknown((*inner, key))
        for key in [key for key, value in body.items() if value is None]:
            self._drop((*inner, key))
        self._paths(name, body, inner)
        if not any(body.get(key) for key in ("deps", "params", "always_changed", *OUT_KEYS)):
            body["always_changed"] = True
            self._edits.insert((*inner, "cmd"), "always_changed: true")
        self._rename(name, path)

    def _rename(self, name: str, path: Path) -> None:
        new = valid_name(name)
        while new in self._names:
            new += "_"
        self._names[new] = name
        if new != name:
            stages = self._data["stages"]
            self._data["stages"] = {new if key == name else key: value for key, value in stages.items()}
            self._edits.rename(path, new)
            self._leave(
                path, f"the stage {name!r} is called {new!r} here, as names have only letters, digits, - and _", ""
            )

    def _unknown(self, path: Path) -> None:
        key = path[-1]
        remedies = {
            "live": "declare the files that DVCLive writes as 'outs', 'metrics' or 'plots' of the stage",
            "else": "remove it",
        }
        self._leave(
            path, f"{key!r} has no counterpart", remedies.get(str(key), "remove it, or declare it as Pivot does")
        )
        self._drop(path)

    def _paths(self, stage: str, body: dict[str, Any], path: Path) -> None:
        wdir = body.get("wdir", ".")
        self._deps(body, (*path, "deps"))
        for key in OUT_KEYS:
            items = body.get(key)
            if key not in body:
                continue
            if not isinstance(items, list):
                self._leave((*path, key), f"{key!r} is not a list", "write a list")
                self._drop((*path, key))
                continue
            for at, item in enumerate(items):
                self._out(key, item, (*path, key, at), (stage, str(wdir)))
            self._swept(body, (*path, key))

    def _deps(self, body: dict[str, Any], path: Path) -> None:
        items = body.get("deps")
        if not isinstance(items, list):
            return
        for at, item in enumerate(items):
            self._elsewhere(item if isinstance(item, str) else "", (*path, at), dep=True)
        self._swept(body, path)

    def _elsewhere(self, name: str, path: Path, *, dep: bool) -> bool:
        """Drop a path outside the project; return whether it was."""
        if not is_elsewhere(name):
            return False
        if dep:
            remedy = "bring the data in with 'pivot import-url' or 'pivot track --out', and declare their path here"
        else:
            remedy = "let the stage write inside the project, and declare that path"
        self._leave(path, f"{name} is outside the project, which Pivot does not track", remedy)
        self._drop(path)
        return True

    def _swept(self, body: dict[str, Any], path: Path) -> None:
        """Remove the items that were dropped, and a list without any other."""
        key = str(path[-1])
        kept = [each for each in body[key] if each is not _GONE]
        if kept:
            body[key] = kept
        else:
            self._drop(path)

    def _out(self, key: str, item: Any, path: Path, home: tuple[str, str]) -> None:
        if isinstance(item, str):
            name, flags, inner = item, None, path
        elif isinstance(item, dict) and len(item) == 1:
            name, flags = next(iter(item.items()))
            inner = (*path, name)
        else:
            self._leave(path, f"an item of {key!r} is neither a path nor a mapping with one path", "write one")
            self._drop(path)
            return
        if self._elsewhere(name, path, dep=False):
            return
        if isinstance(flags, list):  # several plots of one file
            self._leave(inner, f"{name} is drawn in several ways, of which the first is carried", "see 'pivot plots'")
            flags = item[name] = flags[0] if flags else None
            self._edits.give_up()
        if isinstance(flags, dict):
            self._flags(key, name, flags, inner)
        self._directory(key, name, item, path, home)

    def _flags(self, key: str, name: str, flags: dict[str, Any], path: Path) -> None:
        known = _OUT | _PLOT if key == "plots" else _OUT
        for flag, value in list(flags.items()):
            if flag == "checkpoint" and value:
                flags["persist"] = True
                self._edits.give_up()
            found = _flag_leftover(flag, value, name, known)
            if found is not None:
                if found[0]:
                    self._leave((*path, flag), *found)
                self._drop((*path, flag))
        if not flags:
            self._at(path[:-1])[path[-1]] = None

    def _directory(self, key: str, name: str, item: Any, path: Path, home: tuple[str, str]) -> None:
        """End the path of a directory with a slash."""
        bare = name.rstrip("/")
        stage, wdir = home
        places = list(self._places(stage, key, path[-1])) or [(wdir, bare)]
        kinds = {self._is_directory(stage, where, out) for where, out in places}
        found = True if True in kinds else False if False in kinds else None
        if found is None and key != "metrics":
            found = name.endswith("/") or not any(
                "." in posixpath.basename(REFERENCE.sub("x", out)) for _, out in places
            )
            if found and not name.endswith("/"):
                self._assumed.append(f"{self._document.where(path)} {name}")
        where = posixpath.normpath(posixpath.join(wdir, bare))
        self._outs[where] = pattern_of(where), bool(found)
        if key == "metrics" and found:
            problem = f"{name} is a directory, which is carried as an out and no metric"
            self._leave(path, problem, f"{_FILES_WITH_METRICS} in a list 'metrics' beside the stages")
            outs = self._at(path[:-2]).setdefault("outs", [])
            outs.append(f"{bare}/" if isinstance(item, str) else {f"{bare}/": item[name]})
            self._drop(path)
            self._edits.give_up()
            return
        if key != "outs":
            self._charted.append(pattern_of(where))
        if name.endswith("/") or not found:
            return
        held = self._at(path[:-1])
        if isinstance(item, str):
            held[path[-1]] = f"{name}/"
            self._edits.change(path, f"{name}/")
        else:
            held[path[-1]] = {f"{name}/": item[name]}
            self._edits.rename((*path, name), f"{name}/")

    def _places(self, stage: str, key: str, at: str | int) -> Iterator[tuple[str, str]]:
        """The ``wdir`` and the path of an out in each variant of a stage, if they can be resolved."""
        for body in self._bodies.get(stage, ()):
            item = body[key][at]
            name = next(iter(item), "") if isinstance(item, dict) else item
            yield str(body.get("wdir", ".")), str(name).rstrip("/")

    # Charts of the whole file

    def _charts(self, key: str) -> None:
        items = self._data[key]
        if isinstance(items, dict):
            items = self._data[key] = [{name: value} for name, value in items.items()]
            self._edits.give_up()
        if not isinstance(items, list):
            self._drop((key,))
            return
        kept: list[Any] = []
        for at, item in enumerate(items):
            found = [each for each in self._drawn(item, (key, at)) if self._chart(each, (key, at))]
            kept += found
            if found != [item]:
                if found:
                    self._edits.replace((key, at), found)
                else:
                    self._edits.remove((key, at))
        if kept:
            self._data[key] = kept
        else:
            self._drop((key,))

    def _drawn(self, item: Any, path: Path) -> list[Any]:
        """An item as Pivot draws it: one for each file, and without a template that it does not have."""
        if not isinstance(item, dict) or len(item) != 1 or not isinstance(next(iter(item.values())), dict):
            return [item]
        name, options = next(iter(item.items()))
        template = options.get("template")
        if template is not None and str(template) not in _TEMPLATES:
            self._leave((*path, name, "template"), *_template_leftover(template, name))
            options = {key: value for key, value in options.items() if key != "template"}
        files = sorted(_charted({name: options}))
        x, y = options.get("x"), options.get("y")
        if files == [name] or (len(files) == 1 and not isinstance(x, dict)):
            return [{name: options}]
        x = x if isinstance(x, dict) else dict.fromkeys(files, x)
        y = y if isinstance(y, dict) else dict.fromkeys(files, y)
        if not x.keys() >= y.keys():
            self._leave(path, "a plot with the columns of several files has no counterpart", "write them into one file")
            return []
        rest = {key: value for key, value in options.items() if key not in ("x", "y")}
        if len(y) > 1:
            self._leave(path, f"Pivot draws the files of {name!r} each by itself", "")
        return [
            {
                f"{name} ({file})" if len(y) > 1 else name: {
                    **({"x": x[file]} if x[file] is not None else {}),
                    "y": {file: y[file]},
                    **rest,
                }
            }
            for file in y
        ]

    def _chart(self, item: Any, path: Path) -> bool:
        """Return whether a metric or a plot is one that Pivot can show; leave it otherwise."""
        key = path[0]
        file = min(_charted(item))
        if self._is_charted(file):
            if not isinstance(item, str):
                self._leave(path, f"another way to draw {file}: Pivot draws a file once", "")
            return False
        around = self._out_around(file)
        itself = around == posixpath.normpath(file)
        if around and not (itself and key == "metrics" and self._outs[around][1]):
            self._charted.append(pattern_of(file))
            return True
        problem = f"{file}, in the {key!r} of the file, is no out of its stages"
        remedy = "declare it as an out of the stage that writes it, with 'cache: false' if it is in git"
        if around:
            problem = f"{file}, in the {key!r} of the file, is a directory"
            remedy = _FILES_WITH_METRICS
        self._leave(path, problem, remedy)
        return False

    def _is_charted(self, file: str) -> bool:
        return any(pattern.fullmatch(posixpath.normpath(file)) for pattern in self._charted)

    def _out_around(self, file: str) -> str:
        """Return the out that a path is, or the directory that it is in; "" if there is none."""
        path = posixpath.normpath(file)
        for around in (path, *parent_names(path)):
            for name, (pattern, directory) in self._outs.items():
                if pattern.fullmatch(around) and (directory or around == path):
                    return name
        return ""


def _flag_leftover(flag: str, value: Any, name: str, known: Container[str]) -> tuple[str, str] | None:
    """The problem and the remedy for a flag of an out that is removed; without a problem if it says the default."""
    problem = remedy = ""
    match flag:
        case "checkpoint":
            problem = f"{name} is a checkpoint: it is carried as 'persist'" if value else ""
        case "push":
            problem = f"'push: false' of {name} has no counterpart" if value is False else ""
            remedy = "name the other paths in 'pivot push', or give the out 'cache: false'"
        case "remote":
            problem, remedy = f"a remote of its own for {name} has no counterpart", f"pivot push -r {value} {name}"
        case "template" if str(value) not in _TEMPLATES:
            problem, remedy = _template_leftover(value, name)
        case "header":
            problem = f"{name} has no header, so its columns have no names" if value is False else ""
            remedy = "write their names into its first line"
        case _ if flag not in known:
            problem, remedy = f"the key {flag!r} of {name} is not known", "remove it"
        case _:
            return None
    return problem, remedy


def _template_leftover(template: Any, name: str) -> tuple[str, str]:
    return f"the template {str(template)!r} of {name} has no counterpart", "see 'kind' of a plot"


_GONE: Final[Any] = object()
"""In the place of an item that was dropped."""


def _charted(item: Any) -> set[str]:
    """The files that an item of the ``metrics`` or ``plots`` of a file names."""
    if isinstance(item, str):
        return {item}
    if not isinstance(item, dict) or len(item) != 1:
        return {str(item)}
    name, options = next(iter(item.items()))
    axes = [options.get(axis) for axis in ("x", "y")] if isinstance(options, dict) else []
    files = {file for axis in axes if isinstance(axis, dict) for file in axis}
    return files or {name}


def stage_names(names: Iterable[str]) -> Iterator[str]:
    """The names of stages without their variants."""
    return (name.partition("@")[0] for name in names)
