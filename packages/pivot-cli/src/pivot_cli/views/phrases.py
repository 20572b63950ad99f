"""Formats decisions as text: keys, digests, reasons; pure."""

import datetime as dt
import itertools
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from pivot_cli.terminal import formats
from pivot_core.decide import Decision, FactChange, Reason, Verdict
from pivot_core.errors import list_names

if TYPE_CHECKING:
    from pivot_cache.formats.tree import TreeDifference

_PREFIX: Mapping[Reason, str] = {
    Reason.LIBRARY: "library:",
    Reason.PARAM: "param:",
    Reason.ENV: "env:",
    Reason.DEP: "dep:",
    Reason.OUT_SPEC: "out:",
    Reason.OUT_MISSING: "out:",
    Reason.OUT_MODIFIED: "out:",
    Reason.OUT_LOST: "out:",
    Reason.DEP_MISSING: "dep:",
    Reason.OUT_TAKEN: "out:",
}
_SECRET = re.compile(r'\{"\$secret":"[0-9a-f]*"\}')  # quotes inside a text are escaped, so this is not a text
_WHOLE = ":*"
"""The suffix of the key of a whole module."""
_DIGITS = 8


def short_key(key: str) -> str:
    """Return a manifest key without its module: ``func:utils:normalize`` becomes ``func:normalize``."""
    kind, _, rest = key.removesuffix(_WHOLE).partition(":")
    module, found, name = rest.rpartition(":")
    return f"{kind}:{name}" if found and module and kind != "param" else f"{kind}:{rest}" if rest else key


def bare_name(key: str) -> str:
    """Return the name in a manifest key: ``func:utils:normalize`` becomes ``normalize``."""
    return key.removesuffix(_WHOLE).rpartition(":")[2]


def chain(path: Iterable[str]) -> str:
    """Return the names of the entries that lead to an entry, each once."""
    return " -> ".join(name for name, _ in itertools.groupby(map(bare_name, path)))


def keys(changes: Sequence[FactChange]) -> dict[FactChange, str]:
    """Return the displayed subject of each change: the short key, unless two changes share it."""
    count: dict[str, int] = {}
    for change in changes:
        if change.reason is Reason.CODE:
            count[short_key(change.key)] = count.get(short_key(change.key), 0) + 1
    return {
        change: short_key(change.key)
        if change.reason is Reason.CODE and count[short_key(change.key)] == 1
        else f"{_PREFIX.get(change.reason, '')}{change.key}"
        for change in changes
    }


def value(reason: Reason, text: str | None) -> str:
    """Return one side of a change: eight digits of a digest, or the value itself."""
    if text is None:
        return "(none)"
    if reason is Reason.PARAM:
        return param(text)
    if reason is Reason.ENV:
        return "(secret)" if text else "(not set)"
    if reason is Reason.EXPIRED:
        return moment(int(text))
    return text if reason in (Reason.LIBRARY, Reason.OUT_SPEC, Reason.SCHEMA) else text[:_DIGITS]


def fact(kind: str, text: str) -> str:
    """Return the value of a compared fact: eight digits of a digest, or the value itself without secrets."""
    match kind:
        case "param":
            return param(text)
        case "env":
            return value(Reason.ENV, text)
        case "library":
            return text
        case _:
            return text[:_DIGITS]


def moment(seconds: float) -> str:
    """Return a time since the epoch as a date and a time of day."""
    return dt.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def param(text: str) -> str:
    """Return the canonical text of a parameter; for a secret, not even its digest."""
    return _SECRET.sub("(secret)", text)


def all_reasons(decision: Decision) -> str:
    """Return all reasons, the most important first."""
    return ", ".join(reason.value for reason in decision.reasons)


def main_reason(decision: Decision, names: Mapping[str, str], upstream: Iterable[str]) -> str:
    """Return the most important reason and its subjects in one line."""
    if not decision.reasons:
        return ""
    reason, *others = decision.reasons
    if reason is Reason.FROZEN:
        rest = main_reason(attrs.evolve(decision, reasons=tuple(others)), names, upstream)
        return f"{reason.value} ({rest})" if rest else reason.value
    if reason is Reason.EXPIRED:
        (made,) = (change.old for change in decision.changes if change.reason is reason)
        return f"{reason.value}: {f'made {value(reason, made)}' if made else 'its age is not recorded'}"
    if reason is Reason.UPSTREAM:
        subjects = [names.get(address, address) for address in upstream]
    elif reason is Reason.UPSTREAM_BLOCKED:
        subjects = [names.get(change.key, change.key) for change in decision.changes if change.reason is reason]
    else:
        short_names = keys(decision.changes)
        subjects = [
            short_names[change]
            if reason is Reason.CODE
            else f"{change.key} ({change.new})"
            if reason is Reason.OUT_TAKEN
            else change.key
            for change in decision.changes
            if change.reason is reason and reason not in (Reason.NEVER_RUN, Reason.FORCED, Reason.SCHEMA)
        ]
    return f"{reason.value}: {list_names(subjects)}" if subjects else reason.value


_SUMMARIES: Mapping[Reason, str] = {
    Reason.FORCED: "forced",
    Reason.NEVER_RUN: "never run",
    Reason.SCHEMA: "fingerprint schema changed",
    Reason.ENV: "variable {} changed",
    Reason.DEP: "{} changed",
    Reason.OUT_SPEC: "declaration of {} changed",
    Reason.EXPIRED: "result expired",
    Reason.OUT_MISSING: "{} missing",
    Reason.OUT_MODIFIED: "{} modified",
    Reason.OUT_LOST: "{} not in the cache",
    Reason.UPSTREAM: "{} will run",
    Reason.ALWAYS: "always runs",
    Reason.DEP_MISSING: "{} missing",
    Reason.OUT_TAKEN: "path {} is taken",
    Reason.UPSTREAM_BLOCKED: "{} cannot run",
}
_LONGEST_SIDE: Final = 16
"""A value of a summary; a longer one is only said to have changed."""


def summary(
    decision: Decision, names: Mapping[str, str], upstream: Iterable[str], followed: Container[str] = ()
) -> str:
    """Return the most important reason in a few words: ``helper normalize changed``; empty without a reason.

    Args:
        decision: The decision.
        names: The displayed name of every stage, by address.
        upstream: The addresses of the stages that will run first.
        followed: The keys of code that other code of the stage leads to.
    """
    reason = next((each for each in decision.reasons if each is not Reason.FROZEN), None)
    if reason is None:
        return ""
    changes = [change for change in decision.changes if change.reason is reason]
    if reason is Reason.CODE:
        return list_names([_code_summary(change, followed) for change in changes], 1)
    if reason in (Reason.PARAM, Reason.LIBRARY):
        return list_names([_sides(change) for change in changes], 1)
    subjects = list(upstream) if reason is Reason.UPSTREAM else [change.key for change in changes]
    return _SUMMARIES[reason].format(list_names([names.get(each, each) for each in subjects], 1))


def _code_summary(change: FactChange, followed: Container[str]) -> str:
    kind = "helper " if change.key.startswith("func:") and change.key in followed else ""
    verb = "added" if change.old is None else "removed" if change.new is None else "changed"
    return f"{kind}{bare_name(change.key)} {verb}"


def _sides(change: FactChange) -> str:
    old, new = value(change.reason, change.old), value(change.reason, change.new)
    short = max(len(old), len(new)) <= _LONGEST_SIDE and old != new
    return f"{change.key} {old} → {new}" if short else f"{change.key} changed"


def describe_difference(found: "TreeDifference", directory: str) -> str:
    """Return ``changed d/a; new d/b; 2 of 3 files not here: d/c, d/d``; empty if no difference is known."""
    parts = []
    for what, names in (("changed", found.changed), ("new", found.added)):
        if names:
            parts.append(f"{what} {list_names([f'{directory}/{name}' for name in names])}")
    if found.absent:
        absent = list_names([f"{directory}/{name}" for name in found.absent])
        parts.append(f"{len(found.absent)} of {formats.counted(found.listed, 'file')} not here: {absent}")
    return "; ".join(parts)


def bring_back(path: str) -> str:
    """Return the command that restores the saved content of a path."""
    import shlex  # lazy

    return shlex.join(["pivot", "checkout", "--kept", path])


def action(verdict: Verdict) -> str:
    """Return the meaning of a verdict for a stage."""
    return {
        Verdict.UP_TO_DATE: "CACHED",
        Verdict.RUN: "WILL RUN",
        Verdict.RESTORE: "WILL RESTORE",
        Verdict.BLOCKED: "BLOCKED",
        Verdict.FROZEN: "FROZEN",
    }[verdict]


def describe_rerun(result: Mapping[str, Any] | None) -> str:
    """Describe the result of running a stage once more; empty without one."""
    if result is None:
        return ""
    when = dt.datetime.fromtimestamp(result["time"]).astimezone().strftime("%Y-%m-%d")
    if result["verdict"] == "same":
        return f"wrote the same bytes when it ran once more ({when})"
    verb = "differed" if result["verdict"] == "differs" else "failed"
    return f"{verb} when it ran once more ({when}): {result['detail']}"


def rerun_json(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the result of running a stage once more as the documented JSON."""
    return (
        None if result is None else {"verdict": result["verdict"], "detail": result["detail"], "time": result["time"]}
    )
