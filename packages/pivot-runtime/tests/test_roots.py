"""Artifacts that must not be collected are read in full, or not at all."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.formats import pvt
from pivot_cache.layout import Layout
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import GitError
from pivot_runtime.git.refs import Repository
from pivot_runtime.maintenance import gc, gc_roots
from pivot_runtime.maintenance.gc import GcOptions
from pivot_runtime.project import cache_users, identity
from pivot_runtime.project import project as projects

_WHO = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")


def git(root: pathlib.Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *_WHO, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def artifact(name: str) -> Artifact:
    return Artifact(digest_bytes(name.encode()), len(name))


def track(root: pathlib.Path, path: str, name: str) -> Artifact:
    file = root / f"{path}.pvt"
    file.parent.mkdir(parents=True, exist_ok=True)
    pvt.write(file, artifact(name))
    return artifact(name)


def commit(root: pathlib.Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "state")


@pytest.fixture(autouse=True)
def _no_git_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "project" / ".pivot" / "stages").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def repository(root: pathlib.Path) -> pathlib.Path:
    git(root, "init", "-q")
    return root


def test_without_git_the_workspace_counts(root: pathlib.Path) -> None:
    assert Repository.around(root) is None
    assert gc_roots.gather([root]) == set()
    assert gc_roots.gather([root, root]) == set()
    found = {track(root, "a", "a"), track(root, "deep/er/b", "b"), track(root, ".hidden/c", "c")}

    assert gc_roots.gather([root]) == found


def test_files_inside_tracked_directories_are_content(root: pathlib.Path) -> None:
    data = track(root, "data", "data")
    (root / "data").mkdir()
    (root / "data" / "x.pvt").write_text("anything")
    (root / "fifo.pvt").mkdir()

    assert gc_roots.gather([root]) == {data}


def test_every_kind_of_ref_counts_once(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = repository
    found = set()
    for number, kept in enumerate(
        [
            ("branch", "feature"),
            ("tag", "light"),
            ("tag", "-a", "-m", "m", "annotated"),
            ("update-ref", "refs/remotes/origin/main", "HEAD"),
            ("update-ref", "refs/notes/whatever", "HEAD"),
        ]
    ):
        found.add(track(root, "data", f"content {number}"))
        commit(root)
        git(root, *kept)
    git(root, "tag", "-a", "-m", "m", "nested", "annotated")
    git(root, "tag", "-d", "annotated")
    git(root, "tag", "tree", "HEAD^{tree}")
    git(root, "tag", "blob", git(root, "hash-object", "-w", "data.pvt"))
    git(root, "checkout", "-q", "--detach")
    found.add(track(root, "data", "detached"))
    commit(root)

    assert gc_roots.gather([root]) == found
    repo = Repository.around(root)
    assert repo is not None
    contents = [file.data for file in repo.files()]
    assert len(contents) == len(set(contents))


def test_all_entries_of_the_stash_count_with_index_and_untracked_files(repository: pathlib.Path) -> None:
    root = repository
    track(root, "data", "committed")
    commit(root)
    found = {artifact("committed")}
    for number in range(3):
        found |= {track(root, "data", f"staged {number}")}
        git(root, "add", "-A")
        found |= {track(root, "data", f"unstaged {number}"), track(root, "new", f"untracked {number}")}
        git(root, "stash", "push", "-q", "--include-untracked")

    assert gc_roots.gather([root]) == found


def test_worktrees_count_with_head_index_and_files(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root, other = repository, tmp_path / "other"
    found = {track(root, "data", "main")}
    (root / ".pivot" / "stages" / ".keep").touch()
    commit(root)
    git(root, "worktree", "add", "-q", "--detach", str(other))
    found |= {track(other, "data", "committed there")}
    commit(other)
    found |= {track(other, "data", "staged there")}
    git(other, "add", "-A")
    found |= {track(other, "data", "lying there")}

    assert gc_roots.gather([root]) == found
    assert gc_roots.gather([other]) == found


def test_a_worktree_whose_directory_is_gone_counts_with_its_head(
    repository: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    root, other = repository, tmp_path / "other"
    found = {track(root, "data", "main")}
    commit(root)
    git(root, "worktree", "add", "-q", "--detach", str(other))
    found |= {track(other, "data", "committed there")}
    commit(other)
    other.rename(tmp_path / "away")

    assert gc_roots.gather([root]) == found


def test_a_merge_with_conflicts_counts_with_both_sides(repository: pathlib.Path) -> None:
    root = repository
    track(root, "data", "base")
    commit(root)
    git(root, "checkout", "-q", "-b", "theirs")
    theirs = track(root, "data", "their data")
    commit(root)
    git(root, "checkout", "-q", "main")
    ours = track(root, "data", "our data")
    commit(root)
    subprocess.run(["git", *_WHO, "merge", "-q", "theirs"], cwd=root, check=False, capture_output=True)
    git(root, "branch", "-D", "theirs")
    (root / "data.pvt").unlink()

    assert {ours, theirs, artifact("base")} == gc_roots.gather([root])


def test_a_dangling_name_in_git_is_no_error(repository: pathlib.Path) -> None:
    found = track(repository, "data", "data")
    commit(repository)
    (repository / ".git" / "ORIG_HEAD").write_text(f"{'1' * 40}\n")

    assert gc_roots.gather([repository]) == {found}


def test_before_the_first_commit(repository: pathlib.Path) -> None:
    assert gc_roots.gather([repository]) == set()
    track(repository, "data", "staged")
    git(repository, "add", "-A")
    (repository / "data.pvt").unlink()

    assert gc_roots.gather([repository]) == {artifact("staged")}


def test_locks_count_by_their_place_only(repository: pathlib.Path) -> None:
    for path in ("uv.lock", "stages/x.lock", ".pivot/x.lock", ".pivot/other/x.lock", ".pivot/stages/deep/x.lock"):
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text("no lock of ours")
    commit(repository)
    assert gc_roots.gather([repository]) == set()

    (repository / "moved" / ".pivot" / "stages").mkdir(parents=True)
    (repository / "moved" / ".pivot" / "stages" / "x.lock").write_text("{")
    commit(repository)
    with pytest.raises(LockFileError, match=r"refs/heads/main:moved/.pivot/stages/x.lock"):
        gc_roots.gather([repository])


def test_damaged_files_are_reported_and_skipped_on_request(root: pathlib.Path) -> None:
    good = track(root, "good", "good")
    (root / "bad.pvt").write_text("{")
    (root / ".pivot" / "stages" / "p.bad.lock").write_bytes(b"\xff")
    (root / ".pivot" / "stages" / "p.empty.lock").write_bytes(b"")
    (root / ".pivot" / "stages" / "p.moved.lock").mkdir()
    (root / ".pivot" / "stages" / "p.zero.lock").write_bytes(b"\0\0")
    told: list[CacheError] = []

    assert gc_roots.gather([root], told.append) == {good}
    assert [str(error).rpartition("/")[2] for error in told] == [
        f"p.{name}.lock" for name in ("bad", "empty", "moved", "zero")
    ] + ["bad.pvt"]
    with pytest.raises(CacheError):
        gc_roots.gather([root])


def test_empty_locks_that_git_has_are_those_of_a_merge(repository: pathlib.Path) -> None:
    """Any other has lost what it said."""
    good = track(repository, "good", "good")
    for name in ("one", "two"):
        (repository / ".pivot" / "stages" / f"p.{name}.lock").write_bytes(b"")
    commit(repository)
    assert gc_roots.gather([repository]) == {good}
    (repository / ".pivot" / "stages" / "p.cut.lock").write_bytes(b"")
    with pytest.raises(LockFileError, match=r"p\.cut\.lock"):
        gc_roots.gather([repository])


def test_a_missing_commit_is_an_error(repository: pathlib.Path) -> None:
    track(repository, "data", "data")
    commit(repository)
    (repository / ".git" / "refs" / "heads" / "gone").write_text(f"{'2' * 40}\n")

    with pytest.raises(GitError):
        gc_roots.gather([repository])


def test_a_missing_tree_is_an_error(repository: pathlib.Path) -> None:
    track(repository, "data/x", "data")
    commit(repository)
    oid = git(repository, "rev-parse", "HEAD:data")
    (repository / ".git" / "objects" / oid[:2] / oid[2:]).unlink()

    with pytest.raises(GitError):
        gc_roots.gather([repository])


@pytest.fixture
def module(repository: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A submodule of the project's repository."""
    (tmp_path / "upstream").mkdir()
    git(tmp_path / "upstream", "init", "-q")
    git(tmp_path / "upstream", "commit", "-q", "--allow-empty", "-m", "first")
    added = ["-c", "protocol.file.allow=always", "submodule", "-q", "add", "--name", "libs/sub"]
    git(repository, *added, str(tmp_path / "upstream"), "deep/sub")
    commit(repository)
    return repository / "deep/sub"


def test_everything_in_submodules_counts(repository: pathlib.Path, module: pathlib.Path) -> None:
    """Refs, stashes and index; also while the submodule is not checked out."""
    found = set()
    for name in ("branch", "tag"):
        found.add(track(module, "data", name))
        commit(module)
        git(module, name, f"a-{name}")
    found.add(track(module, "data", "stashed"))
    git(module, "stash", "push", "-q")
    found.add(track(module, "data", "staged"))
    git(module, "add", "-A")
    track(module, "data", "in the workspace")

    assert gc_roots.gather([repository]) == {*found, artifact("in the workspace")}
    git(module, "reset", "-q", "--hard")
    found.remove(artifact("staged"))
    git(repository, "submodule", "-q", "deinit", "-f", "deep/sub")
    assert gc_roots.gather([repository]) == found


def test_commits_that_are_pinned_count(repository: pathlib.Path, module: pathlib.Path) -> None:
    """By a branch, a tag, a stash or the index of the repository around; no name in the submodule leads to them."""
    found = set()
    for number, kept in enumerate([("branch", "a"), ("tag", "b"), ("update-ref", "refs/notes/c", "HEAD")]):
        git(module, "checkout", "-q", "--detach")
        found.add(track(module, "data", f"pinned {number}"))
        commit(module)
        commit(repository)
        git(repository, *kept)
    found.add(track(module, "data", "in the index"))
    commit(module)
    git(repository, "add", "-A")
    git(module, "checkout", "-q", "main")

    assert gc_roots.gather([repository]) == found


def test_submodules_of_submodules_and_of_worktrees_count(
    repository: pathlib.Path, module: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    allow = ["-c", "protocol.file.allow=always"]
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    linked = tmp_path / "linked/deep/sub"
    git(tmp_path / "linked", *allow, "submodule", "-q", "update", "--init", "deep/sub")
    found = {track(linked, "data", "linked")}
    commit(linked)
    git(linked, "tag", "kept")
    (linked / "data.pvt").unlink()
    git(module, *allow, "submodule", "-q", "add", str(tmp_path / "upstream"), "inner")
    inner = module / "inner"
    git(inner, "checkout", "-q", "--detach")
    found.add(track(inner, "data", "deep"))
    commit(inner)
    commit(module)
    commit(repository)
    git(inner, "checkout", "-q", "main")

    assert gc_roots.gather([repository]) == found


def test_a_project_in_a_submodule_keeps_what_the_repository_around_pins(
    repository: pathlib.Path, module: pathlib.Path
) -> None:
    (module / ".pivot").mkdir()
    track(repository, "other", "of another project")
    git(module, "checkout", "-q", "--detach")
    found = {track(module, "data", "pinned")}
    commit(module)
    commit(repository)
    git(module, "checkout", "-q", "main")

    assert gc_roots.gather([module]) == found


def test_untracked_repositories_in_a_project_count(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    nested = root / "clone"
    nested.mkdir()
    git(nested, "init", "-q")
    found = {track(nested, "data", "committed")}
    commit(nested)
    found.add(track(nested, "data", "now"))
    assert gc_roots.gather([root]) == found
    git(root, "init", "-q")
    assert gc_roots.gather([root]) == found
    git(nested, "worktree", "add", "-q", str(tmp_path / "elsewhere"))
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    git(root, "worktree", "add", "-q", "inside")
    assert gc_roots.gather([root]) == found


def test_a_repository_elsewhere_is_an_error(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/somewhere")

    with pytest.raises(GitError, match="GIT_DIR"):
        Repository.around(root)


def shared(root: pathlib.Path) -> Layout:
    return Layout(root, root.parent / "shared")


def test_projects_that_share_a_cache_know_of_each_other(tmp_path: pathlib.Path) -> None:
    first, second = shared(tmp_path / "first"), shared(tmp_path / "second")
    for layout in (first, second, second):
        layout.state_dir.mkdir(parents=True, exist_ok=True)
        cache_users.register(layout)

    assert [user.root for user in cache_users.others(first)] == [second.root]
    assert [user.root for user in cache_users.others(second)] == [first.root]
    (user,) = cache_users.others(first)
    assert user.present
    assert not user.gone
    shutil.rmtree(second.state_dir)
    assert not user.gone  # it may be a disk that is not mounted
    second.root.rmdir()
    assert user.gone


def test_nothing_is_deleted_at_once_if_another_project_comes_to_the_cache(tmp_path: pathlib.Path) -> None:
    """The trash keeps what it may take for stored."""
    root = tmp_path / "first"
    root.mkdir()
    projects.init(root)
    Layout(root).config_file.write_text("cache.dir: ../shared\n")
    context = CommandContext.find(root, {})
    second = shared(tmp_path / "second")
    second.state_dir.mkdir(parents=True)
    with open_stores(context) as stores:
        garbage = stores.store.put_bytes(b"garbage")
        changed_ns = stores.store.path_of(garbage).stat().st_ctime_ns
    clock = tmp_path / "clock"
    clock.touch()
    while clock.stat().st_ctime_ns <= changed_ns:  # a collection skips what is as new as itself
        clock.touch()

    def progress(*_: object) -> None:
        cache_users.register(second)

    options = GcOptions(all_projects=True, trash_ns=0, keep_since_ns=0)
    done = gc.gc(context, options, progress=progress).done
    assert done is not None
    assert done.removed.keys() == {garbage}
    assert done.batch is not None


def in_place(layout: Layout, *, root: pathlib.Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another directory takes the place of a project, as another container or machine has it there."""
    if layout.root.exists():
        layout.root.rename(layout.root.with_name(f"was {len(list(layout.root.parent.iterdir()))}"))
    root.rename(layout.root)
    monkeypatch.setattr(identity, "host", lambda: host)


@pytest.mark.parametrize("hosts", [("one", "two"), ("same", "same")])
@pytest.mark.parametrize("copied", [False, True])
def test_two_projects_at_one_path_are_two(
    tmp_path: pathlib.Path, hosts: tuple[str, str], monkeypatch: pytest.MonkeyPatch, *, copied: bool
) -> None:
    layout = shared(tmp_path / "work")
    (tmp_path / "a/.pivot").mkdir(parents=True)
    in_place(layout, root=tmp_path / "a", host=hosts[0], monkeypatch=monkeypatch)
    cache_users.register(layout)
    if copied:
        shutil.copytree(layout.root, tmp_path / "b")
    (tmp_path / "b/.pivot").mkdir(parents=True, exist_ok=True)
    in_place(layout, root=tmp_path / "b", host=hosts[1], monkeypatch=monkeypatch)
    cache_users.register(layout)

    (other,) = cache_users.others(layout)
    assert (other.root, other.host, other.present, other.gone) == (layout.root, hosts[0], False, False)


def test_a_copy_elsewhere_is_another_project(tmp_path: pathlib.Path) -> None:
    first, second = shared(tmp_path / "first"), shared(tmp_path / "second")
    first.state_dir.mkdir(parents=True)
    cache_users.register(first)
    shutil.copytree(first.root, second.root, copy_function=shutil.copy2)

    assert [user.root for user in cache_users.others(second)] == []  # it has not used the cache yet, and says so then
    cache_users.register(second)
    assert [user.root for user in cache_users.others(second)] == [first.root]
    assert [user.root for user in cache_users.others(first)] == [second.root]


@pytest.mark.parametrize("change", ["moved", "renamed host", "chmod", "no state.db", "nothing"])
def test_a_project_stays_itself(tmp_path: pathlib.Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = shared(tmp_path / "first")
    layout.state_dir.mkdir(parents=True)
    cache_users.register(layout)
    match change:
        case "moved":
            layout.root.rename(tmp_path / "second")
            layout = shared(tmp_path / "second")
        case "renamed host":
            monkeypatch.setattr(identity, "host", lambda: "another")
        case "chmod":
            (layout.database_dir / "project").chmod(0o600)
        case "no state.db":
            shutil.rmtree(layout.database_dir)
        case _:
            pass
    cache_users.register(layout)

    assert cache_users.others(layout) == []
    assert len(list(layout.projects_dir.iterdir())) == 1


def test_a_project_that_cannot_be_written_is_known_all_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "assign_name", lambda *_: "")
    first, second = shared(tmp_path / "first"), shared(tmp_path / "second")
    for layout in (first, second, first):
        layout.state_dir.mkdir(parents=True, exist_ok=True)
        cache_users.register(layout)
    assert [user.root for user in cache_users.others(second)] == [first.root]


def test_an_entry_of_an_earlier_version_is_heeded(tmp_path: pathlib.Path) -> None:
    layout, other = shared(tmp_path / "first"), shared(tmp_path / "other")
    for each in (layout, other):
        each.state_dir.mkdir(parents=True)
    layout.projects_dir.mkdir(parents=True)
    for number, (host, root) in enumerate(
        [(identity.host(), layout.root), ("elsewhere", layout.root), (identity.host(), other.root)]
    ):
        (layout.projects_dir / f"{number:016x}").write_text(json.dumps({"host": host, "root": str(root)}))
    cache_users.register(layout)

    assert [(user.root, user.host) for user in cache_users.others(layout)] == [
        (layout.root, "elsewhere"),
        (other.root, identity.host()),
    ]


def test_a_cache_of_ones_own_has_no_other_users(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    cache_users.register(layout)

    assert cache_users.others(layout) == []
    assert not layout.cache_dir.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"root": 1, "host": ""}', json.dumps({"root": "relative", "host": "h"})])
def test_a_damaged_entry_is_an_error_that_names_it(tmp_path: pathlib.Path, text: str) -> None:
    file = tmp_path / "shared" / "projects" / "x"
    file.parent.mkdir(parents=True)
    file.write_text(text)

    with pytest.raises(LockFileError, match=str(file)):
        cache_users.others(shared(tmp_path / "first"))


def test_a_cache_that_cannot_be_written_is_not_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shared").write_text("in the way")

    cache_users.register(shared(tmp_path / "first"))


def test_a_project_that_cannot_be_read_is_neither_here_nor_gone() -> None:
    user = cache_users.User(pathlib.Path("/", "x" * 300, "project"), identity.host())
    assert (user.present, user.gone) == (False, False)
