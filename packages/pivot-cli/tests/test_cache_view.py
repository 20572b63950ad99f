"""The output of the cache commands, for records that the end-to-end tests do not reach."""

import pathlib
from typing import Any

import click
import pytest

from pivot_cache.maintenance.fsck import DamagedObject, FsckReport
from pivot_cache.maintenance.gc import GcResult
from pivot_cache.maintenance.gc_plan import GcPlan, LiveSet
from pivot_cache.objects.trash import Batch
from pivot_cli import options
from pivot_cli.views import cache
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.records import Record
from pivot_runtime.maintenance.drop import DropReport, DropTarget
from pivot_runtime.maintenance.gc import GcReport
from pivot_runtime.maintenance.verify import CacheCheck
from pivot_runtime.project.cache_users import User
from pivot_runtime.project.project import Project

ROOT = pathlib.Path("/project")
PROJECT = Project(ROOT, ROOT / "sub")
DIGEST = "0123456789abcdef" * 2
OUT = Record(ArtifactPath("out.csv"), Artifact(DIGEST, 3), "p.stage")
DATA = Record(ArtifactPath("data.csv"), Artifact(DIGEST, 3))
PLAN = GcPlan({DIGEST: 3}, 1, 2, {"a" * 32}, LiveSet({"b" * 32}, {"b" * 32}), runs=("c" * 32,))
BATCH = Batch(ROOT / "trash", 1, dropped=False, like=ROOT)


def report(**changes: object) -> FsckReport:
    facts: dict[str, Any] = {"bad": (), "suspect": {}, "unreadable": {}, "missing": frozenset(), "foreign": ()}
    return FsckReport(1, 3, **{**facts, **changes})


def test_a_dry_run_says_what_would_be() -> None:
    planned = GcPlan({}, 0, 0, set(), LiveSet(set(), set()), expired=(BATCH,))

    assert cache.gc_text(GcReport(planned, None, (), (), ())).splitlines() == [
        "Would move 0 objects (0 B) to the trash; 0 objects (0 B) needed",
        "Would delete 1 earlier collection from the trash",
    ]


def test_a_collection_says_what_it_did() -> None:
    done = GcReport(
        PLAN, GcResult(PLAN, BATCH, {DIGEST: 3}, 1, {"d" * 32}, (2, 5)), (), (User(ROOT, ""),), ("what @ where",)
    )

    assert cache.gc_text(done).splitlines() == [
        "Moved 1 object (3 B) to the trash; 1 object (2 B) needed",
        "Forgot 1 run older than the retention",
        "Skipped 1 object that changed meanwhile",
        "Brought back 1 object from the trash, needed again",
        "Deleted 2 objects (5 B) from the trash",
    ]
    assert len(list(cache.gc_notes(done))) == 3
    assert cache.gc_json(done) == {
        "dry_run": False,
        "removed": [{"digest": DIGEST, "size": 3}],
        "kept": {"objects": 1, "size": 2},
        "recent": ["a" * 32],
        "runs": 1,
        "released": [],
        "spared": {"objects": 0, "size": 0},
        "returned": ["d" * 32],
        "deleted": {"objects": 2, "size": 5},
        "unlisted": ["b" * 32],
        "projects": [],
        "skipped": ["what @ where"],
    }


def test_unreadable_objects_are_neither_good_nor_bad() -> None:
    found = CacheCheck(report(unreadable={DIGEST: "Input/output error"}), (), ())

    assert cache.verify_text(found) == "Checked 1 object (3 B): 1 could not be read\n"
    assert list(cache.verify_errors(found, PROJECT)) == [f"object {DIGEST} could not be checked: Input/output error"]
    assert "permissions" in cache.verify_hint(found, full=True, repair=False)


def test_the_first_ten_of_a_kind_are_named() -> None:
    found = CacheCheck(report(bad=tuple(DamagedObject(f"{n:032x}", "is bad", None) for n in range(13))), (), ())
    lines = list(cache.verify_errors(found, PROJECT))

    assert len(lines) == 11
    assert lines[0] == f"object {0:032x} is bad, but cannot be moved"
    assert lines[-1] == "and 3 more"


@pytest.mark.parametrize(
    ("lacking", "repair", "told"),
    [
        ((OUT,), False, "--repair"),
        ((OUT, DATA), True, "'pivot repro p.stage'"),
        ((DATA,), True, "'pivot track'"),
        ((), True, ""),
    ],
)
def test_the_hint_is_the_next_thing_to_do(lacking: tuple[Record, ...], repair: bool, told: str) -> None:
    hint = cache.verify_hint(CacheCheck(report(), lacking, lacking), full=True, repair=repair)

    assert told in hint
    assert bool(hint) == bool(told)


def test_drop_says_where_each_target_is() -> None:
    paths = [ArtifactPath(name) for name in ("a", "b", "c")]
    places = [(1, True, True), (1, False, True), (0, False, False)]
    targets = tuple(DropTarget(path, n, 3 * n, w, r) for path, (n, w, r) in zip(paths, places, strict=True))

    assert cache.drop_text(DropReport(targets, {}, 0, refused=False), PROJECT, dry_run=True).splitlines() == [
        "../a: 1 object (3 B), also in the workspace and on the remote",
        "../b: 1 object (3 B), also on the remote",
        "../c: 0 objects (0 B), not in the cache",
    ]


def test_undone_says_what_came_back() -> None:
    assert cache.undo_text(GcResult(PLAN, BATCH, {}, 2, set(), (0, 0))) == "Brought back 2 runs\n"
    assert cache.undo_json(None) == {"returned": [], "runs": 0}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("10s", 10), ("2m", 120), ("12h", 43200), ("30d", 2592000), ("2w", 1209600)]
)
def test_ages(text: str, seconds: int) -> None:
    context, parameter = click.Context(click.Command("x")), click.Option(["--age"])

    assert options.age(context, parameter, text) == seconds * 1_000_000_000
    assert options.age(context, parameter, None) is None


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "1y", "30d ", "9999999d"])
def test_invalid_ages_are_rejected(text: str) -> None:
    with pytest.raises(click.BadParameter, match="30d"):
        options.age(click.Context(click.Command("x")), click.Option(["--age"]), text)
