"""Record of the code that ran: functions and modules by name and place, and the reasons why it may be incomplete."""

from collections.abc import Iterable
from typing import NamedTuple

from pivot_fingerprint.errors import ManifestError

__pivot_module__ = "pivot_fingerprint"

_SCHEMA = 1
_FIELDS = 5
MODULE = "<module>"
WHOLE = "*"
"""The name of a module whose functions could not be observed, so that all of them count."""
SOURCE = "<source>"
"""The name of a source that a program read as text and executed, so that all of it counts."""


class Ran(NamedTuple):
    """One function, the body of a module (`<module>`) or a module as a whole (`*`, `<source>`) that ran."""

    file: str  # POSIX, relative to the root
    module: str
    qualname: str
    line: int  # 0: what it calls could not be observed
    importing: str = ""  # the module during whose import alone it was called


class Observed(NamedTuple):
    """All code that was observed, sorted, and the reasons why more may have run."""

    ran: tuple[Ran, ...] = ()
    incomplete: tuple[str, ...] = ()

    @classmethod
    def of(cls, ran: Iterable[Ran], incomplete: Iterable[str]) -> "Observed":
        """A record without repetition; code that also ran outside an import is not listed for the import."""
        every = set(ran)
        kept = (one for one in every if not one.importing or one._replace(importing="") not in every)
        return cls(tuple(sorted(kept)), tuple(sorted(set(incomplete))))

    def to_json(self) -> dict[str, object]:
        """Plain data for `json.dump`; `from_json` returns an equal value."""
        return {"schema": _SCHEMA, "ran": [list(one) for one in self.ran], "incomplete": list(self.incomplete)}

    @classmethod
    def from_json(cls, data: object) -> "Observed":
        """The record that `to_json` wrote.

        Raises:
            ManifestError: The data is not valid; `field` names the place.
        """
        if not isinstance(data, dict) or set(data) != {"schema", "ran", "incomplete"}:
            raise ManifestError("observed", "expected an object with `schema`, `ran` and `incomplete`")
        if type(data["schema"]) is not int or data["schema"] != _SCHEMA:
            raise ManifestError("schema", f"expected {_SCHEMA}, not {data['schema']!r}")
        for name in ("ran", "incomplete"):
            if not isinstance(data[name], list):
                raise ManifestError(name, "expected a list")
        for number, reason in enumerate(data["incomplete"]):
            if not isinstance(reason, str):
                raise ManifestError(f"incomplete[{number}]", "expected text")
        ran = []
        for number, raw in enumerate(data["ran"]):
            one = ran_from_json(raw)
            if one is None:
                raise ManifestError(f"ran[{number}]", "expected file, module, name, line and the module imported")
            ran.append(one)
        return cls.of(ran, data["incomplete"])


def ran_from_json(raw: object) -> Ran | None:
    """The record in a row of JSON data, or None if the row is invalid."""
    if not isinstance(raw, list) or len(raw) != _FIELDS:
        return None
    file, module, qualname, line, importing = raw
    if type(line) is not int or not all(isinstance(text, str) for text in (file, module, qualname, importing)):
        return None
    return Ran(file, module, qualname, line, importing)
