"""The modules that the session `types` checks are those of the pages, with the lines of the pages."""

import ast
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

import typed_examples

PAGE = """\
# Title

```python title="steps.py"
def one() -> int:
    return 1
```

```python title="pipeline.py"
import steps
from steps import one
```

Text.

```python
a = 1
```

<!-- docs: not run: a part of a stage -->
```python
return 2
```

- item

  ```python
  b = a
  ```

```python title="steps.py"
def two() -> int: ...
```
"""


def test_examples_become_modules_with_names_and_lines_of_their_page() -> None:
    found = dict(typed_examples.modules("docs/guides/a-page.md", PAGE))

    steps, pipeline, page = "docs_guides_a_page__steps", "docs_guides_a_page__pipeline", "docs_guides_a_page__page"
    assert found.keys() == {steps, f"{steps}_2", pipeline, page}
    assert found[pipeline].split("\n")[8:10] == [f"import {steps} as steps", f"from {steps} import one"]
    lines = found[page].split("\n")
    assert (lines[15], lines[26]) == ("a = 1", "b = a")


def test_a_page_imports_modules_of_the_page_that_it_continues() -> None:
    names: dict[str, str] = {}
    _ = dict(typed_examples.modules("docs/a.md", PAGE, names))
    found = dict(typed_examples.modules("docs/b.md", '```python title="more.py"\nimport steps\n```\n', names))

    assert found == {"docs_b__more": "\nimport docs_a__steps_2 as steps\n"}


def test_all_examples_are_modules(tmp_path: pathlib.Path) -> None:
    typed_examples.main(tmp_path)
    names = {path.stem for path in tmp_path.glob("*.py")}

    assert {"README__pipeline", "docs_guides_loaders__page", "examples_quickstart_pipeline"} <= names
    assert [name for name in names if not ast.parse((tmp_path / f"{name}.py").read_text()).body] == []
