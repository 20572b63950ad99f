"""The command line of a run as it is recorded: complete, except for values of parameters that are secret; pure."""

import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pivot_core.conversion import plain
from pivot_core.conversion.masking import MASK, is_secret_name, masked_urls
from pivot_core.params.overrides import Override, ParamError

_OPTION: Final = "--var"
_VARIABLE: Final = re.compile(r"(?:--var=)?([^=]*)=")
_ITEM: Final = re.compile(r"""([\w.-]+)["']?\s*:""")
"""The name of an item in the text of a mapping."""

type StageParams = tuple[str, str, Mapping[str, Any]]
"""The pipeline, the name and the parameters of a stage, with digests in the place of secrets."""


def masked(words: Sequence[str], overrides: Iterable[str], stages: Iterable[StageParams]) -> str:
    """Return a command line without values that are secret, or not known to be none.

    Args:
        words: The arguments of the executable.
        overrides: The values of parameters among them, each as ``stage.name=value``.
        stages: The stages of the run.
    """
    known = list(stages)
    hidden = {text: f"{text.partition('=')[0]}={MASK}" for text in overrides if not _is_public(text, known)}
    shown = (_shown(_variable(word, before), hidden) for before, word in itertools.pairwise(("", *words)))
    return f"pivot {shlex.join(shown)}".rstrip()


def masked_call(call: str, overrides: Iterable[str], stages: Iterable[StageParams]) -> str:
    """Return a call, such as ``pivot.repro('train')``, with the values of parameters that it was given, as `masked`."""
    known = list(stages)
    given = []
    for name, _, value in (text.partition("=") for text in overrides):
        given.append(f"{name!r}: {_shown(value, {}) if _is_public(f'{name}={value}', known) else MASK}")
    comma = "" if call.endswith("()") else ", "
    return f"{call.removesuffix(')')}{comma}params={{{', '.join(given)}}})"


def shown_values(overrides: Iterable[str], stages: Iterable[StageParams]) -> str:
    """Return values of parameters as text, without those that are secret, or not known to be none."""
    known = list(stages)
    return ", ".join(text if _is_public(text, known) else f"{text.partition('=')[0]}={MASK}" for text in overrides)


def _variable(word: str, before: str) -> str:
    """Return a word after ``--var`` without the value, if its name or that of an item says that it is a secret."""
    found = _VARIABLE.match(word)
    if found is None or not (before == _OPTION or word.startswith(f"{_OPTION}=")):
        return word
    names = (found[1], *_ITEM.findall(word, found.end()))
    return f"{found[0]}{MASK}" if any(map(is_secret_name, names)) else word


def _shown(word: str, hidden: Mapping[str, str]) -> str:
    """Return a word with a masked value; it is the last part of words such as ``-pSTAGE.NAME=VALUE``.

    In all other words, such as ``--var URL=VALUE``, passwords and tokens in URLs are masked.
    """
    for text, shown in hidden.items():
        if word.endswith(text):
            return word.removesuffix(text) + shown
    return masked_urls(word)


def _is_public(text: str, stages: Iterable[StageParams]) -> bool:
    """Whether an override is of a parameter without a secret in it, in each stage that it applies to."""
    try:
        override = Override.parse(text)
    except ParamError:
        return False
    found = []
    for pipeline, name, params in stages:
        path = override.path(pipeline, name, params)
        if path is not None:
            found.append(_at(params, path))
    return bool(found) and not any(map(_has_secret, found))


def _at(value: Any, path: Sequence[str]) -> Any:
    """Return a part of a value; the innermost that is found, for values with a form of their own."""
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            break
        value = value[name]
    return value


def _has_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return plain.is_secret(value) or any(map(_has_secret, value.values()))
    return isinstance(value, list) and any(map(_has_secret, value))
