"""Encoder of values: equal tokens if and only if type and content are equal, in every process."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_fingerprint import Fingerprinter, Manifest, fingerprint, register_encoder
from pivot_fingerprint.values import builtin_types

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")


def anchor() -> None:
    pass


def manifest_of(value: object) -> Manifest:
    return fingerprint(anchor, is_user_code=lambda file: file == __file__, values={"value": value})


def digest(value: object) -> str:
    return manifest_of(value)["value"].digest


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(alphabet="ab\0é\ud800 ;:<>", max_size=4)
    | st.binary(max_size=4)
)
hashables = st.recursive(leaves, lambda inner: st.tuples(inner, inner) | st.frozensets(inner), max_leaves=4)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.sets(hashables, max_size=3)
        | st.dictionaries(hashables, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one: object, two: object) -> bool:  # noqa: PLR0911 - one line per kind
    """Equality by type and content, by direct comparison."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float) and isinstance(two, float):
        return one.hex() == two.hex()
    if isinstance(one, complex) and isinstance(two, complex):
        return same((one.real, one.imag), (two.real, two.imag))
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, set | frozenset) and isinstance(two, set | frozenset):
        return len(one) == len(two) and all(any(same(each, other) for other in two) for each in one)
    return one == two


@given(values, values)
def test_equal_digests_mean_equal_values(one: object, two: object) -> None:
    assert same(one, two) == (digest(one) == digest(two))


@given(values)
def test_one_level_more_is_another_value(value: object) -> None:
    assert digest(value) != digest([value]) != digest((value,))


@given(st.lists(hashables, max_size=6))
def test_the_order_in_which_a_set_was_filled_does_not_count(items: list[object]) -> None:
    kept: list[object] = []
    for item in items:
        if item not in kept:
            kept.append(item)

    backwards = list(reversed(kept))
    assert digest(set(kept)) == digest(set(backwards))


def test_sharing_does_not_count() -> None:
    shared = [1]

    assert digest([shared, shared]) == digest([[1], [1]])


def test_shared_values_are_encoded_once() -> None:
    value: list[object] = []
    for _ in range(200):
        value = [value, value]

    assert digest(value) == digest(value)


def test_cycles_end_and_count_by_their_shape() -> None:
    def ring(length: int) -> list[object]:
        first: list[object] = [length]
        last = first
        for _ in range(length):
            last.append([length])
            last = last[-1]  # type: ignore[assignment]
        last.append(first)
        return first

    assert digest(ring(3)) == digest(ring(3))
    assert digest(ring(3)) != digest(ring(4))


def test_a_web_of_objects_is_linear() -> None:
    class Node:
        def __init__(self) -> None:
            self.near: list[Node] = []

    nodes = [Node() for _ in range(60)]
    for node in nodes:
        node.near = nodes

    assert len(digest(nodes)) == 32


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}, lambda value: (value,)])
def test_no_nesting_is_too_deep(wrap: Callable[[object], object]) -> None:
    def deep(value: object) -> object:
        for _ in range(10_000):
            value = wrap(value)
        return value

    assert digest(deep(1)) == digest(deep(1))
    assert digest(deep(1)) != digest(deep(2))


def test_chains_of_closures_and_partials_are_not_too_deep() -> None:
    def wrap(f: object) -> Callable[..., object]:
        return lambda: f

    def deep(innermost: object) -> object:
        f = innermost
        for _ in range(3_000):
            f = partial(wrap(f), 1)
        return f

    assert digest(deep(1)) != digest(deep(2))


def test_nan_equals_itself_and_zeros_differ() -> None:
    assert digest(float("nan")) == digest(-float("nan"))
    assert digest(0.0) != digest(-0.0)


def test_all_processes_agree() -> None:
    """Compares two hash seeds byte by byte."""
    script = (
        "from pivot_fingerprint import fingerprint\n"
        "import enum, datetime\n"
        "def anchor(): pass\n"
        "value = [{'a', 'b', (1, 'c'), frozenset({'x', 'y'})}, {'k': {1, 2, 'z'}}, datetime.date(2020, 1, 1)]\n"
        "print(fingerprint(anchor, values={'v': value})['v'].digest)\n"
    )
    seen = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        seen.add(run.stdout)

    assert len(seen) == 1


def test_an_unencodable_value_is_named() -> None:
    manifest = manifest_of([1, threading.Lock()])

    assert [(edge.key, edge.reason) for edge in manifest.unresolved] == [
        ("value", "a value of type _thread.lock has no canonical form")
    ]


def test_values_around_an_unencodable_one_still_count() -> None:
    assert digest([1, threading.Lock()]) != digest([2, threading.Lock()])


def test_a_library_object_with_unencodable_state_counts_by_its_class() -> None:
    event = threading.Event()
    event.set()

    assert digest(event) == digest(threading.Event())
    assert len(manifest_of(event).unresolved) == 1


@pytest.mark.parametrize("value", [(x for x in "ab"), open(os.devnull), sys.stdout, iter([]).__next__])  # noqa: SIM115
def test_nothing_raises(value: object) -> None:
    assert len(digest(value)) == 32


def test_an_object_that_resists_is_named() -> None:
    class Resists:
        @property
        def __dict__(self) -> dict[str, object]:  # type: ignore[override]
            raise RuntimeError("no")

    reasons = [edge.reason for edge in manifest_of(Resists()).unresolved]

    assert len(reasons) == 1
    assert "cannot be looked at: RuntimeError" in reasons[0]


def test_a_users_encoder() -> None:
    class Token:
        def __init__(self, name: str) -> None:
            self.name = name
            self.lock = threading.Lock()

    register_encoder(Token, lambda token: token.name)

    assert digest(Token("a")) == digest(Token("a"))
    assert digest(Token("a")) != digest(Token("b"))
    assert manifest_of(Token("a")).unresolved == ()


def test_an_encoder_that_fails_is_named() -> None:
    class Broken:
        pass

    register_encoder(Broken, lambda _value: 1 // 0)

    assert "the encoder of" in manifest_of(Broken()).unresolved[0].reason


def test_register_encoder_wants_a_class() -> None:
    with pytest.raises(TypeError):
        register_encoder("int", str)  # type: ignore[arg-type]


def test_places_below_the_root_are_the_same_in_every_checkout(tmp_path: Path) -> None:
    def at(root: Path) -> str:
        value = [root / "data", str(root / "data"), root]
        return fingerprint(anchor, root=root, values={"v": value})["v"].digest

    assert at(tmp_path / "one") == at(tmp_path / "two")
    assert at(tmp_path / "one") != fingerprint(anchor, values={"v": [tmp_path]})["v"].digest


def reason_of(value: object) -> list[str]:
    manifest = fingerprint(anchor, is_user_code=lambda _file: False, values={"value": value})
    return [edge.reason for edge in manifest.unresolved]


class Foreign:
    """An object of a library."""

    def __init__(self, state: object) -> None:
        self.state = state


class Flapping:
    looks = 0

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        Flapping.looks += 1
        return (Flapping, (Flapping.looks,))


def test_a_librarys_object_has_a_budget() -> None:
    small, large = Foreign(list(map(str, range(1000)))), Foreign([[] for _ in range(201_000)])
    both = reason_of([large, 1, small])

    assert reason_of(small) == []
    assert len(both) == 1
    assert "Foreign has more than 200,000 parts" in both[0]


def test_a_value_that_changes_at_each_look_is_named() -> None:
    reasons = reason_of([Flapping()])

    assert len(reasons) == 1
    assert "Flapping differs at each look" in reasons[0]


def test_an_object_that_is_given_up_counts_by_its_class() -> None:
    class Other(Foreign):
        pass

    def token(value: object) -> str:
        return fingerprint(anchor, is_user_code=lambda _file: False, values={"value": value})["value"].digest

    assert token(Foreign(threading.Lock())) == token(Foreign([threading.Lock()])) != token(Other(threading.Lock()))


class Said:
    def __init__(self, said: object) -> None:
        self.said = said
        self.noise = object()

    def __pivot_fingerprint__(self) -> object:
        if self.said is None:
            raise ValueError("nothing to say")
        return self.said


class SaidToo(Said):
    pass


def test_a_class_declares_the_data_of_its_instances() -> None:
    assert digest(Said([1])) == digest(Said([1]))
    assert len({digest(Said([1])), digest(Said([2])), digest(SaidToo([1])), digest([1])}) == 4
    (edge,) = manifest_of(Said(None)).unresolved
    assert "`__pivot_fingerprint__` of" in edge.reason
    assert "failed: ValueError('nothing to say')" in edge.reason


def test_numbers_of_this_process_alone_count_by_what_they_stand_for() -> None:
    def taken(number: int, stands_for: object) -> str:
        session = Fingerprinter(is_user_code=lambda file: file == __file__, chance={number: stands_for})
        return session.fingerprint(anchor, {"value": {"a": [number, 5, True]}})["value"].digest

    assert taken(1 << 40, ("hash", "a")) == taken(1 << 41, ("hash", "a"))
    assert taken(1 << 40, ("hash", "a")) != taken(1 << 40, ("hash", "b"))


class Spot:
    def __init__(self, place: int) -> None:
        self.place = place


class Following(Spot):
    def __getattr__(self, name: str) -> object:
        raise AttributeError(name)


class Calls:
    """A listener that counts the calls of code that describes a value."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, path: str, content: bytes | None) -> None:
        pass

    def searched(self, name: str, places: Sequence[str]) -> None:
        pass

    def probed(self, path: str) -> None:
        pass

    def called(self) -> AbstractContextManager[None]:
        self.count += 1
        return nullcontext()


def test_an_encoder_counts_for_all_later_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin_types, "_ENCODERS", {})
    fingerprinter = Fingerprinter(is_user_code=lambda file: file == __file__)

    def digests() -> set[str]:
        spots = {str(place): Spot(place) for place in range(3)}
        manifest = fingerprinter.fingerprint(anchor, spots)
        return {manifest[key].digest for key in spots}

    assert len(digests()) == 3
    register_encoder(Spot, lambda spot: spot.place > 5)
    assert len(digests()) == 1


@pytest.mark.parametrize(("kind", "count"), [(Spot, 1), (Following, 3)])
def test_only_code_that_may_read_something_is_listened_to(kind: type[Spot], count: int) -> None:
    listener = Calls()
    fingerprinter = Fingerprinter(is_user_code=lambda file: file == __file__, listener=listener)
    fingerprinter.fingerprint(anchor, {str(place): kind(place) for place in range(3)})
    assert listener.count == count


class Tagged:
    """As attrs makes it, with a field that the class got later."""

    __attrs_attrs__ = (
        SimpleNamespace(name="name", default="", metadata={}),
        SimpleNamespace(name="level", default=1, metadata={"pivot_fingerprint_later": True}),
    )

    def __init__(self, name: str, level: object = 1) -> None:
        self.name, self.level = name, level


def test_a_field_that_a_class_got_later_counts_only_with_another_value_than_its_default() -> None:
    before = Tagged("a")
    del before.level

    assert builtin_types.attributes(Tagged("a")) == builtin_types.attributes(before) == {"name": "a"}
    assert builtin_types.attributes(Tagged("a", 2)) == {"level": 2, "name": "a"}
    assert builtin_types.attributes(Tagged("a", True)) == {"level": True, "name": "a"}
    assert builtin_types.attributes(Tagged("")) == {"name": ""}
