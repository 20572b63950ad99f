"""Which values may be secrets by their names, and the text in their place; pure."""

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from pivot_core.conversion.plain import SECRET

MASK: Final = "***"
"""The text in the place of a part of a text that may be secret."""

HIDDEN: Final = {SECRET: ""}
"""A value that may be secret, as plain data: unlike that of a declared secret, not even its digest is known."""

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS: Final = frozenset(
    {
        *("apikey", "auth", "authorization", "credential", "credentials", "key", "passphrase", "passwd", "password"),
        *("passwords", "pwd", "secret", "secrets", "signature", "token"),
    }
)
_LOGIN: Final = re.compile(r"(?<=://)[^/\s]+@")
_SECRET: Final = re.compile(r"(?i)([?&][^=&#\s]*(?:auth|credential|key|passw|pwd|secret|sig|token)[^=&#\s]*=)[^&#\s]+")
"""A user with a password in a URL, and a parameter of one that may be a secret."""


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a part of a name, as in ``api_key``, ``dbPassword`` or ``token.value``, is a word for secrets."""
    return any(part.lower() in _WORDS for part in _PARTS.findall(name))


def masked_urls(text: str) -> str:
    """A text without the passwords and tokens in its URLs."""
    return _SECRET.sub(rf"\1{MASK}", _LOGIN.sub(f"{MASK}@", text)) if "=" in text or "://" in text else text


def public(value: Any, name: str = "") -> Any:
    """Plain data of this name without what may be secret."""
    if is_secret_name(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: public(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [public(each) for each in value]
    return masked_urls(value) if isinstance(value, str) else value
