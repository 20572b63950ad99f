"""No object is replaced, however a server treats conditions, and no needless request is made."""

import asyncio

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from pivot_remote_s3.uploads.conditional_put import ConditionalPut


class Server:
    """One object on a server that may support conditions, and may enforce them."""

    def __init__(self, *, supports: bool, enforces: bool, there: bool) -> None:
        self.supports = supports
        self.enforces = enforces
        self.there = there
        self.replaced = False
        self.asked = 0

    async def taken(self) -> bool:
        self.asked += 1
        return self.there

    async def put(self, **condition: str) -> None:
        answer = {}
        if condition and not self.supports:
            answer = {"Code": "NotImplemented"}
        elif condition and self.enforces and self.there:
            answer = {"Code": "PreconditionFailed"}
        if answer:
            raise ClientError({"Error": answer}, "PutObject")
        self.replaced |= self.there
        self.there = True


@given(st.booleans(), st.booleans(), st.lists(st.booleans(), max_size=4))
def test_nothing_is_replaced(supports: bool, enforces: bool, there: list[bool]) -> None:
    creation = ConditionalPut()
    for each in there:
        server = Server(supports=supports, enforces=enforces, there=each)
        assert asyncio.run(creation.create(server.taken, server.put)) is not each
        assert not server.replaced


def test_a_refusal_shows_that_a_server_enforces_conditions() -> None:
    creation = ConditionalPut()

    async def not_yet() -> bool:
        return False

    server = Server(supports=True, enforces=True, there=True)
    assert asyncio.run(creation.create(not_yet, server.put)) is False
    assert asyncio.run(creation.create(server.taken, server.put)) is False
    assert server.asked == 0


@pytest.mark.parametrize("supports", [True, False])
def test_aws_is_asked_for_existence_only_if_it_does_not_support_conditions(supports: bool) -> None:
    creation = ConditionalPut(enforced=True)
    for there, new in ((False, True), (True, False)):
        server = Server(supports=supports, enforces=True, there=there)
        assert asyncio.run(creation.create(server.taken, server.put)) is new
        assert server.asked == (0 if supports else 1)
        assert not server.replaced


def test_a_server_that_no_longer_supports_conditions_is_asked_for_existence() -> None:
    """Like one of several servers behind one address, or one that was downgraded."""
    server = Server(supports=False, enforces=False, there=False)
    assert asyncio.run(ConditionalPut(enforced=True).create(server.taken, server.put)) is True
    assert server.asked == 1


def test_other_errors_are_passed_on() -> None:
    async def put(**_: str) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    async def taken() -> bool:
        return False

    creation = ConditionalPut()
    with pytest.raises(ClientError):
        asyncio.run(creation.create(taken, put))
    assert creation == ConditionalPut()
