"""Settling parameters in the host, which has their classes: values for the call, plain data for the decision."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pivot_core import params
from pivot_core.assigning import Override, ParamError
from pivot_core.errors import PivotError
from pivot_core.stage import Stage
from pivot_engine.paramfiles import ParamFiles

_COST = 1 << 14  # of scrypt: some 20 ms for each guess at a secret


def settle(
    stage: Stage, pipeline: str, *, root: str, files: ParamFiles, overrides: Iterable[Override]
) -> tuple[Stage, dict[str, Any]]:
    """A stage with its parameters, and these as plain data by name; secrets as digests.

    Raises:
        ParamError: A name is not known, or a value does not fit.
    """
    if stage.params is None:
        return stage, {}
    names = params.fields(stage.params.cls)
    meant = [(each, path) for each in overrides if (path := each.path(pipeline, stage.name, names))]
    settled = stage.settled(files.layers(pipeline, stage.name), meant, root=root)
    address = f"{pipeline}.{stage.name}"
    try:
        plain = params.to_plain(settled.values[stage.params.parameter], lambda name, text: seal(address, name, text))
    except ParamError:
        raise
    except PivotError as error:
        raise ParamError(f"{stage.location.below(root)}: stage {stage.name!r}: {error}", hint=error.hint) from None
    return settled, plain


def behaviour(stage: Stage, is_user_code: Callable[[str], bool]) -> Mapping[str, object]:
    """What a fingerprint must follow for the parameters: classes with code of their own, since values say it all else."""
    if stage.params is None:
        return {}
    classes = params.behaving(stage.params.cls, is_user_code)
    return {f"params:{stage.params.parameter}": list(classes)} if classes else {}


def seal(address: str, name: str, text: str) -> str:
    """What may be known of a secret: equal for equal secrets of one parameter of one stage, on every machine.

    The address and the name are the salt, so that the digest needs no file of its own, and a result in the run cache
    is found by whoever has the same secret. Each guess is made expensive, but a secret that can be guessed is none.
    """
    salt = f"pivot secret\0{address}\0{name}".encode()
    return hashlib.scrypt(text.encode(), salt=salt, n=_COST, r=8, p=1, dklen=16).hex()
