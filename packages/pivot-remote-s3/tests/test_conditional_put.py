"""Nothing is replaced, whatever a server makes of conditions, and no more is asked than that needs."""

import asyncio

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from pivot_remote_s3.conditional_put import ConditionalPut


class Server:
    """One object on a server that understands conditions, and keeps to them, or does not."""

    def __init__(self, *, understands: bool, keeps: bool, there: bool) -> None:
        self.understands = understands
        self.keeps = keeps
        self.there = there
        self.replaced = False
        self.asked = 0

    async def taken(self) -> bool:
        self.asked += 1
        return self.there

    async def put(self, **condition: str) -> None:
        answer = {}
        if condition and not self.understands:
            answer = {"Code": "NotImplemented"}
        elif condition and self.keeps and self.there:
            answer = {"Code": "PreconditionFailed"}
        if answer:
            raise ClientError({"Error": answer}, "PutObject")
        self.replaced |= self.there
        self.there = True


@given(st.booleans(), st.booleans(), st.lists(st.booleans(), max_size=4))
def test_nothing_is_replaced(understands: bool, keeps: bool, there: list[bool]) -> None:
    conditions = ConditionalPut()
    for each in there:
        server = Server(understands=understands, keeps=keeps, there=each)
        assert asyncio.run(conditions.create(server.taken, server.put)) is not each
        assert not server.replaced


def test_what_others_create_meanwhile_shows_that_a_server_keeps_to_conditions() -> None:
    conditions = ConditionalPut()

    async def not_yet() -> bool:
        return False

    server = Server(understands=True, keeps=True, there=True)
    assert asyncio.run(conditions.create(not_yet, server.put)) is False
    assert asyncio.run(conditions.create(server.taken, server.put)) is False
    assert server.asked == 0


@pytest.mark.parametrize("understands", [True, False])
def test_of_aws_is_asked_only_what_it_does_not_understand(understands: bool) -> None:
    conditions = ConditionalPut(enforced=True)
    for there, new in ((False, True), (True, False)):
        server = Server(understands=understands, keeps=True, there=there)
        assert asyncio.run(conditions.create(server.taken, server.put)) is new
        assert server.asked == (0 if understands else 1)
        assert not server.replaced


def test_a_server_that_no_longer_understands_is_asked_again() -> None:
    """As one of several behind one address does, or one whose version went back."""
    server = Server(understands=False, keeps=False, there=False)
    assert asyncio.run(ConditionalPut(enforced=True).create(server.taken, server.put)) is True
    assert server.asked == 1


def test_other_errors_are_passed_on() -> None:
    async def put(**_: str) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    async def taken() -> bool:
        return False

    conditions = ConditionalPut()
    with pytest.raises(ClientError):
        asyncio.run(conditions.create(taken, put))
    assert conditions == ConditionalPut()
