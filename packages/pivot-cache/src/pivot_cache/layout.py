"""Paths of everything that Pivot writes; the only module that builds them.

<root>/
  .pivotignore                          git   what watching and scanning leave out
  .pivot/                                     the directory that marks the root
    .gitignore                          git   anchored: /cache/ /state.db/
    config.yaml                         git   the configuration of the project
    frozen                            git   the addresses of stages that do not run
    stages/<pipeline>.<stage>.lock      git   what the last run of a stage depended on and left
    cache/                              -     what can be fetched or computed again
      files/ab/cdef...                  -     objects: mode 0444, named by the digest of their bytes
      runs/ab/cdef...                   -     the run cache: one record per inputs key
      quarantine/<digest>               -     objects whose bytes were found damaged
      partial/<digest>                  -     large objects that have not yet arrived in full
      trash/<time>/...                  -     what was collected as garbage, until its grace period is over
      projects/<name>                   -     the projects that share this cache
      kept/<time>-<digest>              -     what was replaced and nothing else names
      results/ab/cdef...                -     the parameters and metrics of runs
      results/texts/ab/cdef...          -     lock files, small outs for git, and stages in groups, by digest
      gc.guard                          -     held while garbage is collected
      probes/<run>                      -     files by which workers of a cluster recognise this cache, during a run
    state.db/                           -     a directory of derived data: deleting it costs time, never truth
      statcache.sqlite                  -     digests of files whose stat signature still holds
      remotes.sqlite                    -     which objects were seen on which remote
      sha256.sqlite                     -     the SHA-256 of objects
      uploads/                          -     uploads in parts that are under way
      run.guard                         -     held while a command changes the project
      sent_runs                         -     the inputs keys of stage runs that a killed command sent to a cluster
      left_outs                         -     which outs runs have left on a cluster
      logs/                             -     what stages printed
      executor.log                      -     what the libraries of the last cluster printed
      pages/<name>.html                 -     pages for a browser
      history/<number>.jsonl            -     what a run did, a line per event; the last 100
      project                           -     its name, which distinguishes it from others that share a cache
      unfinished/                       -     the stages that run, or were running when their run was killed
      stash/<address>/<path>            -     previous outs of stages that run
      stage_stats.sqlite                -     what runs have taught of each stage
      source_texts.sqlite               -     source texts of stages, for `pivot status --diff`
      observed_code.json                -     the current state of code that runs were observed to depend on
      outlines/                         -     outlines of source files
      compiled/                         -     compiled code of source files: mode 0700, used only where it was made
      created/<address>.json            -     what the command of a shell stage was observed to create
      last_result                       -     the ID of the result of the last run
      untracked                         -     outs that git does not track, with the stamp of its index
      assigned.json                     -     environment variables that pipelines assign
      stages.json                       -     the stages of each pipeline, for completion
      threads.json                      -     the pipelines that start threads
      libraries.json                    -     the libraries that each pipeline imports
      noop_cache/                       -     answers to commands that found nothing to do
      rerun/<pid>/                      -     the copy of the project in which a command runs stages once more
      sweeps/<pid>/<number>/            -     the copies of the project in which a sweep runs its combinations
      warm.record                       -     locked by the process that waits for the next command
      warm.socket                       -     where it listens
      snapshots/                        -     what the last load of each pipeline gave
"""

import os
from collections.abc import Iterable
from pathlib import Path

import attrs

from pivot_cache.errors import CacheError
from pivot_core.files.digest import digest_bytes, is_digest
from pivot_core.files.paths import STATE_DIR, ArtifactPath
from pivot_core.values import Value

LOCK_SUFFIX = ".lock"
"""The suffix of the name of a lock file."""

STAGES = "stages"
"""The name of the directory of lock files in `STATE_DIR`."""

DATABASES = "state.db"
"""The name of the directory of derived data in `STATE_DIR`."""

DEFAULT_CACHE = f"{STATE_DIR}/cache"
"""The directory of the cache unless it is configured, relative to the root."""

OWN_DIRECTORIES = (
    "",
    STAGES,
    DATABASES,
    *(
        f"{DATABASES}/{name}"
        for name in ("history", "logs", "noop_cache", "snapshots", "uncommitted", "unfinished", "uploads")
    ),
    "cache",
    *(f"cache/{name}" for name in ("files", "runs", "partial", "projects")),
)
"""Directories in `STATE_DIR` in which nothing may be a symbolic link, each after its parent."""

_DOT_NAMES = frozenset({"", ".", ".."})


@attrs.frozen(eq=False, repr=False)
class Layout(Value):
    """The paths of one project; nothing is read or created.

    Attributes:
        root: The project's root, absolute.
        cache: The absolute directory of the cache, if it is not the default.
    """

    root: Path
    cache: Path | None = None
    _prefix: str = attrs.field(init=False, eq=False, repr=False)

    @_prefix.default
    def _root_with_slash(self) -> str:
        root = os.fspath(self.root)
        return root if root.endswith("/") else f"{root}/"

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
    def frozen_file(self) -> Path:
        """The list of frozen stages."""
        return self.state_dir / "frozen"

    @property
    def stages_dir(self) -> Path:
        """The directory of the lock files."""
        return self.state_dir / STAGES

    @property
    def cache_dir(self) -> Path:
        """The directory of everything that can be fetched or computed again."""
        return self.root / DEFAULT_CACHE if self.cache is None else self.cache

    @property
    def objects_dir(self) -> Path:
        """The object store."""
        return self.cache_dir / "files"

    def earlier_object(self, digest: str) -> Path:
        """The object of Pivot 0.1 to 0.5 with these 16 digits, in the directories of the object store."""
        return self.objects_dir / digest[:2] / digest[2:]

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
        """Partly downloaded large objects."""
        return self.cache_dir / "partial"

    def partial_download(self, url: str) -> Path:
        """The part of the content of a URL that has arrived."""
        return self.partial_dir / f"url-{digest_bytes(url.encode())}"

    @property
    def projects_dir(self) -> Path:
        """The projects that share this cache."""
        return self.cache_dir / "projects"

    @property
    def kept_dir(self) -> Path:
        """Records of replaced files whose content nothing else names."""
        return self.cache_dir / "kept"

    @property
    def results_dir(self) -> Path:
        """The parameters and metrics of runs."""
        return self.cache_dir / "results"

    @property
    def gc_guard_file(self) -> Path:
        """The file that a process locks while it collects garbage in this cache."""
        return self.cache_dir / "gc.guard"

    def probe_file(self, run: str) -> Path:
        """The file by which workers recognise the cache during a run."""
        return self.cache_dir / "probes" / run

    @property
    def database_dir(self) -> Path:
        """The directory of derived data."""
        return self.state_dir / DATABASES

    @property
    def sent_runs_file(self) -> Path:
        """The inputs keys of stage runs that were sent to a cluster, while they are not recorded."""
        return self.database_dir / "sent_runs"

    @property
    def left_outs_file(self) -> Path:
        """The outs that runs have left on a cluster."""
        return self.database_dir / "left_outs"

    @property
    def statcache_file(self) -> Path:
        """The stat cache's database."""
        return self.database_dir / "statcache.sqlite"

    @property
    def remotes_file(self) -> Path:
        """The database of known objects on remotes."""
        return self.database_dir / "remotes.sqlite"

    @property
    def uploads_dir(self) -> Path:
        """Records from which remotes resume interrupted uploads."""
        return self.database_dir / "uploads"

    @property
    def guard_file(self) -> Path:
        """The file that a command locks while it changes the project."""
        return self.database_dir / "run.guard"

    @property
    def snapshots_dir(self) -> Path:
        """The results of the last load of each pipeline."""
        return self.database_dir / "snapshots"

    @property
    def logs_dir(self) -> Path:
        """The output of stages."""
        return self.database_dir / "logs"

    @property
    def executor_log(self) -> Path:
        """The output of the libraries that connected to a cluster for the last run."""
        return self.database_dir / "executor.log"

    @property
    def config_file(self) -> Path:
        """The configuration of the project."""
        return self.state_dir / "config.yaml"

    @property
    def sha256_file(self) -> Path:
        """The database of the SHA-256 of objects."""
        return self.database_dir / "sha256.sqlite"

    @property
    def history_dir(self) -> Path:
        """The events of the last runs, one file per run."""
        return self.database_dir / "history"

    @property
    def unfinished_dir(self) -> Path:
        """The stages that run, or were running when their run was killed."""
        return self.database_dir / "unfinished"

    @property
    def uncommitted_dir(self) -> Path:
        """The last run of each stage that ran without being recorded."""
        return self.database_dir / "uncommitted"

    @property
    def stash_dir(self) -> Path:
        """Previous outs of running stages."""
        return self.database_dir / "stash"

    @property
    def cache_mount_file(self) -> Path:
        """The mount point of the file system that the cache was on."""
        return self.database_dir / "cache_mount"

    @property
    def name_file(self) -> Path:
        """The name of the project."""
        return self.database_dir / "project"

    @property
    def stage_stats_file(self) -> Path:
        """The database of statistics of each stage."""
        return self.database_dir / "stage_stats.sqlite"

    @property
    def source_texts_file(self) -> Path:
        """The database of source texts."""
        return self.database_dir / "source_texts.sqlite"

    @property
    def observed_code_file(self) -> Path:
        """The current state of code that runs were observed to depend on."""
        return self.database_dir / "observed_code.json"

    @property
    def outlines_dir(self) -> Path:
        """Outlines of source files."""
        return self.database_dir / "outlines"

    @property
    def notebooks_dir(self) -> Path:
        """The code of notebooks as modules, for their fingerprints."""
        return self.database_dir / "notebooks"

    def notebook_file(self, name: str) -> Path:
        """The module of this name with the code of a notebook."""
        return self.notebooks_dir / f"{name}.py"

    @property
    def compiled_dir(self) -> Path:
        """Compiled code of source files."""
        return self.database_dir / "compiled"

    @property
    def assigned_file(self) -> Path:
        """Environment variables that pipelines assign."""
        return self.database_dir / "assigned.json"

    @property
    def last_result_file(self) -> Path:
        """The ID of the result of the last run."""
        return self.database_dir / "last_result"

    @property
    def untracked_file(self) -> Path:
        """Outs that git does not track, with the stamp of its index."""
        return self.database_dir / "untracked"

    @property
    def known_stages_file(self) -> Path:
        """The stages of each pipeline when it was last loaded."""
        return self.database_dir / "stages.json"

    @property
    def threads_file(self) -> Path:
        """The pipelines that start threads when they are imported."""
        return self.database_dir / "threads.json"

    @property
    def libraries_file(self) -> Path:
        """The libraries that each pipeline imports."""
        return self.database_dir / "libraries.json"

    @property
    def rerun_dir(self) -> Path:
        """Copies of the project in which stages are run once more."""
        return self.database_dir / "rerun"

    @property
    def sweeps_dir(self) -> Path:
        """Copies of the project in which sweeps run their combinations."""
        return self.database_dir / "sweeps"

    @property
    def noop_cache_dir(self) -> Path:
        """Cached answers to commands that found nothing to do."""
        return self.database_dir / "noop_cache"

    @property
    def warm_record_file(self) -> Path:
        """The file that the process which waits for the next command locks."""
        return self.database_dir / "warm.record"

    @property
    def warm_socket_file(self) -> Path:
        """The socket of the process which waits for the next command."""
        return self.database_dir / "warm.socket"

    @property
    def spools_dir(self) -> Path:
        """Records of the files that running stages use."""
        return self.logs_dir / "spools"

    def log_file(self, address: str) -> Path:
        """The log of the last run of a stage."""
        return Path(f"{self._prefix}{STATE_DIR}/{DATABASES}/logs/{address}.log")

    def page_file(self, name: str) -> Path:
        """A page for a browser."""
        return self.database_dir / "pages" / f"{name}.html"

    @property
    def programs_dir(self) -> Path:
        """The start files by which Python programs of shell stages observe themselves, by address."""
        return self.database_dir / "programs"

    def created_file(self, address: str) -> Path:
        """The names of files that the command of a shell stage was observed to create."""
        return self.database_dir / "created" / f"{address}.json"

    def lock_file(self, address: str) -> Path:
        """The lock file of the stage with this address, ``<pipeline>.<stage>``.

        Raises:
            CacheError: The address cannot be a file name.
        """
        return Path(self.lock_path(address))

    def lock_path(self, address: str) -> str:
        """As `lock_file`, but as text, for what is done for each stage: an object takes longer than its use.

        Raises:
            CacheError: The address cannot be a file name.
        """
        if "/" in address or "\0" in address or address in _DOT_NAMES:
            raise CacheError(f"{address!r} is not the address of a stage")
        return f"{self._prefix}{STATE_DIR}/{STAGES}/{address}{LOCK_SUFFIX}"

    def artifact(self, path: ArtifactPath) -> Path:
        """The absolute path of an artifact."""
        return self.root / path

    def artifact_path(self, path: ArtifactPath) -> str:
        """As `artifact`, but as text, for what is done for each stage."""
        return f"{self._prefix}{path}"

    def artifact_paths(self, paths: Iterable[ArtifactPath]) -> list[str]:
        """The absolute paths of artifacts, as text."""
        return [f"{self._prefix}{path}" for path in paths]


def lock_name(address: str) -> str:
    """The lock file of a stage, relative to the project's root."""
    return f"{STATE_DIR}/{STAGES}/{address}{LOCK_SUFFIX}"


def is_lock(path: str) -> bool:
    """Whether a path is that of a lock file of some project."""
    directory, _, name = path.rpartition("/")
    return name.endswith(LOCK_SUFFIX) and directory.endswith(f"{STATE_DIR}/{STAGES}")


def stage_addresses(directory: Path, suffix: str = LOCK_SUFFIX) -> list[str]:
    """Return the sorted addresses of the stages that have a file in a directory; none if there is no directory.

    Args:
        directory: Such as `Layout.stages_dir`.
        suffix: Follows the address in the name of each file.

    Raises:
        OSError: The directory cannot be listed.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def sharded(directory: Path, digest: str) -> Path:
    """The file of ``digest`` below ``directory``.

    Raises:
        CacheError: The text is not a digest.
    """
    return directory / shard(digest)


def shard(digest: str) -> str:
    """``ab/cdef...``, which keeps directories short.

    Raises:
        CacheError: The text is not a digest; nothing else ever becomes part of a path.
    """
    if not is_digest(digest):
        raise CacheError(f"{digest!r} is not a digest")
    return f"{digest[:2]}/{digest[2:]}"
