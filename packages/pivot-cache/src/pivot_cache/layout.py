"""Where things lie: the only module that builds a path of Pivot's own.

<root>/
.pivotignore                          git   what watching and scanning leave out
.pivot/                               the directory that marks the root
.gitignore                          git   anchored: /cache/ /state.db/
stages/<pipeline>.<stage>.lock      git   what the last run of a stage depended on and left
cache/                              -     what can be fetched or computed again
files/ab/cdef...                  -     objects: mode 0444, named by the digest of their bytes
runs/ab/cdef...                   -     the run cache: one record per inputs key
quarantine/<digest>               -     objects whose bytes were found damaged
partial/<digest>                  -     large objects that have not yet arrived in full
trash/<time>/...                  -     what was collected as garbage, until its grace period is over
projects/<name>                   -     the projects that share this cache
kept/<time>-<digest>              -     what was replaced and nothing else names
gc.guard                          -     held while garbage is collected
state.db/                           -     a directory of derived data: deleting it costs time, never truth
statcache.sqlite                  -     digests of files whose stat signature still holds
remotes.sqlite                    -     which objects were seen on which remote
uploads/                          -     uploads in parts that are under way
run.guard                         -     held while a command changes the project
logs/                             -     what stages printed
history/<number>.jsonl            -     what a run did, a line per event; the last 100
project                           -     its name, which distinguishes it from others that share a cache
unfinished/                       -     the stages that run, or were running when their run was killed
facts.sqlite                      -     what runs have taught of each stage
rerun/<pid>/                      -     the copy of the project in which a command runs stages once more
snapshots/                        -     what the last load of each pipeline gave
"""

from pathlib import Path

import attrs

from pivot_cache.errors import CacheError
from pivot_core import digest as digests
from pivot_core.paths import STATE_DIR, ArtifactPath
from pivot_core.values import Value

_DOT_NAMES = frozenset({"", ".", ".."})


@attrs.frozen(eq=False, repr=False)
class Layout(Value):
    """The paths of one project; nothing is read or made.

    Attributes:
        root: The project's root, absolute.
        cache: The directory of the cache, absolute, where it is not the default.
    """

    root: Path
    cache: Path | None = None

    @property
    def state_dir(self) -> Path:
        """The directory that marks the root."""
        return self.root / STATE_DIR

    @property
    def gitignore_file(self) -> Path:
        """The file that keeps derived data out of git."""
        return self.state_dir / ".gitignore"

    @property
    def ignore_file(self) -> Path:
        """The user's patterns for watching and scanning."""
        return self.root / ".pivotignore"

    @property
    def stages_dir(self) -> Path:
        """The directory of the lock files."""
        return self.state_dir / "stages"

    @property
    def cache_dir(self) -> Path:
        """The directory of everything that can be fetched or computed again."""
        return self.state_dir / "cache" if self.cache is None else self.cache

    @property
    def objects_dir(self) -> Path:
        """The object store."""
        return self.cache_dir / "files"

    @property
    def runs_dir(self) -> Path:
        """The run cache."""
        return self.cache_dir / "runs"

    @property
    def quarantine_dir(self) -> Path:
        """Where damaged objects are moved."""
        return self.cache_dir / "quarantine"

    @property
    def partial_dir(self) -> Path:
        """Where large objects lie that have not yet arrived in full."""
        return self.cache_dir / "partial"

    @property
    def projects_dir(self) -> Path:
        """Who shares this cache."""
        return self.cache_dir / "projects"

    @property
    def kept_dir(self) -> Path:
        """Files that were replaced and that nothing else names."""
        return self.cache_dir / "kept"

    @property
    def gc_guard_file(self) -> Path:
        """The file whose lock a process holds while it collects garbage in this cache."""
        return self.cache_dir / "gc.guard"

    @property
    def database_dir(self) -> Path:
        """The directory of derived data."""
        return self.state_dir / "state.db"

    @property
    def statcache_file(self) -> Path:
        """The stat cache's database."""
        return self.database_dir / "statcache.sqlite"

    @property
    def remotes_file(self) -> Path:
        """The database of what is known of remotes."""
        return self.database_dir / "remotes.sqlite"

    @property
    def uploads_dir(self) -> Path:
        """Where remotes keep what lets an interrupted upload go on."""
        return self.database_dir / "uploads"

    @property
    def guard_file(self) -> Path:
        """The file whose lock a command holds while it changes the project."""
        return self.database_dir / "run.guard"

    @property
    def snapshots_dir(self) -> Path:
        """The results of the last load of each pipeline."""
        return self.database_dir / "snapshots"

    @property
    def logs_dir(self) -> Path:
        """The output of stages."""
        return self.database_dir / "logs"

    def lock_file(self, address: str) -> Path:
        """The lock file of the stage with this address, ``<pipeline>.<stage>``.

        Raises:
            CacheError: The address cannot be a file's name.
        """
        if "/" in address or "\0" in address or address in _DOT_NAMES:
            raise CacheError(f"{address!r} is not the address of a stage")
        return self.stages_dir / f"{address}.lock"

    def artifact(self, path: ArtifactPath) -> Path:
        """Where an artifact is on this machine."""
        return self.root / path


def sharded(directory: Path, digest: str) -> Path:
    """The file of ``digest`` below ``directory``.

    Raises:
        CacheError: It is not a digest.
    """
    return directory / shard(digest)


def shard(digest: str) -> str:
    """``ab/cdef...``, so that no directory grows too long.

    Raises:
        CacheError: It is not a digest; nothing else ever becomes part of a path.
    """
    if not digests.is_digest(digest):
        raise CacheError(f"{digest!r} is not a digest")
    return f"{digest[:2]}/{digest[2:]}"
