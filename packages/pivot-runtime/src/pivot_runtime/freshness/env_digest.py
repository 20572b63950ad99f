"""The digests of environment variables, without their values: imports next to nothing."""

import xxhash

from pivot_runtime.freshness.stamps import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "variable"
"""One environment variable."""
VARIABLES = "variables"
"""All whose names begin so; all that not every shell and prompt changes, if they may begin with anything."""

_RESTLESS = frozenset({"_", "OLDPWD", "PWD", "SHLVL"})


def of_environment(kind: str, name: str, environment: "Mapping[str, str]", salt: str) -> str:
    """The state of a `VARIABLE` or of `VARIABLES`: a digest that says nothing to who does not know the value."""
    if kind == VARIABLE:
        value = environment.get(name)
        return ABSENT if value is None else _sealed(value, salt)
    chosen = sorted(
        f"{each}={value}"
        for each, value in environment.items()
        if each.startswith(name) and (name or each not in _RESTLESS)
    )
    return _sealed("\0".join(chosen), salt)


def _sealed(text: str, salt: str) -> str:
    return xxhash.xxh3_128_hexdigest(f"{salt}\0{text}".encode("utf-8", "surrogateescape"))
