"""The page of the documentation that helps with an error: one table, by the class of the error."""

import errno
from collections.abc import Mapping
from typing import Final

GENERAL: Final = "troubleshooting"
"""The page that lists problems by symptom."""

TOPICS: Final[Mapping[str, str]] = {
    # pivot-core
    "CheckError": "troubleshooting#loader",
    "ConversionError": "troubleshooting#params",
    "DefinitionError": "troubleshooting#declaration",
    "DeclarationError": "troubleshooting#yaml",
    "DiscoveryError": "troubleshooting#no-project",
    "InterpolationError": "yaml-templates",
    "LoaderError": "troubleshooting#loader",
    "MatrixError": "families",
    "NotPlainError": "troubleshooting#params",
    "ParamError": "troubleshooting#params",
    "PivotError": GENERAL,
    "ValidationError": "troubleshooting#yaml",
    # pivot-cache
    "ArtifactError": "troubleshooting#track",
    "CacheError": GENERAL,
    "ChangedError": "troubleshooting#in-the-way",
    "CorruptObjectError": "troubleshooting#corrupt",
    "IncompleteTreeError": "troubleshooting#object-missing",
    "LockFileError": "troubleshooting#lock-file",
    "MissingObjectError": "troubleshooting#object-missing",
    "RemoteCorruptError": "troubleshooting#corrupt",
    "RemoteDeniedError": "troubleshooting#remote-refuses",
    "RemoteError": "remotes#troubleshooting",
    "RemoteSchemeError": "troubleshooting#remote-url",
    "RemoteThrottledError": "troubleshooting#remote-silent",
    "RemoteUnreachableError": "troubleshooting#remote-silent",
    "TreeError": "troubleshooting#corrupt",
    # pivot-runtime
    "ArchiveError": "troubleshooting#cluster",
    "BusyError": "troubleshooting#busy",
    "ConfigError": "troubleshooting#setting",
    "ContentError": "results",
    "ContradictionError": "troubleshooting#lock-conflict",
    "EditCodeError": "mcp#permissions",
    "EngineError": GENERAL,
    "ExecutorError": "troubleshooting#cluster",
    "GitError": "troubleshooting#git",
    "GitSetupError": "troubleshooting#git",
    "GitSilentError": "troubleshooting#git",
    "GoneError": "troubleshooting#object-missing",
    "HistoryError": "troubleshooting#revision",
    "HostError": "troubleshooting#killed",
    "ImportRequiredError": "ci#pull-requests-from-strangers",
    "InexpressibleError": "troubleshooting#params",
    "InsideStageError": "troubleshooting#nested",
    "LinkError": "troubleshooting#links",
    "LoadError": "troubleshooting#import-fails",
    "LogError": "troubleshooting#revision",
    "MissingLibraryError": "troubleshooting#library",
    "NoDvcProjectError": "dvc",
    "NestedError": "troubleshooting#nested",
    "NoRemoteError": "troubleshooting#no-remote",
    "NotAcceptedError": "cli#pivot-commit",
    "NotTrackableError": "troubleshooting#track",
    "OccupiedError": "troubleshooting#in-the-way",
    "OutUnavailableError": "troubleshooting#object-missing",
    "PatchError": "decisions#what-an-edit-would-make-stale",
    "RepositoryError": "troubleshooting#import-data",
    "RevisionError": "troubleshooting#revision",
    "RowKeyError": "results#outs",
    "RunFailedError": "troubleshooting#stage-failed",
    "SharedCacheError": "troubleshooting#shared-cache",
    "SourceChangedError": "troubleshooting#edited",
    "StaleSnapshotError": "troubleshooting#edited",
    "StaticError": "ci#pull-requests-from-strangers",
    "TakenError": "dvc",
    "TargetError": "troubleshooting#target",
    "TraceError": "undeclared-files",
    "UnseenLocksError": "troubleshooting#shared-cache",
    "UrlError": "troubleshooting#import-data",
    "YamlError": "troubleshooting#yaml",
    # pivot-cli
    "AppMissingError": "install#what-to-install",
    "ExampleError": "quick-start",
    "PageNotWrittenError": "troubleshooting#permissions",
    "ShellFileError": "install#completion",
    "StreamError": "events",
    # pivot-ui
    "BadQueryError": "ui",
    "ExportError": "ui",
    "NotAllowedError": "ui",
    "NothingThereError": "ui",
    "PortError": "ui",
    # the remotes
    "RemoteUrlError": "troubleshooting#remote-url",
    "S3Error": "troubleshooting#remote-url",
    "SshLocationError": "troubleshooting#remote-url",
}
"""By the name of a class, which is unique in Pivot: a page, or a section of one. A subclass has that of its base."""

WITHOUT: Final = frozenset({"TopicError"})
"""Errors whose hint already leads to the documentation."""

_CAUSES: Final[Mapping[int, str]] = {
    errno.EACCES: "troubleshooting#permissions",
    errno.EPERM: "troubleshooting#permissions",
    errno.EROFS: "troubleshooting#permissions",
    errno.ENOSPC: "troubleshooting#no-space",
    errno.EDQUOT: "troubleshooting#no-space",
    errno.EMFILE: "troubleshooting#open-files",
    errno.ENFILE: "troubleshooting#open-files",
}


_REFUSED: Final[Mapping[str, str]] = {
    "No space left on device": "troubleshooting#no-space",
    "Permission denied": "troubleshooting#permissions",
    "Too many open files": "troubleshooting#open-files",
}
_FAILURES: Final[Mapping[str, str]] = {
    **_REFUSED,
    "did not write": "troubleshooting#no-out",
    "does not declare": "troubleshooting#undeclared",
    "it was killed by": "troubleshooting#killed",
    "loader": "troubleshooting#loader",
    "edited": "troubleshooting#edited",
}
"""Parts of the summaries of failed stages."""


def topic_of_failure(summary: str, *, has_hint: bool) -> str | None:
    """Return the page that helps with a failed stage; None if its own exception is all that can be said."""
    known = _FAILURES if has_hint else _REFUSED
    found = next((topic for part, topic in known.items() if part in summary), None)
    return found or ("troubleshooting#stage-failed" if has_hint else None)


def topic_of(error: BaseException) -> str | None:
    """Return the page that helps with an error, as `pivot docs` names it; None if its hint is enough.

    The error of the operating system that led to it comes first, except for remotes.
    """
    names = [getattr(error, "kind", ""), *(each.__name__ for each in type(error).__mro__)]
    if not WITHOUT.isdisjoint(names):
        return None
    own = next((TOPICS[name] for name in names if name in TOPICS), GENERAL)
    return own if "RemoteError" in names else _cause(error) or own


def _cause(error: BaseException) -> str | None:
    """Return the page about the error of the operating system that led to this one, if there is one."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno is not None and found.errno in _CAUSES:
            return _CAUSES[found.errno]
        found = found.__cause__
    return None
