"""The end of a stage run as JSON, read as untrusted input: it comes from another machine."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_runtime.executors.base import Failure, Finished
from pivot_runtime.tracing.usage import ResourceUsage, UsedFiles

_MOST: Final = 1 << 60
"""More than any number of seconds or bytes."""


def to_plain(finished: Finished) -> dict[str, Any]:
    """The end as data for JSON, without its outs."""
    usage = finished.usage
    return {
        "address": finished.address,
        "seconds": finished.seconds,
        "failure": None if finished.failure is None else attrs.asdict(finished.failure),
        "observed": {key: artifact_json.encode_code(entry) for key, entry in finished.observed.items()},
        "incomplete": list(finished.incomplete),
        "seen": finished.seen.to_plain(),
        "usage": None if usage is None else [usage.cpu, usage.memory],
        "left": list(finished.left),
    }


def failure_texts(plain: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """The summary, the detail and the hint of such data; see `of_plain`."""
    summary, detail = (artifact_json.text(plain[name], name) for name in ("summary", "detail"))
    hint = plain["hint"]
    return summary, detail, None if hint is None else artifact_json.text(hint, "hint")


def of_plain(plain: Mapping[str, Any]) -> Finished:
    """The end of such data.

    Raises:
        FieldError: A value is of another kind, or no amount.
        KeyError: One is missing.
        TypeError: The data are no object.
    """
    failure, usage, seen = plain["failure"], plain["usage"], artifact_json.mapping(plain["seen"], "seen")
    return Finished(
        artifact_json.text(plain["address"], "address"),
        _amount(plain["seconds"], "seconds"),
        None if failure is None else Failure(*failure_texts(failure)),
        artifact_json.code_entries(plain["observed"], "observed"),
        _texts(plain["incomplete"], "incomplete"),
        UsedFiles(*(_texts(seen[name], name) for name in ("read", "wrote", "variables", "unseen", "changed"))),
        None if usage is None else _usage(*usage),
        _texts(plain["left"], "left"),
    )


def _usage(cpu: object, memory: object) -> ResourceUsage:
    return ResourceUsage(_amount(cpu, "usage"), int(_amount(memory, "usage")))


def _amount(value: object, field: str) -> float:
    """A number of seconds or bytes."""
    if type(value) not in (int, float) or not 0 <= (amount := float(value)) < _MOST:  # type: ignore[arg-type]
        raise FieldError(field, f"is no amount: {value!r:.50}")
    return amount


def _texts(plain: object, field: str) -> tuple[str, ...]:
    return tuple(artifact_json.text(each, field) for each in artifact_json.sequence(plain, field))
