"""Projects that do the same work in three ways: with Pivot, as a plain script, and with doit."""

import pathlib
from collections.abc import Mapping

LIBRARIES = ("pandas", "sklearn", "matplotlib")
"""The libraries of a project with heavy imports."""
PARTS = 3
"""Modules of a large project that import one another in a row; nothing imports across such groups."""

_HEAD = """from typing import Annotated

import pivot
from pivot.loaders import Text

{imports}

pipeline = pivot.Pipeline("{name}")
"""

_STAGE = """

@pipeline.register
def s{number}(text: Annotated[str, pivot.Dep("{dep}", Text())]) -> Annotated[str, pivot.Out("{out}", Text())]:
    return {body}
"""

_STEP = """

def s{number}():
    text = pathlib.Path("{dep}").read_text()
    pathlib.Path("{out}").write_text({body})
"""

_PLAIN = """import pathlib

{imports}
{steps}

for number in range({count}):
    globals()[f"s{{number}}"]()
"""

_DOIT = """import pathlib

{imports}
{steps}

STEPS = {table}


def task_step():
    for number, (deps, target, code) in enumerate(STEPS):
        yield {{
            "name": str(number),
            "actions": [globals()[f"s{{number}}"]],
            "file_dep": deps,
            "targets": [target],
            "uptodate": [code_unchanged(code)],
        }}


def code_unchanged(name):
    if name is None:
        return True
    from doit.tools import config_changed

    code = getattr(helpers, name).__code__
    return config_changed(code.co_code.hex() + repr(code.co_consts))
"""


class Work:
    """Steps of one file each, in the order in which a plain script takes them."""

    def __init__(self, imports: str) -> None:
        self.imports = imports
        self.files: dict[str, str] = {"w/0": "text"}
        self._stages = self._steps = ""
        self._table: list[tuple[list[str], str, str | None]] = []

    def add(self, dep: str, out: str, body: str, *, helper: str | None = None, sources: tuple[str, ...] = ()) -> None:
        """A step; doit runs it again if the code of ``helper`` or one of the files ``sources`` changes."""
        step = {"number": len(self._table), "dep": dep, "out": out, "body": body}
        self._stages += _STAGE.format(**step)
        self._steps += _STEP.format(**step)
        self._table.append(([dep, *sources], out, helper))

    def join(self, deps: list[str], out: str) -> None:
        """A last step that reads all that is named."""
        number = len(self._table)
        listed = ", ".join(f'"{dep}"' for dep in deps)
        self._stages += (
            f"\n\n@pipeline.register\ndef s{number}(texts: Annotated[list[str], pivot.Dep([{listed}], Text())]) -> "
            f'Annotated[str, pivot.Out("{out}", Text())]:\n    return "".join(texts)\n'
        )
        self._steps += (
            f"\n\ndef s{number}():\n    texts = [pathlib.Path(name).read_text() for name in [{listed}]]\n"
            f'    pathlib.Path("{out}").write_text("".join(texts))\n'
        )
        self._table.append((deps, out, None))

    def project(self) -> dict[str, str]:
        """All files, by path."""
        count = len(self._table)
        written = {"imports": self.imports, "steps": self._steps, "count": count, "table": repr(self._table)}
        return self.files | {
            "pipeline.py": _HEAD.format(imports=self.imports, name="p") + self._stages,
            "plain.py": _PLAIN.format(**written),
            "dodo.py": _DOIT.format(**written),
        }


def chain(count: int) -> dict[str, str]:
    """Stages in a row, each with a helper of its own, all in one module."""
    work = Work("import helpers")
    helpers = []
    for number in range(count):
        helpers.append(f'def h{number}(text: str) -> str:\n    return text + "{number % 10}"\n')
        work.add(f"w/{number}", f"w/{number + 1}", f"helpers.h{number}(text)[-50:]", helper=f"h{number}")
    work.files["helpers.py"] = "\n\n".join(helpers)
    return work.project()


def edited_chain(count: int) -> dict[str, str]:
    """The module of helpers, one of which is written in another way, with the same result."""
    text = chain(count)["helpers.py"]
    name = f"def h{count // 2}(text: str) -> str:\n    return "
    assert text.count(name) == 1
    return {"helpers.py": text.replace(name, f'{name}"" + ')}


def fan(count: int) -> dict[str, str]:
    """One file that many stages read, and a stage that reads what they write."""
    work = Work("import helpers")
    work.files["helpers.py"] = 'def h(text: str) -> str:\n    return text + "x"\n'
    for number in range(count):
        work.add("w/0", f"w/f{number}", f'helpers.h(text) + "{number}"', helper="h")
    work.join([f"w/f{number}" for number in range(count)], "w/end")
    return work.project()


def modules(count: int, functions: int, stages: int) -> dict[str, str]:
    """Many modules in a package, in groups; each stage uses one group."""
    firsts = range(0, count, PARTS)
    work = Work("\n".join(f"from lib import m{number}" for number in firsts))
    work.files["lib/__init__.py"] = ""
    for number in range(count):
        work.files[f"lib/m{number}.py"] = _module(number, functions, last=number % PARTS == PARTS - 1)
    for number in range(stages):
        first = firsts[number]
        sources = tuple(f"lib/m{first + part}.py" for part in range(PARTS))
        body = f"text[-50:] + str(m{first}.f{functions - 1}({number}.0))"
        work.add(f"w/{number if number % 2 else 0}", f"w/{number + 1}", body, sources=sources)
    return work.project()


def edited_modules(functions: int) -> dict[str, str]:
    """A module of two stages: one that uses it, and one that reads what that one writes."""
    text = _module(10 * PARTS, functions, last=False)
    return {f"lib/m{10 * PARTS}.py": text.replace("abs(total)", "abs(total + 1)")}


def _module(number: int, functions: int, *, last: bool) -> str:
    text = "import math\n" + ("" if last else f"from lib import m{number + 1}\n")
    for index in range(functions):
        lower = f"f{index - 1}(x)" if index else "x" if last else f"m{number + 1}.f{functions - 1}(x)"
        text += f'''

def f{index}(x: float) -> float:
    """A function."""
    values = [x * {index} + each for each in range({index + 2})]
    total = sum(value for value in values if value > {number})
    return math.sqrt(abs(total)) + {lower}
'''
    return text


def heavy(imports: Mapping[str, str], edit: int = 0) -> dict[str, str]:
    """Two pipelines that use the same heavy libraries and a module that is edited; stages say when they begin."""
    lines = "\n".join(("import common", *(f"import {name}" for name in imports.values())))
    used = ", ".join(f"{name}.__name__" for name in imports.values())
    call = f"common.line([{used}], text)"
    files = {
        "common.py": (
            "import time\n\n\ndef line(names: list[str], text: str) -> str:\n"
            f'    return f"{{time.time_ns()}} {edit} {{names}} {{text}}"\n'
        ),
        "plain.py": (
            f'import pathlib\n\n{lines}\n\nfor name in ("", "sub/"):\n'
            f'    text = pathlib.Path(name + "in.txt").read_text()\n'
            f'    pathlib.Path(name + "out.txt").write_text({call})\n'
        ),
    }
    for directory, name in (("", "p"), ("sub/", "q")):
        stage = _STAGE.format(number=0, dep="in.txt", out="out.txt", body=call)
        files[f"{directory}pipeline.py"] = _HEAD.format(imports=lines, name=name) + stage
        files[f"{directory}in.txt"] = "text"
    return files


def write(directory: pathlib.Path, files: Mapping[str, str]) -> None:
    """Write files, and the directories that they are in."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
