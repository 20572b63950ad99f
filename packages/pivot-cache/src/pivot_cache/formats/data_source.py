"""The origin of imported data, as a ``.pvt`` file records it: an artifact of another repository, or a URL.

One of::

    {"repo": "https://example.org/data.git", "path": "raw/x.csv", "rev": "main", "commit": "0123..."}
    {"url": "https://example.org/x.csv", "etag": "...", "modified": "...", "size": 123}

Neither contains credentials. ``rev``, ``etag``, ``modified`` and ``size`` are omitted if they are not known.
"""

import re

import attrs

from pivot_cache.formats.artifact_json import FieldError, below, fields, mapping, number, text
from pivot_core.values import Value

_REPOSITORY = frozenset({"repo", "path", "rev", "commit"})
_URL = frozenset({"url", "etag", "modified", "size"})
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@attrs.frozen(eq=False, repr=False)
class RepositorySource(Value):
    """An artifact of another git repository.

    Attributes:
        repo: The repository's URL, or its directory, relative to the root of the project or absolute.
        path: The path of the artifact in the repository.
        commit: The id of the commit whose record gave the content.
        rev: The branch or tag to follow; None for the repository's default branch.
    """

    repo: str
    path: str
    commit: str
    rev: str | None = None

    def __str__(self) -> str:
        """``path of repo at commit``."""
        rev = "" if self.rev is None else f"{self.rev}, "
        return f"{self.path} of {self.repo} at {rev}{self.commit[:10]}"

    def encoded(self) -> dict[str, object]:
        """The plain form that `parse` reads."""
        facts = {"repo": self.repo, "path": self.path, "rev": self.rev, "commit": self.commit}
        return {key: value for key, value in facts.items() if value is not None}


@attrs.frozen(eq=False, repr=False)
class UrlState(Value):
    """The description of the content of a URL by its server; None where it says nothing.

    Attributes:
        etag: The entity tag.
        modified: The time of the last change, as the server writes it.
        size: The length in bytes.
    """

    etag: str | None = None
    modified: str | None = None
    size: int | None = None

    def same(self, other: "UrlState") -> bool | None:
        """Whether two answers are about the same content; None if they do not say.

        Entity tags decide if both answers have one; then times, which say only whether something changed.
        """
        if None not in (self.size, other.size) and self.size != other.size:
            return False
        if self.etag is not None and other.etag is not None:
            return self.etag == other.etag
        if self.modified is not None and other.modified is not None:
            return self.modified == other.modified and self.size == other.size
        return None


@attrs.frozen(eq=False, repr=False)
class UrlSource(Value):
    """A URL.

    Attributes:
        url: The URL, without credentials.
        state: The server's answer when the content was downloaded.
    """

    url: str
    state: UrlState = attrs.field(factory=UrlState)

    def __str__(self) -> str:
        """The URL."""
        return self.url

    def encoded(self) -> dict[str, object]:
        """The plain form that `parse` reads."""
        state = self.state
        facts = {"url": self.url, "etag": state.etag, "modified": state.modified, "size": state.size}
        return {key: value for key, value in facts.items() if value is not None}


type DataSource = RepositorySource | UrlSource
"""The origin of imported data."""


def parse(value: object, field: str) -> DataSource:
    """The source in untrusted JSON.

    Raises:
        FieldError: It is none.
    """

    def optional(name: str) -> str | None:
        return text(record[name], below(field, name)) if name in record else None

    if "repo" in mapping(value, field):
        record = fields(value, field, _REPOSITORY, frozenset({"rev"}))
        commit = text(record["commit"], below(field, "commit"))
        if not _COMMIT.fullmatch(commit):
            raise FieldError(below(field, "commit"), "must be the id of a commit")
        repo, path = (text(record[name], below(field, name)) for name in ("repo", "path"))
        return RepositorySource(repo, path, commit, optional("rev"))
    record = fields(value, field, _URL, _URL - {"url"})
    size = number(record["size"], below(field, "size")) if "size" in record else None
    return UrlSource(text(record["url"], below(field, "url")), UrlState(optional("etag"), optional("modified"), size))
