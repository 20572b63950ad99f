# mypy: ignore-errors
"""A small module whose digests are committed: a change of the canonical form must be meant."""

import dataclasses
import enum
import functools
import math
import re
from decimal import Decimal
from pathlib import Path

RATE = 0.5
WORDS = frozenset({"a", "b"})
PATTERN = re.compile("[a-z]+", re.IGNORECASE)
PRICE = Decimal("1.10")
WHERE = Path("data") / "raw"
TABLE = {"double": lambda x: x * 2, "round": math.floor}


class Colour(enum.Enum):
    """Colours."""

    RED = 1
    BLUE = "b"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: float = RATE

    def length(self) -> float:
        """Its length."""
        return math.hypot(self.x, self.y)


ORIGIN = Point(0)


def traced(label):
    def decorate(function):
        @functools.wraps(function)
        def inner(*args, **options):
            return label, function(*args, **options)

        return inner

    return decorate


@traced("small")
def small(x, /, *rest, key=None, **more):
    return [*rest, {**more, "key": key}][x:-1]


@functools.lru_cache(maxsize=8)
def cached(n):
    return 1 if n < 2 else n * cached(n - 1)


async def fetch(source):
    async with source as stream:
        return {name: size async for name, size in stream if (big := size > 3) and big}


def classify(value):
    match value:
        case None | True:
            return "flag"
        case {"kind": str(kind), **rest}:
            return kind, rest
        case [Point(x=0), *_] if value:
            return "origin"
        case Colour.RED:
            return f"{value!r:>{10}} and {value}"
    try:
        raise ValueError(value) from None
    except* ValueError as group:
        value = group
    finally:
        del value


def stage(x: int, *, scale: float = RATE) -> list[object]:
    """Everything together."""

    def inner(y):
        nonlocal x
        x += y
        return lambda z=x: z if z else -z

    found = [inner(i)() for i in range(x) if i in WORDS]
    return [found, small(1), cached(3), fetch, classify(ORIGIN), TABLE, PATTERN, PRICE, WHERE, scale]
