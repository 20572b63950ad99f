"""URLs of data: the form without secrets that is recorded and shown, and the name of a file for their content."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import attrs

from pivot_core.values import Value

_SECRET: Final = re.compile(
    r"(?i)sign|^sig$|token|secret|^pass|passw|passphrase|pwd|credential|^x-amz-|^x-goog-|^jwt$|^auth$|^auth[_-]|[_-]auth$|authorization|session"
    r"|^key$|(api|access|private|account|subscription|license|shared|auth)[^a-z]?key"
)
"""The names of parameters of a URL that may contain secrets."""
_URL: Final = re.compile(r"[a-zA-Z][\w+.-]*://[^\s'\"<>]+")
"""A URL in a text."""
_SCP: Final = re.compile(r"[\w.~-]+@[\w.-]+:(?!//)")
"""The beginning of a location such as ``git@example.org:data.git``, whose user is no secret."""


@attrs.frozen(eq=False, repr=False)
class PublicUrl(Value):
    """A URL without secrets.

    Attributes:
        url: The URL.
        left_out: The parts that it lacks, in words; empty if it is complete.
    """

    url: str
    left_out: tuple[str, ...] = ()


def public(url: str) -> PublicUrl:
    """A URL without password, token and signature, an invalid one without its query; other texts as they are."""
    if "://" not in url or _SCP.match(url):
        return PublicUrl(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        scheme, _, rest = url.partition("://")
        host, path = re.split("[/?#]", rest, maxsplit=1)[0], re.split("[?#]", rest, maxsplit=1)[0]
        return PublicUrl(f"{scheme}://{host.rpartition('@')[2]}{path.removeprefix(host)}")
    left_out = []
    user, at, host = parts.netloc.rpartition("@")
    if at and (":" in user or parts.scheme in ("http", "https")):
        left_out.append("the user and the password")
        user = "" if parts.scheme in ("http", "https") else f"{user.partition(':')[0]}@"
        parts = parts._replace(netloc=f"{user}{host}")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not _SECRET.search(name)]
    if len(kept) != len(pairs):
        left_out.append("the signature or token")
        parts = parts._replace(query=urlencode(kept))
    return PublicUrl(urlunsplit(parts._replace(fragment="")), tuple(left_out))


def file_name(url: str) -> str:
    """The last part of the path of a URL, as the name of a file; empty if there is none that can be one."""
    name = unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")
    return "" if name in (".", "..") or "/" in name or "\0" in name else name


def masked(text: str, url: str) -> str:
    """A text that may repeat a URL, or a part or another form of it, without the secrets in it."""
    return _URL.sub(lambda found: public(found[0]).url, text.replace(url, public(url).url))
