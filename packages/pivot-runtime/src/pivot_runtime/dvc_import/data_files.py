"""Reads a ``.dvc`` file, which stands for data that no stage writes, or, before DVC 1.0, for a stage; pure."""

import contextlib
import posixpath
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_cache.formats.data_source import DataSource, RepositorySource, UrlSource, UrlState
from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.definitions import yaml_document
from pivot_runtime.dvc_import.dvc_lock import Md5, md5_of
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.yaml_edits import written
from pivot_runtime.errors import YamlError
from pivot_runtime.external import urls

_SCHEMES: Final = ("http://", "https://", "s3://", "gs://", "az://")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
SINGLE: Final = "*.dvc"
"""In the place of the name of a ``dvc.yaml`` with the stages of files of their own."""
_FACTS: Final = {"desc": "its description", "meta": "its 'meta'", "labels": "its labels", "type": "its type"}


@attrs.frozen(eq=False, repr=False)
class DvcData(Value):
    """Data of one path.

    Attributes:
        path: The path, relative to the root of the project.
        md5: The recorded content.
        where: The place of the entry.
        source: Where they were imported from; None if they were not, or if Pivot does not know such sources.
    """

    path: str
    md5: Md5
    where: str
    source: DataSource | None = None


def parse(text: str, name: str) -> tuple[list[DvcData], list[Leftover]]:
    """The data that a file stands for, and the parts of it that are not carried.

    Args:
        text: Its text.
        name: Its path, relative to the root of the project.

    Raises:
        YamlError: The text is not YAML that Pivot reads; the error names the line.
    """
    document = yaml_document.parse(text, name, reading=yaml_document.LargeReader)
    data = document.data
    if not isinstance(data, dict):
        return [], [Leftover(name, "it is not a .dvc file", "")]
    if data.get("cmd"):
        problem = "a stage in a .dvc file, beside a dvc.yaml, is not carried"
        return [], [Leftover(name, problem, "declare the stage in the dvc.yaml, and repeat the command")]
    if not data.get("outs"):  # the last file of a pipeline before DVC 1.0, which only has deps
        return [], []
    found: list[DvcData] = []
    leftovers: list[Leftover] = []
    source, lost = _source(data, document)
    leftovers += lost
    base = posixpath.join(posixpath.dirname(name), str(data.get("wdir") or "."))
    entries = data.get("outs")
    for at, entry in enumerate(entries if isinstance(entries, list) else ()):
        where = document.where(("outs", at))
        found += _data(entry, base, where, source, leftovers)
        leftovers += _unused(entry if isinstance(entry, dict) else {}, document, ("outs", at))
    leftovers += _unused(data, document, ())
    return found, leftovers


@attrs.frozen(eq=False, repr=False)
class SingleStages(Value):
    """Stages with a file each, in the form that all of a directory have since DVC 1.0.

    Attributes:
        stages: The text of a ``dvc.yaml`` for each directory; its name is `SINGLE`.
        locks: The text of a ``dvc.lock`` for each.
        files: The files with a stage.
    """

    stages: Mapping[str, str]
    locks: Mapping[str, str]
    files: frozenset[str]


def single_stages(texts: Mapping[str, str], taken: Container[str]) -> SingleStages:
    """The stages in ``.dvc`` files.

    Args:
        texts: The text of each file, by its path.
        taken: Each ``dvc.yaml``; stages in ``.dvc`` files beside one are not found.
    """
    stages: dict[str, dict[str, Any]] = {}
    runs: dict[str, dict[str, Any]] = {}
    files = set()
    for name, text in texts.items():
        base, file = posixpath.split(name)
        if posixpath.join(base, "dvc.yaml") in taken:
            continue
        with contextlib.suppress(YamlError, AttributeError, KeyError, TypeError):  # `parse` lists it
            data = yaml_document.parse(text, name, reading=yaml_document.LargeReader).data
            stage = _single_stage(data) if data.get("cmd") else None
            if stage is not None:
                named = file.removesuffix(".dvc")
                stages.setdefault(base, {})[named] = stage
                runs.setdefault(base, {})[named] = {key: data[key] for key in ("cmd", "deps", "outs") if key in data}
                files.add(name)
    return SingleStages(
        {posixpath.join(base, SINGLE): written({"stages": found}) for base, found in stages.items()},
        {posixpath.join(base, "dvc.lock"): written({"schema": "2.0", "stages": found}) for base, found in runs.items()},
        frozenset(files),
    )


def _single_stage(data: Mapping[str, Any]) -> dict[str, Any]:
    """A stage of a ``dvc.yaml``, in which ``${`` would begin a reference."""
    steps = data["cmd"] if isinstance(data["cmd"], list) else [data["cmd"]]
    plain = [_plain(step) for step in steps]
    stage: dict[str, Any] = {"cmd": plain if isinstance(data["cmd"], list) else plain[0]}
    if data.get("wdir", ".") != ".":
        stage["wdir"] = _plain(data["wdir"])
    stage |= {key: True for key in ("frozen", "always_changed") if data.get(key)}
    if data.get("locked"):
        stage["frozen"] = True
    stage |= {key: data[key] for key in ("desc", "meta") if key in data}
    for entry in data.get("deps") or ():
        stage.setdefault("deps", []).append(_plain(entry["path"]))
    for entry in data.get("outs") or ():
        flags: dict[str, Any] = {"cache": False} if entry.get("cache") is False else {}
        flags |= {"persist": True} if entry.get("persist") else {}
        key = "metrics" if entry.get("metric") else "plots" if entry.get("plot") else "outs"
        path = _plain(entry["path"])
        stage.setdefault(key, []).append({path: flags} if flags else path)
    return stage


def _plain(text: str) -> str:
    return text.replace("${", "\\${")


def _unused(data: Mapping[str, Any], document: yaml_document.Document, path: yaml_document.Path) -> Iterator[Leftover]:
    for key, said in _FACTS.items():
        if data.get(key):
            yield Leftover(document.where((*path, key)), f"{said} is not carried, as a .pvt file has none")


def _data(entry: Any, base: str, where: str, source: DataSource | None, leftovers: list[Leftover]) -> Iterator[DvcData]:
    named = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(named, str):
        leftovers.append(Leftover(where, "it names no path", "repair it, or 'pivot track' the data"))
        return
    try:
        path = ArtifactPath.resolve(named, base=base) if "://" not in named else ""
    except PathError:
        path = ""
    if not path:
        remedy = "'pivot track --out PATH' copies data into the project"
        leftovers.append(Leftover(where, f"{named!r} is no path in the project that Pivot can track", remedy))
        return
    md5 = md5_of(entry)
    if md5 is None:
        problem = f"{named} has no MD5" + (", only versions in a cloud" if "files" in entry or "cloud" in entry else "")
        leftovers.append(Leftover(where, problem, f"get the data, then 'pivot track {path}'"))
        return
    for flag in ("remote", "push"):
        if flag in entry:
            problem = f"{flag!r} of {named} has no counterpart"
            leftovers.append(Leftover(where, problem, f"name the paths to transfer: pivot push -r REMOTE {path}"))
    yield DvcData(path, md5, where, source)


def _source(data: Mapping[str, Any], document: yaml_document.Document) -> tuple[DataSource | None, list[Leftover]]:
    """The source that Pivot can follow, and the leftover for one that it cannot."""
    deps = data.get("deps")
    if not deps:
        return None, []
    where = document.where(("deps", 0))
    dep = deps[0] if isinstance(deps, list) and isinstance(deps[0], dict) else {}
    if "repo" in dep:
        return _repository(dep, where, posixpath.dirname(document.name))
    url = dep.get("path")
    if isinstance(url, str) and url.startswith("azure://"):
        url = f"az://{url.removeprefix('azure://')}"
    if not isinstance(url, str) or not url.startswith(_SCHEMES):
        problem = f"{urls.public(str(url)).url} is carried as data without a source"
        return None, [Leftover(where, problem, "repeat the import with a URL that 'pivot import-url' follows")]
    size = dep.get("size")
    public = urls.public(url)
    leftovers = [
        Leftover(
            where, f"{part} in the URL of the source are not carried", "let ~/.netrc or the storage's tools have them"
        )
        for part in public.left_out
    ]
    return UrlSource(public.url, UrlState(size=size if isinstance(size, int) else None)), leftovers


def _repository(dep: Mapping[str, Any], where: str, base: str) -> tuple[DataSource | None, list[Leftover]]:
    """The source in another repository, which may still be one of DVC's."""
    repo = dep["repo"] if isinstance(dep["repo"], dict) else {}
    url, path, commit, rev = repo.get("url"), dep.get("path"), repo.get("rev_lock"), repo.get("rev")
    if not (isinstance(url, str) and isinstance(path, str) and _COMMIT.fullmatch(str(commit))):
        shown = urls.public(str(url)).url
        problem = f"{path} of {shown} is carried as data without a source, as its commit is not recorded"
        return None, [Leftover(where, problem, "'pivot import' it again, once that repository uses Pivot")]
    leftovers = []
    if "://" in url:
        public = urls.public(url)
        url = public.url
        leftovers += [
            Leftover(where, f"{part} in the URL of the repository are not carried") for part in public.left_out
        ]
    elif ":" not in url.partition("/")[0]:
        url = posixpath.normpath(posixpath.join(base, url))
    problem = f"'pivot update' follows {path} of {url} once that repository uses Pivot"
    leftovers.append(Leftover(where, problem))
    return RepositorySource(url, path, str(commit), rev if isinstance(rev, str) else None), leftovers
