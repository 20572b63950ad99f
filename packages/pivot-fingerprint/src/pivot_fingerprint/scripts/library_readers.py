"""Functions and modules that read more of other code than runs: annotations, docstrings, the texts of modules."""

import sys
from collections.abc import Collection, Mapping
from typing import Final

TEXTS: Final = "texts"
"""The whole texts of modules, with comments and formatting."""

_NOT_READING: Final = frozenset(
    {
        *("click", "cv2", "h5py", "imageio", "joblib", "keras", "lightgbm", "lxml", "matplotlib", "mlflow", "networkx"),
        *("nltk", "numpy", "openpyxl", "pandas", "PIL", "plotly", "polars", "psutil", "pyarrow", "requests", "rich"),
        *("scipy", "seaborn", "skimage", "sklearn", "spacy", "statsmodels", "tensorflow", "tokenizers", "torch"),
        *("torchvision", "tqdm", "transformers", "xarray", "xgboost", "yaml", "bs4", "datasets", "dask", "duckdb"),
    }
)
"""Libraries that do not read the annotations of functions that they get."""
_READING: Final = frozenset({"inspect", "typing:get_type_hints", "functools:singledispatch", "annotationlib"})
"""Those of the standard library that do."""
READ: Final[Mapping[str, tuple[str, ...]]] = {
    "inspect:getdoc": ("docs",),
    "inspect:getcomments": (TEXTS,),
    "inspect:getsource": (TEXTS,),
    "inspect:getsourcelines": (TEXTS,),
    "inspect:findsource": (TEXTS,),
    "dill:source": (TEXTS,),
    "linecache": (TEXTS,),
    "help": ("docs", TEXTS),
    "pydoc": ("docs", TEXTS),
    "doctest": ("docs", TEXTS),
}
"""By module, or by module and name: the parts of any code that it reads when it is used."""


def may_read_annotations(libraries: Collection[str]) -> bool:
    """Whether some libraries may read the annotations of functions that they get."""
    if not _READING.isdisjoint(libraries):
        return True
    tops = {name for name in libraries if name and ":" not in name}
    return not tops <= _NOT_READING | sys.stdlib_module_names
