"""A limit on the values that substitution and expansion may create, since a short file may expand without bound."""

from typing import Any, Final

from pivot_core.pivot_yaml.validate import ValidationError, subject
from pivot_core.stages.interpolation import Path

MOST_VALUES: Final = 300_000
"""The maximum number of values in a file after substitution and expansion; a long text counts as several."""

_LETTERS_OF_A_VALUE: Final = 64
_DEEPEST: Final = 200


class Measure:
    """Counts values, up to a limit."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        """Nothing has been counted."""
        self._most = self._left = most

    def take(self, value: Any, path: Path) -> None:
        """Count a value with everything in it.

        Raises:
            ValidationError: The limit is exceeded, or the value is nested too deeply.
        """
        level = [value]
        for _ in range(_DEEPEST):
            inner: list[Any] = []
            for each in level:
                self.count(1 + (len(each) // _LETTERS_OF_A_VALUE if isinstance(each, str) else 0), path)
                if isinstance(each, dict):
                    inner.extend(each.values())
                elif isinstance(each, list):
                    inner.extend(each)
            if not inner:
                return
            level = inner
        raise ValidationError(
            f"{subject(path)} is nested more than {_DEEPEST} levels deep", path, hint="reduce the nesting"
        )

    def count(self, many: int, path: Path) -> None:
        """Count so many values.

        Raises:
            ValidationError: The limit is exceeded.
        """
        self._left -= many
        if self._left < 0:
            raise ValidationError(
                f"with {subject(path)} this file contains more than {self._most:,} values after substitution and "
                "expansion",
                path,
                hint="reduce the references, or the number of variants",
            )
