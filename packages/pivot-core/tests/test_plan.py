"""A plan always drains, keeps the order of the graph, and tells of every skipped stage once."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.plan import Plan, State, resource_needs
from pivot_core.spec import Location, StageError, StageSpec

ENDED = {State.DONE, State.FAILED, State.SKIPPED}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Stages by name, each with some of the earlier ones as its upstream."""
    size = draw(st.integers(0, 8))
    upstream: dict[str, frozenset[str]] = {}
    for name in draw(st.permutations([f"s{number}" for number in range(size)])):
        before = sorted(upstream)
        upstream[name] = draw(st.frozensets(st.sampled_from(before), max_size=3)) if before else frozenset()
    return upstream


def descendants(upstream: dict[str, frozenset[str]], name: str) -> set[str]:
    """All stages that depend on one, by brute force."""
    found = {name}
    while more := {other for other, before in upstream.items() if before & found} - found:
        found |= more
    return found - {name}


EVENTS = st.lists(st.tuples(st.sampled_from(["take", "done", "fail", "stop"]), st.integers(0, 7)), max_size=20)


@given(graphs(), EVENTS)
def test_run_of_random_stages(upstream: dict[str, frozenset[str]], events: list[tuple[str, int]]) -> None:
    """Whatever ends in whatever order, all stages end, each after its upstream."""
    plan = Plan(upstream)
    taken: list[str] = []
    running: list[str] = []
    told: list[str] = []
    for action, which in itertools.chain(events, itertools.cycle([("take", 0), ("done", 0)])):
        if plan.finished:
            break
        if action == "take" or (not running and action != "stop"):
            name = plan.take()
            assert name is not None or running
            if name is not None:
                assert all(plan.state(before) is State.DONE for before in upstream[name])
                assert plan.state(name) is State.RUNNING
                taken.append(name)
                running.append(name)
        elif action == "stop":
            told += plan.stop()
            assert plan.take() is None
        else:
            name = running.pop(which % len(running))
            if action == "done":
                plan.done(name)
            else:
                skipped = plan.fail(name)
                assert set(skipped) == descendants(upstream, name) - set(told)
                told += skipped
        assert plan.running == len(running)
        assert plan.finished == all(plan.state(name) in ENDED for name in upstream)

    assert plan.take() is None
    assert len(taken) == len(set(taken))
    assert len(told) == len(set(told))
    assert set(taken) | set(told) == set(upstream)
    assert not set(taken) & set(told)
    assert {name for name in upstream if plan.state(name) is State.SKIPPED} == set(told)


@given(graphs())
def test_one_worker_takes_all_stages_in_the_given_order(upstream: dict[str, frozenset[str]]) -> None:
    plan = Plan(upstream)
    taken = []
    while (name := plan.take()) is not None:
        taken.append(name)
        plan.done(name)

    assert taken == list(upstream)
    assert plan.finished


@given(graphs(), st.data())
def test_failures_skip_exactly_what_rests_on_them(upstream: dict[str, frozenset[str]], data: st.DataObject) -> None:
    """With `--keep-going`, what does not depend on a failed stage is done."""
    broken = data.draw(st.sets(st.sampled_from(sorted(upstream)))) if upstream else set()
    plan = Plan(upstream)
    failed = set()
    while (name := plan.take()) is not None:
        if name in broken:
            failed.add(name)
            plan.fail(name)
        else:
            plan.done(name)

    skipped = set().union(*(descendants(upstream, name) for name in failed))
    assert plan.finished
    assert {name for name in upstream if plan.state(name) is State.SKIPPED} == skipped
    assert {name for name in upstream if plan.state(name) is State.DONE} == upstream.keys() - skipped - failed


def test_states_of_a_diamond() -> None:
    plan = Plan({"a": frozenset(), "b": frozenset({"a"}), "c": frozenset({"a"}), "d": frozenset({"b", "c"})})

    assert [plan.state(name) for name in "abcd"] == [State.READY, State.WAITING, State.WAITING, State.WAITING]
    assert plan.take() == "a"
    assert plan.take() is None
    plan.done("a")
    assert (plan.take(), plan.take(), plan.take()) == ("b", "c", None)
    assert plan.fail("b") == ("d",)
    plan.done("c")
    assert plan.finished
    assert [plan.state(name) for name in "abcd"] == [State.DONE, State.FAILED, State.DONE, State.SKIPPED]


def test_stopped_plan_ends_with_its_running_stages() -> None:
    plan = Plan({"a": frozenset(), "b": frozenset(), "c": frozenset({"a"})})
    plan.take()

    assert plan.stop() == ("b", "c")
    assert plan.stop() == ()
    assert plan.take() is None
    assert (plan.finished, plan.running) == (False, 1)
    plan.done("a")
    assert (plan.finished, plan.running) == (True, 0)
    assert plan.take() is None


def test_empty_plan_is_finished() -> None:
    plan = Plan({})

    assert plan.finished
    assert plan.take() is None
    assert plan.stop() == ()


@pytest.mark.parametrize("end", [Plan.done, Plan.fail])
def test_only_a_running_stage_can_end(end: Callable[[Plan, str], object]) -> None:
    plan = Plan({"a": frozenset()})

    with pytest.raises(ValueError, match="'a' is ready, not running"):
        end(plan, "a")
    plan.take()
    end(plan, "a")
    with pytest.raises(ValueError, match="not running"):
        end(plan, "a")


NEEDS = st.dictionaries(
    st.integers(0, 7).map("s{}".format), st.dictionaries(st.sampled_from(["gpu", "mutex db"]), st.integers(1, 2))
)


@given(graphs(), NEEDS, st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=30))
def test_resources_are_never_exceeded(
    upstream: dict[str, frozenset[str]], needs: dict[str, dict[str, int]], choices: list[tuple[bool, int]]
) -> None:
    """And nobody waits without need: the run ends, what is refused does not fit, and the first that fits is taken."""
    capacities = {"gpu": 3, "mutex db": 2}
    plan = Plan(upstream, needs, capacities)
    running: list[str] = []
    for take, which in itertools.chain(choices, itertools.cycle([(True, 0), (False, 0)])):
        if plan.finished:
            break
        if not take and running:
            plan.done(running.pop(which % len(running)))
            continue
        used = {key: sum(needs.get(each, {}).get(key, 0) for each in running) for key in capacities}
        fitting = [
            each
            for each in upstream
            if plan.state(each) is State.READY
            and all(used[key] + amount <= capacities[key] for key, amount in needs.get(each, {}).items())
        ]
        name = plan.take()
        assert name == next(iter(fitting), None)
        assert name is not None or running
        running += [] if name is None else [name]


def test_of_what_has_no_capacity_there_is_one() -> None:
    plan = Plan({"a": frozenset(), "b": frozenset(), "c": frozenset()}, {"a": {"x": 1}, "b": {"x": 1}})

    assert [plan.take(), plan.take(), plan.take()] == ["a", "c", None]
    plan.fail("a")
    assert plan.take() == "b"


@given(graphs(), st.dictionaries(st.sampled_from([f"s{number}" for number in range(8)]), st.integers(0, 9), max_size=8))
def test_the_stage_with_clearly_the_longest_path_is_preferred(
    upstream: dict[str, frozenset[str]], powers: dict[str, int]
) -> None:
    """Of what is ready; by brute force over all ways. Where the difference is small, the order is that of the graph."""
    seconds = {name: float(10**power) for name, power in powers.items()}

    def way(name: str) -> float:
        after = [way(other) for other, before in upstream.items() if name in before]
        return seconds.get(name, 0.0) + max(after, default=0.0)

    plan = Plan(upstream, seconds=lambda: seconds)
    order = list(upstream)
    while not plan.finished:
        ready = [name for name in upstream if plan.state(name) is State.READY]
        name = plan.take()
        assert name is not None
        assert way(name) * 1.6 >= max(map(way, ready))
        earlier = [other for other in ready if order.index(other) < order.index(name)]
        assert not any(way(other) >= way(name) for other in earlier)
        plan.done(name)


def test_the_longest_stage_is_first() -> None:
    nothing: frozenset[str] = frozenset()
    seconds = {"short": 1.0, "long": 2.0, "tiny": 0.01, "gone": 9.0}
    plan = Plan(dict.fromkeys(["new", "tiny", "short", "long"], nothing), seconds=lambda: seconds)

    assert [plan.take() for _ in range(4)] == ["long", "short", "new", "tiny"]


def stage_with(resources: dict[str, int], mutex: tuple[str, ...] = ()) -> StageSpec:
    return StageSpec("s", "p", "", Location("pipeline.py", 1), mutex=mutex, resources=resources)


def test_a_mutex_group_is_a_resource_beside_those_that_are_counted() -> None:
    assert resource_needs([stage_with({"gpu": 2}, ("db",))], {"gpu": 2}) == {"p.s": {"gpu": 2, "mutex db": 1}}


def test_a_stage_that_needs_more_of_a_resource_than_there_is_cannot_run() -> None:
    with pytest.raises(StageError, match="it needs 2 of the resource 'gpu', but only 1 is available") as refused:
        resource_needs([stage_with({"gpu": 2})], {})
    assert refused.value.hint == "pivot config set resources.gpu 2"
    with pytest.raises(StageError, match="it needs 8 GiB of the resource 'memory', but only 500 MB is") as refused:
        resource_needs([stage_with({"memory": 8 << 30})], {"memory": 500_000_000})
    assert refused.value.hint == "pivot config set resources.memory 8GiB"


def test_the_highest_priority_starts_first_whatever_the_durations() -> None:
    nothing = frozenset[str]()
    upstream = {"first": nothing, "long": nothing, "low": nothing, "high": nothing, "after": frozenset({"high"})}
    plan = Plan(upstream, seconds=lambda: {"long": 100.0}, priorities={"high": 1, "low": -1, "after": 2})

    started = [plan.take() for _ in range(3)]
    plan.done("high")
    assert [*started, plan.take(), plan.take()] == ["high", "long", "first", "after", "low"]
