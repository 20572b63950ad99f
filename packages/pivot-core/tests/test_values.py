"""Values are compared and shown as attrs itself would do it."""

import itertools
import sys

import attrs
import pytest

from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Nothing(Value):
    pass


@attrs.frozen(eq=False, repr=False)
class One(Value):
    part: object


@attrs.frozen(eq=False, repr=False)
class Three(Value):
    part: object
    seen: int = attrs.field(default=0, eq=False)
    secret: str = attrs.field(default="", repr=False)


@attrs.frozen(eq=False, repr=False)
class Derived(Three):
    more: int = 0


class ByAttrs:
    """The same classes, in which attrs makes everything."""

    @attrs.frozen
    class Nothing:
        pass

    @attrs.frozen
    class One:
        part: object

    @attrs.frozen
    class Three:
        part: object
        seen: int = attrs.field(default=0, eq=False)
        secret: str = attrs.field(default="", repr=False)

    @attrs.frozen
    class Derived(Three):
        more: int = 0


def examples(of: object) -> list[object]:
    nothing, one, three, derived = (getattr(of, name) for name in ("Nothing", "One", "Three", "Derived"))
    return [
        nothing(),
        nothing(),
        *(one(part) for part in (1, 2, (1, 2), ((1, 2),), "1", None)),
        *(three(*given) for given in ((1,), (1, 2), (1, 2, "x"), (2,), (1, 0, "x"))),
        *(derived(*given) for given in ((1,), (1, 2), (1, 2, "", 3), (1, 0, "", 3))),
    ]


def test_values_are_equal_when_those_of_attrs_are() -> None:

    ours, theirs = examples(sys.modules[__name__]), examples(ByAttrs)
    for (one, same_one), (other, same_other) in itertools.product(zip(ours, theirs, strict=True), repeat=2):
        assert (one == other) is (same_one == same_other)
        assert (one != other) is (same_one != same_other)
        assert one != other or hash(one) == hash(other)
        assert one != same_other


def test_values_are_shown_as_attrs_shows_them() -> None:

    assert [repr(value) for value in examples(sys.modules[__name__])] == [
        repr(value).removeprefix("ByAttrs.") for value in examples(ByAttrs)
    ]


def test_a_value_is_hashable_if_its_fields_are() -> None:
    with pytest.raises(TypeError):
        hash(One([]))
    assert len({One(1), One(1), One(2)}) == 2
