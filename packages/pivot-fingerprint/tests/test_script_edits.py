"""The edit matrix of scripts: which edits of a script and its modules count, and which do not.

The projects and edits are those of functions: a script calls the function, and everything is read from source. Further
rows are about what only scripts do: their bodies run, and so do those of the modules that they import.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from test_counted_edits import EDITS as COUNTED
from test_counted_edits import Edit
from test_uncounted_edits import BASE
from test_uncounted_edits import EDITS as UNCOUNTED

from pivot_fingerprint import Manifest, diff, fingerprint_script

CALLER = "# file: run.py\nfrom pipeline import stage\nprint(stage(1))\n"
type TakeScript = Callable[[str], Manifest]

MERE = {"an import for its effect alone"}
"""Edits that count for functions, whose modules are compared as a whole there, and that no script can notice."""


@pytest.fixture
def take_script(write: Callable[[str], Path]) -> TakeScript:
    """The manifest of `run.py` in a project."""

    def take(project: str) -> Manifest:
        root = write(project)
        return fingerprint_script(root / "run.py", root=root)

    return take


def edited(edit: Edit, caller: str = CALLER) -> tuple[str, str]:
    project = edit.project if edit.project.endswith("\n") else f"{edit.project}\n"
    return project + caller, project.replace(edit.old, edit.new) + caller


@pytest.mark.parametrize("edit", [each for each in COUNTED if each.title not in MERE], ids=lambda edit: edit.title)
def test_an_edit_that_counts_for_a_function_counts_for_a_script(edit: Edit, take_script: TakeScript) -> None:
    old, new = edited(edit)

    assert take_script(old).digest != take_script(new).digest


@pytest.mark.parametrize("title", UNCOUNTED)
def test_an_edit_that_counts_for_no_function_counts_for_no_script(title: str, take_script: TakeScript) -> None:
    old, new = UNCOUNTED[title]

    assert take_script(BASE + CALLER).digest == take_script(BASE.replace(old, new, 1) + CALLER).digest


PROJECT = '''
"""Nothing."""
# file: run.py
"""Trains."""
import argparse
import logging
import os
import sys
from pathlib import Path

import helpers
import shared.tables as tables
from helpers import normalize as norm
from shared import rates
from shared.models import Net

HERE = Path(__file__).resolve().parent
EPOCHS = 3
UNUSED = 4
logger = logging.getLogger("run")


def load(path):
    """Loads."""
    from lazy import read
    return [norm(float(row[0])) for row in read(path)]


def unused(x):
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    net = Net(rates.RATE)
    for row in load(HERE / "rows.csv"):
        net.fit(row, tables.weights["a"])
    print(vars(options), helpers.count())


if __name__ == "__main__":
    main()
# file: helpers.py
import functools
import os

SCALE = 2
OTHER = 3
os.environ.setdefault("MODE", "fast")


def normalize(x):
    return _half(x) * SCALE


def _half(x):
    return x / 2


@functools.cache
def count():
    return 1


def other():
    return OTHER


class Unused:
    def run(self):
        return 1


if __name__ == "__main__":
    print(other())
# file: lazy.py
import csv


def read(path):
    return list(csv.reader(open(path)))


def write(path):
    return path
# file: shared/__init__.py
"""Shared."""
# file: shared/rates.py
RATE = 0.5
FAST = 0.9
# file: shared/tables.py
weights = {"a": 1}
weights["b"] = 2
names = ["a"]
# file: shared/models.py
from .base import Base
from .rates import FAST


class Net(Base):
    limit = FAST

    def fit(self, row, weight):
        """Fits."""
        return self.step(row) * weight


class Other(Base):
    pass
# file: shared/base.py
class Base:
    def __init__(self, rate):
        self.rate = rate

    def step(self, row):
        return row


class Rest(Base):
    pass


def spare():
    return 1
# file: unrelated.py
X = 1
'''

COUNTS = {
    "the main block": ("    main()\n# file: h", "    main(1)\n# file: h", "effects:run"),
    "a function of the script": ("for row in read(path)]", "for row in read(path)[1:]]", "func:run:load"),
    "a constant of the script": ("EPOCHS = 3", "EPOCHS = 4", "const:run:EPOCHS"),
    "a path beside the script": (".parent\nEPOCHS", ".parent.parent\nEPOCHS", "const:run:HERE"),
    "the docstring that is a description": ('"""Trains."""', '"""Trains more."""', "func:run:main"),
    "a helper": ("_half(x) * SCALE", "_half(x) + SCALE", "func:helpers:normalize"),
    "a helper of a helper": ("x / 2", "x / 3", "func:helpers:_half"),
    "a constant of a helper": ("SCALE = 2", "SCALE = 5", "const:helpers:SCALE"),
    "a cached helper": ("def count():\n    return 1", "def count():\n    return 2", "func:helpers:count"),
    "a statement with an effect": ('"MODE", "fast"', '"MODE", "slow"', "effects:helpers"),
    "a new statement with an effect": (
        "OTHER = 3\n",
        "OTHER = 3\nprint(OTHER)\n",
        "const:helpers:OTHER effects:helpers",
    ),
    "a module imported in a function": ("csv.reader(open(path))", "csv.reader(open(path), 'excel')", "func:lazy:read"),
    "a constant by an attribute": ("RATE = 0.5", "RATE = 0.6", "const:shared.rates:RATE"),
    "a table": ('weights = {"a": 1}', 'weights = {"a": 2}', "const:shared.tables:weights"),
    "a change of a table": ('weights["b"] = 2', 'weights["b"] = 3', "effects:shared.tables"),
    "a method": ("* weight\n", "+ weight\n", "class:shared.models:Net"),
    "a base": ("        return row\n", "        return [row]\n", "class:shared.base:Base"),
    "a constant in a class": ("FAST = 0.9", "FAST = 0.8", "const:shared.rates:FAST"),
    "a package's body": ('"""Shared."""\n', '"""Shared."""\nimport os\nos.umask(0)\n', "effects:shared"),
    "another target of an import": ("import normalize as norm", "import other as norm", ""),
    "another library": ("import argparse\n", "import optparse as argparse\n", "func:run:main"),
    "a decorator that hands the function on": ("def other():", "@functools.partial\ndef other():", ""),
}
COUNTS_NOT = {
    "the docstring of a function": ('"""Loads."""', '"""Reads."""'),
    "the docstring of a method": ('"""Fits."""', '"""Does."""'),
    "the name of a logger that nothing uses": ('getLogger("run")', 'getLogger("train")'),
    "a comment": ("EPOCHS = 3", "# how often\nEPOCHS = 3"),
    "formatting": ("return _half(x) * SCALE", "return (\n        _half(x)*SCALE\n    )"),
    "moved lines": ("def _half", "\n\n\ndef _half"),
    "an annotation": ("def main() -> None", "def main() -> object"),
    "an unused constant of the script": ("UNUSED = 4", "UNUSED = 5"),
    "an unused function of the script": ("def unused(x):\n    return x", "def unused(x):\n    return x + 1"),
    "another function of a helper": ("return OTHER", "return OTHER + 1"),
    "a constant that it alone uses": ("OTHER = 3", "OTHER = 4"),
    "an unused class": ("class Unused:\n    def run(self):\n        return 1", "class Unused:\n    pass"),
    "the main block of a module": ("    print(other())", "    print(other(), 1)"),
    "a new function of a helper": ("def other()", "def newer(x):\n    return x\n\n\ndef other()"),
    "a new import of a library": ("import functools\nimport os\n", "import functools\nimport json\nimport os\n"),
    "an unused function of a lazy module": ("def write(path):\n    return path", "def write(path):\n    return 1"),
    "an unused value beside a table": ('names = ["a"]', 'names = ["b"]'),
    "an unused subclass of an imported base": ("class Other(Base):\n    pass", "class Other(Base):\n    y = 1"),
    "an unused subclass": ("class Rest(Base):\n    pass", "class Rest(Base):\n    y = 1"),
    "a module that is not imported": ("X = 1", "X = 2"),
    "a definition in the place of none": ("def spare():\n    return 1", "spare = 3"),
    "an import for type checkers": (
        "import csv\n",
        "import csv\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import unrelated\n",
    ),
}


@pytest.mark.parametrize("title", COUNTS)
def test_an_edit_counts(title: str, take_script: TakeScript) -> None:
    old, new, keys = COUNTS[title]
    assert PROJECT.count(old) == 1
    before, after = take_script(PROJECT), take_script(PROJECT.replace(old, new))

    assert before.digest != after.digest
    if keys:
        assert keys.split() == [change.key for change in diff(before, after)]


@pytest.mark.parametrize("title", COUNTS_NOT)
def test_an_edit_does_not_count(title: str, take_script: TakeScript) -> None:
    old, new = COUNTS_NOT[title]
    assert PROJECT.count(old) == 1

    assert take_script(PROJECT).digest == take_script(PROJECT.replace(old, new)).digest


def test_the_project_is_followed_in_full(take_script: TakeScript) -> None:
    manifest = take_script(PROJECT)

    assert list(manifest) == [
        "class:shared.base:Base",
        "class:shared.models:Net",
        "const:helpers:SCALE",
        "const:run:EPOCHS",
        "const:run:HERE",
        "const:shared.rates:FAST",
        "const:shared.rates:RATE",
        "const:shared.tables:weights",
        "effects:helpers",
        "effects:run",
        "effects:shared.tables",
        "func:helpers:_half",
        "func:helpers:count",
        "func:helpers:normalize",
        "func:lazy:read",
        "func:run:load",
        "func:run:main",
    ]
    assert manifest.unresolved == ()
    assert manifest.path("func:helpers:_half") == (
        "effects:run",
        "func:run:main",
        "func:run:load",
        "func:helpers:normalize",
        "func:helpers:_half",
    )
    entry = manifest["func:helpers:normalize"]
    assert (entry.file, entry.line, entry.start, entry.end) == ("helpers.py", 9, 9, 10)
