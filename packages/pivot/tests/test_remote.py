"""Sharing through S3, as the pages on remote storage and on CI have it, against a server that speaks S3."""

import contextlib
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import uuid
from typing import Any

import pytest
from harness import Project, s3_environment


@pytest.fixture(scope="session")
def s3(rclone_url: str, models_are_read_once: None) -> Any:
    """A client of the server, which is not the one that other tests use: what works with both is no accident."""
    import boto3  # lazy

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "hunter2"}
    return boto3.client("s3", endpoint_url=rclone_url, region_name="us-east-1", **keys)


INSIDE = ("cache", "checkout", "config", "fetch", "pull", "push", "remote", "track")


class Team:
    """A bucket, and clones that share it."""

    def __init__(self, s3: Any, bucket: str, first: Project) -> None:
        self.s3 = s3
        self.endpoint: str = s3.meta.endpoint_url
        self.bucket = bucket
        self.first = first
        self.env = s3_environment(self.endpoint)

    def pivot(self, *arguments: str, project: Project | None = None, code: int = 0) -> str:
        """The stdout, and then the stderr; what runs nothing of the user's is no process."""
        where = project or self.first
        if arguments[0] in INSIDE:
            return where.inside(*arguments, env=self.env, code=code)
        done = where.pivot(*arguments, env=self.env, code=code)
        return done.stdout + done.stderr

    def process(self, *arguments: str, project: Project | None = None, code: int = 0) -> str:
        """The stdout and then the stderr of the real executable."""
        where = Project((project or self.first).root, executable=True)
        done = where.pivot(*arguments, env=self.env, code=code)
        return done.stdout + done.stderr

    def clone(self, name: str) -> Project:
        """The files that git would give another developer: everything but what is ignored."""
        root = self.first.root.parent / name
        shutil.copytree(
            self.first.root, root, ignore=shutil.ignore_patterns("cache", "state.db", "clean.json", "summary.json")
        )
        return Project(root)

    def objects(self) -> int:
        return len(self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ()))


@pytest.fixture
def team(s3: Any, ran: pathlib.Path, empty: Project) -> Team:
    """The quick start, run, with a remote."""
    shutil.copytree(ran, empty.root, dirs_exist_ok=True)
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    empty.write(".pivot/config.yaml", f"remotes.origin: s3://{bucket}/pivot-cache\ndefault_remote: origin\n")
    return Team(s3, bucket, empty)


def test_push_and_pull(team: Team) -> None:
    """The commands of the page in processes of their own; the other tests need not pay for that."""
    (team.first.root / ".pivot/config.yaml").unlink()
    team.pivot("config", "set", "remotes.origin", f"s3://{team.bucket}/pivot-cache")
    team.pivot("config", "set", "default_remote", "origin")
    assert team.process("push") == "Pushed to 'origin': 2 transferred, 0 skipped, 0 failed\n"
    assert team.process("push") == "Pushed to 'origin': 0 transferred, 2 skipped, 0 failed\n"
    assert team.pivot("push", "--refresh") == "Pushed to 'origin': 0 transferred, 2 skipped, 0 failed\n"
    assert team.objects() == 2

    mate = team.clone("mate")
    assert team.process("pull", project=mate) == (
        "Fetched from 'origin': 2 transferred, 0 skipped, 0 failed\nRestored 2 file(s)\n"
    )
    assert mate.read("clean.json") == team.first.read("clean.json")
    assert "Everything is up to date: 2 stages cached" in team.pivot("repro", project=mate)
    assert team.pivot("pull", project=mate) == (
        "Fetched from 'origin': 0 transferred, 2 skipped, 0 failed\nRestored 0 file(s)\n"
    )


def test_what_is_selected(team: Team) -> None:
    assert team.pivot("push", "--dry-run") == (
        "would push  clean.json  129 B\nwould push  summary.json  61 B\n"
        "Would push to 'origin': 2 to transfer, 0 skipped, 0 failed\n"
    )
    assert team.objects() == 0
    assert "1 transferred" in team.pivot("push", "preprocess")
    done = json.loads(team.pivot("push", "summary.json", "--jobs", "40", "--json"))
    assert done["objects"] == {"transferred": 1, "skipped": 0, "failed": 0, "missing": 0}
    mate = team.clone("mate")
    mate.write("summary.json", "mine")
    assert team.pivot("pull", "-n", project=mate, code=1) == (
        "would fetch  clean.json  129 B\nwould fetch  summary.json  61 B\n"
        "Would fetch from 'origin': 2 to transfer, 0 skipped, 0 failed\n"
        "would restore  clean.json\nWould restore 1 file(s)\n"
        "error: summary.json: not restored, since its current content exists nowhere else\n"
        "hint: --force overwrites it, and saves its current content in the cache\n"
    )
    assert "Would restore 2 file(s)" in team.pivot("pull", "-n", "-f", project=mate)
    (mate.root / "summary.json").unlink()
    assert not (mate.root / "clean.json").exists()
    planned = json.loads(team.pivot("pull", "-n", "--json", "clean.json", project=mate))
    assert planned["fetch"]["planned"] == [{"path": "clean.json", "size": 129}]
    assert planned["checkout"]["restored"] == ["clean.json"]
    assert json.loads(team.pivot("fetch", "--json", "summary.json", project=mate))["complete"]
    assert not (mate.root / "summary.json").exists()
    assert team.pivot("checkout", "summary.json", project=mate) == "Restored 1 file(s)\n"
    assert "1 transferred, 0 skipped" in team.pivot("pull", "preprocess", "--checkout-mode", "symlink", project=mate)
    assert (mate.root / "clean.json").is_symlink()
    assert "no remote is named 'backup'" in team.pivot("push", "-r", "backup", code=2)


def test_everything_in_the_cache(team: Team) -> None:
    team.first.replace("data.json", "100", "101")
    team.pivot("repro")
    assert "2 transferred" in team.pivot("push")
    assert "2 transferred, 2 skipped" in team.pivot("push", "--all-objects")


def test_directories_and_tracked_data_travel(team: Team) -> None:
    for name in ("a", "deep/b"):
        team.first.write(f"raw/{name}", name)
    team.pivot("track", "raw")
    assert "5 transferred" in team.pivot("push")
    mate = team.clone("mate")
    shutil.rmtree(mate.root / "raw")
    assert "Restored 4 file(s)" in team.pivot("pull", project=mate)
    assert mate.read("raw/deep/b") == "deep/b"
    shutil.rmtree(mate.root / ".pivot/cache")
    (mate.root / "raw/a").unlink()
    told = team.pivot("pull", "--dry-run", "raw", project=mate)
    assert "would restore  raw\nWould restore 1 file(s)\n" in told, "what else is there will be in the cache by then"
    assert "Restored 1 file(s)" in team.pivot("pull", "raw", project=mate)


def test_files_inside_a_directory(team: Team) -> None:
    for name in ("a", "deep/b", "deep/c"):
        team.first.write(f"raw/{name}", name)
    team.pivot("track", "raw")
    assert "4 transferred" in team.pivot("push", "raw/deep/b"), "a directory is on a remote as a whole"
    mate = team.clone("mate")
    shutil.rmtree(mate.root / "raw")
    would = team.pivot("fetch", "-n", "raw/deep", project=mate)
    assert "would fetch  raw/deep/b  6 B\nwould fetch  raw/deep/c  6 B\n" in would
    assert team.pivot("pull", "raw/deep/b", project=mate) == (
        "Fetched from 'origin': 1 transferred, 0 skipped, 0 failed\nRestored 1 file(s)\n"
    )
    assert [file.name for file in mate.root.glob("raw/**/*")] == ["deep", "b"]
    assert "1 transferred, 1 skipped" in team.pivot("fetch", "raw/deep", project=mate)
    assert team.pivot("checkout", "raw/deep/", project=mate) == "Restored 1 file(s)\n"
    assert "nothing recorded is named 'raw/deep/x'" in team.pivot("pull", "raw/deep/x", project=mate, code=2)
    assert "hint: origin is a remote: name it with --remote origin" in team.pivot("push", "origin", code=2)
    told = team.pivot("checkout", "raw/a", project=mate, code=1)
    assert "raw/a: not restored, since the cache does not have it" in told
    assert "1 transferred, 3 skipped" in team.pivot("pull", "raw", project=mate)
    assert mate.read("raw/a") == "a"


def test_user_content_is_not_overwritten(team: Team) -> None:
    team.pivot("push")
    mate = team.clone("mate")
    mate.write("clean.json", "mine")
    assert "clean.json: not restored" in team.pivot("pull", project=mate, code=1)
    assert mate.read("clean.json") == "mine"
    assert "Restored 0 file(s)" in team.pivot("pull", "--only-missing", project=mate)
    assert "Restored 1 file(s)" in team.pivot("pull", "--force", project=mate)


def test_outs_missing_from_the_remote(team: Team) -> None:
    team.pivot("push", "preprocess")
    mate = team.clone("mate")
    told = team.pivot("pull", project=mate, code=1)
    assert "Fetched from 'origin': 1 transferred, 0 skipped, 0 failed, 1 missing\n" in told
    assert "summary.json: 'origin' does not have it" in told
    assert "Restored 1 file(s)" in told
    team.pivot("repro")
    for each in (team.first.root / ".pivot/cache/files").glob("*/*"):
        each.unlink()
    told = team.pivot("push", "--refresh", "summarize", code=1)
    assert "summary.json: the cache does not have it" in told
    assert "'pivot repro'" in told
    team.pivot("repro")
    assert "1 transferred" in team.pivot("push", "--refresh", "summarize")


def test_a_remote_that_cannot_be_used(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)  # how long to wait before it is tried again
    team.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    told = team.pivot("push", code=3)
    assert "check the network" in told
    assert "hunter2" not in told
    team.env |= {"AWS_ENDPOINT_URL": team.endpoint, "AWS_ACCESS_KEY_ID": ""}
    told = team.process("push", code=3)
    assert "aws sts get-caller-identity" in told
    assert "hunter2" not in told


def test_several_remotes(team: Team) -> None:
    team.pivot("config", "unset", "default_remote")
    assert "1 transferred" in team.pivot("push", "preprocess")
    team.pivot("config", "set", "remotes.backup", f"s3://{team.bucket}/backup")
    team.pivot("config", "set", "remote.read_only", "origin")
    assert "'origin' is read-only: nothing was pushed" in team.pivot("push", "-r", "origin", code=2)
    told = team.pivot("push", code=2)
    assert "backup, origin" in told
    assert "Pushed to 'backup': 2 transferred" in team.pivot("push", "--remote", "backup")
    team.pivot("config", "set", "default_remote", "backup")
    assert "origin" in team.pivot("remote", "list")
    assert "Pushed to 'backup': 0 transferred" in team.pivot("push")


def test_verify(team: Team) -> None:
    passed = {"status": "passed", "reason": "", "missing_files": []}
    assert json.loads(team.pivot("verify", "--json")) == {
        "passed": True,
        "stages": [{"name": "preprocess", **passed}, {"name": "summarize", **passed}],
    }
    assert "2 stages, all passed" in team.pivot("verify")

    ci = team.clone("ci")
    found = json.loads(team.pivot("verify", "--json", project=ci, code=1))
    assert found["stages"][1] == {
        "name": "summarize",
        "status": "failed",
        "reason": "Missing files: clean.json, summary.json",
        "missing_files": ["clean.json", "summary.json"],
    }
    assert "clean.json" in team.pivot("verify", "--allow-missing", project=ci, code=1)
    team.pivot("push")
    shutil.rmtree(ci.root / ".pivot/state.db", ignore_errors=True)
    assert json.loads(team.pivot("verify", "--json", "--allow-missing", project=ci))["passed"]
    assert not (ci.root / "clean.json").exists()

    ci.replace("pipeline.py", "sum(values)", "max(values)")
    found = json.loads(team.pivot("verify", "--json", "--allow-missing", project=ci, code=1))
    assert [each["status"] for each in found["stages"]] == ["passed", "failed"]
    assert "Code dependency changed" in found["stages"][1]["reason"]
    assert json.loads(team.pivot("verify", "preprocess", "--json", "--allow-missing", project=ci))["passed"]
    ci.replace("data.json", "100", "101")
    assert "Input data changed: data.json" in team.pivot("verify", "--allow-missing", project=ci, code=1)


def test_verify_without_a_remote(quick: Project) -> None:
    quick.pivot("repro")
    assert "no remote is configured" in quick.pivot("verify", "--allow-missing", code=2).stderr
    with contextlib.suppress(FileNotFoundError):
        (quick.root / "clean.json").unlink()
    quick.pivot("verify")  # the cache has it
    quick.write("clean.json", "edited")
    assert "Output modified: clean.json" in quick.pivot("verify", code=1).stdout
    shutil.rmtree(quick.root / ".pivot/stages")
    assert "No previous run" in quick.pivot("verify", code=1).stdout


def test_a_teams_day(team: Team) -> None:
    """Developer, CI and teammate, as the guide tells it."""
    team.pivot("push")
    ci = team.clone("ci")
    team.pivot("pull", project=ci)
    team.pivot("verify", project=ci)
    assert "2 stages cached" in team.pivot("repro", project=ci)

    team.first.replace("pipeline.py", '"count": len(values)', '"count": 2 * len(values)')
    assert "1 ran, 1 cached" in team.pivot("repro")
    assert "1 transferred, 1 skipped" in team.pivot("push")

    mate = team.clone("mate")
    assert "Restored 2 file(s)" in team.pivot("pull", project=mate)
    assert "Everything is up to date" in team.pivot("repro", project=mate)
    assert json.loads(mate.read("summary.json"))["count"] == 4


def test_pull_needs_no_pipeline(team: Team) -> None:
    team.pivot("push")
    mate = team.clone("mate")
    (mate.root / "pipeline.py").write_text("import nothing_like_this\n")
    assert "Restored 2 file(s)" in team.pivot("pull", project=mate)
    assert "2 skipped" in team.pivot("push", project=mate)


def test_wrong_bytes_never_enter(team: Team) -> None:
    team.pivot("push")
    for each in team.s3.list_objects_v2(Bucket=team.bucket)["Contents"]:
        team.s3.put_object(Bucket=team.bucket, Key=each["Key"], Body=b"something else")
    mate = team.clone("mate")
    told = team.pivot("pull", project=mate, code=1)
    assert "is corrupt" in told
    assert "2 failed" in told
    assert not (mate.root / "clean.json").exists()


def test_the_cache_commands_know_of_the_remote(team: Team) -> None:
    for name in ("clean.json", "summary.json"):
        (team.first.root / name).unlink()
    assert "clean.json exists nowhere else" in team.pivot("cache", "drop", "preprocess", code=1)
    team.pivot("push", "preprocess")
    team.pivot("cache", "drop", "preprocess")
    assert "summary.json exists nowhere else" in team.pivot("cache", "drop", "summarize", code=1)
    assert "clean.json" in team.pivot("cache", "verify", code=1)
    team.pivot("cache", "verify", "--repair")
    assert "Restored 1 file(s)" in team.pivot("checkout", "preprocess")


def test_only_what_a_stage_that_runs_reads_is_fetched(team: Team) -> None:
    """In CI: status knows what the remote has, and a run fetches the inputs of what has to run, and nothing else."""
    team.first.write("raw/a", "a")
    team.pivot("track", "raw")
    assert json.loads(team.pivot("status", "--json", "--remote"))["remote"] == {
        "name": "origin",
        "synced": 0,
        "to_push": 3,
        "to_fetch": 0,
        "missing": 0,
    }
    team.pivot("push")
    ci = team.clone("ci")
    shutil.rmtree(ci.root / "raw")
    assert "stale" in team.pivot("status", project=ci)
    before = ci.snapshot()
    told = team.pivot("status", "--remote", project=ci)
    assert "preprocess  cached  not here, but on 'origin': clean.json" in told
    assert "2 stages, all cached\n'origin': 3 to fetch" in told
    found = json.loads(team.pivot("status", "--json", "--remote", project=ci))
    assert [each["status"] for each in found["stages"]] == ["cached", "cached"]
    assert found["stages"][0]["not_here"] == [{"path": "clean.json", "where": "remote"}]
    assert found["tracked_files"][0]["where"] == "remote"
    assert any("pivot pull" in each for each in found["suggestions"])
    team.pivot("status", "--quiet", "--remote", project=ci)
    assert "2 stages cached" in team.pivot("repro", "--pull", project=ci)
    assert ci.snapshot() == before

    ci.replace("pipeline.py", '"count": len(values)', '"count": 2 * len(values)')
    planned = team.pivot("repro", "--pull", "--dry-run", project=ci)
    assert "cached         preprocess  not here, but on 'origin': clean.json" in planned
    assert "would run      summarize" in planned
    told = team.pivot("repro", "--pull", "--jsonl", project=ci)
    assert "clean.json, from 'origin'" in told
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    sizes = [line["of_bytes"] for line in lines if line["event"] == "fetching"]  # several where it takes long
    assert set(sizes) == {len(ci.read("clean.json"))}
    assert (lines[-1]["event"], lines[-1]["complete"]) == ("run_ended", True)
    assert "fetching" not in ci.read(".pivot/state.db/history/1.jsonl")
    assert json.loads(ci.read("summary.json"))["count"] == 4
    assert not (ci.root / "raw").exists()
    (ci.root / "summary.json").unlink()
    told = team.pivot("status", "--remote", "summarize", project=ci)
    assert "summarize  cached  not here, but in the cache: summary.json" in told
    assert "1 stage, all cached\n'origin': 1 to push" in told, "the counts are those of the listed stages"


def test_a_digest_that_nobody_can_forge(team: Team) -> None:
    team.pivot("config", "set", "cache.sha256", "true")
    team.pivot("repro", "--force")
    team.first.write("raw/a", "a")
    team.first.write("raw/b", "b")
    team.pivot("track", "raw")
    recorded = team.first.lock("my_pipeline.preprocess")["outs"]["clean.json"]["sha256"]
    assert recorded == hashlib.sha256(team.first.read("clean.json").encode()).hexdigest()
    team.pivot("push")
    mate = team.clone("mate")
    shutil.rmtree(mate.root / "raw")
    told = team.pivot("pull", "raw/a", project=mate)
    assert told == "Fetched from 'origin': 3 transferred, 0 skipped, 0 failed\nRestored 1 file(s)\n", "all is checked"
    team.pivot("pull", project=mate)
    other = team.clone("other")
    other.replace(".pivot/stages/my_pipeline.preprocess.lock", recorded, "0" * 64)  # as if the bytes were others
    told = team.pivot("pull", project=other, code=1)
    assert "clean.json: s3://" in told
    assert "somebody has forged it" in told
    assert not (other.root / "clean.json").exists()


def test_results_of_others(team: Team) -> None:
    """Results that CI has computed on another branch are not computed again, though no lock file here names them."""
    team.pivot("config", "set", "remote.run_cache", "true")
    mate = team.clone("mate")
    team.first.replace("pipeline.py", '"count": len(values)', '"count": 2 * len(values)')
    team.pivot("repro")
    assert "Shared 2 run records" in team.pivot("push")
    assert "Shared" not in team.pivot("push")
    mate.write("pipeline.py", team.first.read("pipeline.py"))
    shutil.rmtree(mate.root / ".pivot/stages")
    assert "would restore  summarize" in team.pivot("repro", "--pull", "--dry-run", project=mate)
    assert "2 restored" in team.pivot("repro", "--pull", project=mate)
    assert json.loads(mate.read("summary.json"))["count"] == 4


def test_results_of_others_are_taken_without_an_import(team: Team) -> None:
    """As long as the pipelines are known: from the last import here, or from a file of shell commands."""
    team.pivot("config", "set", "remote.run_cache", "true")
    team.first.write(
        "words/pivot.yaml",
        "pipeline: words\nstages:\n  upper: {cmd: tr a-z A-Z < in.txt > out.txt, deps: [in.txt], outs: [out.txt]}\n",
    )
    team.first.write("words/in.txt", "one")
    team.pivot("repro", "--all")
    team.pivot("push")
    mate, fresh = team.clone("mate"), team.clone("fresh")
    team.pivot("pull", project=mate)
    team.pivot("repro", "--all", project=mate)

    edits = (("data.json", "100", "150"), ("words/in.txt", "one", "two"))
    for project in (team.first, mate, fresh):
        for edit in edits:
            project.replace(*edit)
    team.pivot("repro", "--all")
    assert "Shared 3 run records" in team.pivot("push")

    before = {name: content for name, (content, _) in mate.snapshot().items()}
    took = "Fetched 3 shared results for the current inputs, for 'pivot repro' to restore\n"
    assert team.pivot("fetch", "--dry-run", project=mate).endswith(took.replace("Fetched", "Would fetch"))
    assert "Fetched 1 shared result" in team.pivot("fetch", "preprocess", project=mate)
    assert team.pivot("fetch", project=mate).endswith(took.replace("3", "2"))
    assert "others" not in team.pivot("fetch", project=mate)
    assert {name: content for name, (content, _) in mate.snapshot().items()} == before
    assert "3 restored" in team.pivot("repro", "--all", project=mate)
    assert mate.lock("words.upper") == team.first.lock("words.upper")

    fresh.write("pipeline.py", "raise SystemExit('imported')\n")
    assert "Fetched 1 shared result" in team.pivot("pull", project=fresh)
    assert (fresh.root / "words/out.txt").read_text() == "ONE", "as the lock file has it"
    assert "1 restored" in fresh.pivot("repro", cwd="words").stdout
    assert (fresh.root / "words/out.txt").read_text() == "TWO"
    mate.write("words/in.txt", "three")
    team.env |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    told = team.pivot("fetch", "upper", project=mate)
    assert "warning: shared results were not looked up: s3://" in told
    assert "0 transferred, 1 skipped" in told


def git(project: Project, *arguments: str) -> None:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)


def test_gc_of_a_remote(team: Team) -> None:
    """It deletes only what no known branch needs, and refuses while a branch is unknown."""
    project = team.first
    gc = ("remote", "gc", "--grace", "0")
    assert "the project is not in a git repository" in team.pivot(*gc, "-n", code=2)
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "one")
    assert "the git repository has no remote" in team.pivot(*gc, "-n", code=2)
    subprocess.run(["git", "init", "-q", "--bare", project.root.parent / "origin.git"], check=True)
    git(project, "remote", "add", "origin", "../origin.git")
    git(project, "push", "-q", "origin", "main")
    team.pivot("push")

    git(project, "checkout", "-q", "-b", "theirs")
    project.replace("data.json", "100", "101")
    team.pivot("repro")
    team.pivot("push")
    git(project, "commit", "-q", "-am", "two")
    git(project, "push", "-q", "origin", "theirs")
    git(project, "checkout", "-q", "-f", "main")
    git(project, "branch", "-q", "-D", "theirs")
    git(project, "update-ref", "-d", "refs/remotes/origin/theirs")
    refused = team.pivot(*gc, "--yes", code=2)
    assert "of the git remote 'origin', these are not fetched: theirs" in refused
    assert "hint: git fetch --all --tags; --force deletes what only such lock files need" in refused
    assert "Would delete 2 objects" in team.pivot(*gc, "--dry-run", "--force")
    git(project, "fetch", "-q")
    nothing = json.loads(team.pivot(*gc, "--yes", "--json"))
    assert (nothing["dry_run"], nothing["objects"], nothing["needed"], nothing["young"]) == (False, [], 4, 0)

    git(project, "push", "-q", "origin", "--delete", "theirs")
    git(project, "fetch", "-q", "--prune")
    assert team.pivot("remote", "gc", "--yes") == "Nothing to delete of 'origin'; 2 needed, 2 too young\n"
    assert "--yes agrees in advance" in team.pivot(*gc, code=2)
    assert team.objects() == 4
    done = json.loads(team.pivot(*gc, "--yes", "--json"))
    assert (len(done["objects"]), done["deleted"], done["needed"]) == (2, 2, 2)
    assert team.objects() == 2
    mate = team.clone("mate")
    assert "Restored 2 file(s)" in team.pivot("pull", project=mate)

    project.write(".pivot/config.yaml", project.read(".pivot/config.yaml") + "cache.dir: ../shared\n")
    assert "Nothing to delete" in team.pivot(*gc, "-n")
    other = {"around": "", "directory": "", "file": "", "host": "elsewhere", "root": "/elsewhere/project"}
    registration = project.root.parent / "shared/projects/other"
    registration.write_text(json.dumps(other))
    refused = team.pivot(*gc, "-n", code=2)
    assert "unseen here: /elsewhere/project, which uses this cache, cannot be read here" in refused
    assert f"hint: if such a project no longer exists, delete {registration}; --force" in refused


def test_content_of_a_revision_is_fetched_when_asked(team: Team) -> None:
    """By `diff`, `metrics` and `plots`, each of an object that only the remote has."""
    team.first.replace("pipeline.py", 'pivot.Out("summary.json"', 'pivot.Metric("summary.json", cache=True, loader=')
    team.first.replace("pipeline.py", "loader=, pivot.loaders.PathOnly()", "loader=pivot.loaders.PathOnly()")
    team.first.replace(
        "pipeline.py", 'pivot.Out("clean.json", pivot', 'pivot.Plot("clean.json", x="name", loader=pivot'
    )
    team.first.replace("pipeline.py", 'json.dumps({"records": clean}, indent=2)', "json.dumps(clean)")
    team.first.replace("pipeline.py", 'data["records"]', "data")
    team.first.replace("pipeline.py", "data: Annotated[dict", "data: Annotated[list")
    team.pivot("repro")
    git(team.first, "init", "-q")
    git(team.first, "add", ".pivot", "pipeline.py", "data.json")
    git(team.first, "commit", "-q", "-m", "state")
    team.pivot("push")
    team.first.replace("data.json", "200", "400")
    team.pivot("repro")
    files = team.first.root / ".pivot/cache/files"
    shutil.rmtree(files)
    assert "hint: --pull fetches it from the remote" in team.pivot("diff", "summary.json", code=1)
    shown = team.process("diff", "summary.json", "--pull")
    assert shown.startswith("summary.json: 2 values changed\n")
    assert "max   200   400        +200\n" in shown
    shutil.rmtree(files)
    assert "hint: --pull fetches it from the remote" in team.pivot("metrics", "diff", code=1)
    assert "summary.json  max    200        400    +200\n" in team.pivot("metrics", "diff", "--pull")
    shutil.rmtree(files)
    assert "hint: --pull fetches it from the remote" in team.pivot("plots", "show", "HEAD", "--json", code=1)
    (found,) = json.loads(team.pivot("plots", "show", "HEAD", "--json", "--pull"))["plots"]
    assert [value["y"] for value in found["spec"]["data"]["values"]] == [100, 200]
