"""Names of Pivot 0.1 to 0.5 that pipelines may still use, and their present forms; pure."""

import re
from collections.abc import Mapping
from typing import Final

_REGISTER: Final = "pipeline = pivot.Pipeline('NAME') once, and pipeline.register(FUNCTION) for each stage"
_ANNOTATIONS: Final = "from pivot import Dep, IncrementalOut, Metric, Out, PlaceholderDep, Plot"

_OF_PIVOT: Final[Mapping[str, str]] = {
    "outputs": _ANNOTATIONS,
    "stage_def": "from pivot import StageParams",
    "pipeline": "from pivot import Pipeline",
    "decorators": "from pivot import no_fingerprint",
    "stage": f"{_REGISTER}, whose annotations name the files: Annotated[TYPE, pivot.Dep(PATH, LOADER)]",
    "metric": "-> Annotated[dict, pivot.Metric(PATH)], as the return type of the stage",
    "plot": "-> Annotated[TYPE, pivot.Plot(PATH, LOADER)], as the return type of the stage",
    "directory": "-> Annotated[dict, pivot.DirectoryOut(PATH, LOADER)], as the return type of the stage",
    "incremental": "pivot.IncrementalOut(PATH, LOADER), in the annotations of a parameter and of the return type",
    "compose": _REGISTER,
    "registry": _REGISTER,
    "REGISTRY": _REGISTER,
}
_OF_LOADERS: Final[Mapping[str, str]] = {
    "MatplotlibFigure": "loaders.Figure(), which also needs pivot-loaders",
    "DataFrameJSONL": "loaders.JSONL(), and pandas.DataFrame(rows) or frame.to_dict('records') in the stage",
}
_OPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("Pipeline.register", "dep_path_overrides"): "deps={PARAMETER: PATH}",
    ("Pipeline.register", "out_path_overrides"): "outs={KEY: PATH}, and the out's options in its annotation",
    ("CSV.__init__", "index_col"): "CSV(index=COLUMN), with the name of the column",
}
_EMPTY: Final = "leave it out: the parameter of an IncrementalOut is None on the first run, so begin with VALUE or []"
_INCLUDE: Final = (
    "leave it out: the files that they declare connect the pipelines of a project, each in a directory of its own"
)

_OPTION = re.compile(r"(?:\w+\.)*?(\w+\.\w+)\(\) got an unexpected keyword argument '(\w+)'")


def instead_of(error: BaseException) -> str | None:
    """The advice for a name of an earlier Pivot that caused this error; None for all other errors."""
    if (found := _present_form(error)) is None:
        return None
    return f"earlier versions of Pivot had this: {found if found in {_EMPTY, _INCLUDE} else f'write {found}'}"


def _present_form(error: BaseException) -> str | None:
    match error:
        case ModuleNotFoundError(name=str(name)):
            top, _, rest = name.partition(".")
            return _OF_PIVOT.get(rest) if top == "pivot" else None
        case ImportError(name=("pivot" | "pivot.loaders") as module, name_from=str(name)):
            return (_OF_PIVOT if module == "pivot" else _OF_LOADERS).get(name)
        case AttributeError(name=str(name)):
            return _of_attribute(name, error.obj)
        case TypeError():
            found = _OPTION.match(str(error))
            return _of_option(*found.groups()) if found else None
    return None


def _of_attribute(name: str, owner: object) -> str | None:
    if name == "include" and type(owner).__name__ == "Pipeline":
        return _INCLUDE
    tables = {"pivot": _OF_PIVOT, "pivot.loaders": _OF_LOADERS}
    return tables.get(getattr(owner, "__name__", ""), {}).get(name)


def _of_option(function: str, option: str) -> str | None:
    if option == "empty_factory" and function.endswith(".__init__"):
        return _EMPTY
    return _OPTIONS.get((function, option))
