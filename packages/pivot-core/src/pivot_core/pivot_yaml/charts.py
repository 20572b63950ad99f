"""How plots of a ``pivot.yaml`` are drawn, also in the words of a ``dvc.yaml``; pure."""

from collections.abc import Mapping
from typing import Any, Final

from pivot_core.errors import suggest
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.stages.interpolation import Path

OPTIONS: Final = ("kind", "x", "y", "group", "title", "x_label", "y_label")
"""The options of a chart."""

_KINDS: Final[Mapping[str, str]] = {
    "linear": "line",
    "simple": "line",
    "smooth": "line",
    "scatter": "scatter",
    "scatter_jitter": "scatter",
    "confusion": "confusion",
    "confusion_normalized": "confusion",
    "bar_horizontal": "bar",
    "bar_horizontal_sorted": "bar",
}
"""The kind of chart by the name of DVC's template."""

_EXCHANGED: Final = {"x": "y", "y": "x", "x_label": "y_label", "y_label": "x_label"}


def chart(facts: Mapping[str, Any], at: Path) -> dict[str, Any]:
    """The options of a chart in the data of a plot; bars stand upright, so horizontal ones exchange their axes.

    Raises:
        ValidationError: It names a template that there is not, or a table without the names of its columns.
    """
    options = {name: facts[name] for name in OPTIONS if name in facts}
    if not facts.get("header", True):
        raise ValidationError(
            "a plot needs the names of its columns", (*at, "header"), hint="write them in the first line of the file"
        )
    template = facts.get("template")
    if template is None:
        return options
    if "kind" in facts:
        raise ValidationError("'kind' and 'template' mean the same", (*at, "template"), hint="remove one of the two")
    if template not in _KINDS:
        raise ValidationError(
            f"there is no template {template!r} here",
            (*at, "template"),
            hint=suggest(template, _KINDS) or f"it is one of {', '.join(_KINDS)}",
        )
    kind = _KINDS[template]
    if kind == "bar":
        options = {_EXCHANGED.get(name, name): value for name, value in options.items()}
    return {"kind": kind, **options}
