"""The table of all keys for the documentation, made of the keys themselves."""

import pathlib
import sys

from pivot_runtime.config.keys import KEYS, Key, variable

BEGIN = "<!-- the table of keys: made by `nox -s reference` -->\n"
END = "<!-- the end of the table of keys -->\n"


def table() -> str:
    """The Markdown table of every key."""
    head = "| key | variable | values | default | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(_cells(key))} |\n" for key in KEYS)


def page(text: str) -> str:
    """A page with the table in its place; the text around it is kept.

    Raises:
        ValueError: The page has no place for it.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page does not say where the table begins and ends")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _cells(key: Key) -> tuple[str, ...]:
    name = variable(key.family or key.name) + ("<NAME>" if key.family else "")
    default = key.unset if key.default is None else f"`{key.kind.show(key.default)}`"
    return f"`{key.name}`", f"`{name}`", key.kind.values, default, key.meaning


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = pathlib.Path(name)
        file.write_text(page(file.read_text()))
