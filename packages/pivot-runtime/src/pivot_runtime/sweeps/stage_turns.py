"""Which of a sweep's processes may run a stage now: equal stages run once, and resources are shared; pure."""

from collections.abc import Iterator, Mapping

import attrs

from pivot_core.values import Value

GO, RESTORE, FAILED = "go", "restore", "failed"
"""The answers: run the stage, restore what another combination has run, or fail as it did there."""


@attrs.frozen(eq=False, repr=False)
class TurnRequest(Value):
    """The request of a combination to run a stage.

    Attributes:
        combination: Its number.
        key: The inputs key of the stage; "" if it equals no other.
        needs: The resources that it uses while it runs.
    """

    combination: int
    key: str
    needs: Mapping[str, int] = attrs.field(factory=dict)


class StageTurns:
    """The turns of all combinations; a combination has at most one, and asks for none while it has one."""

    def __init__(self, capacities: Mapping[str, int]) -> None:
        """Nothing runs yet; the capacity of a resource is 1 unless it is given."""
        self._capacities = capacities
        self._waiting: list[TurnRequest] = []
        self._running: dict[int, TurnRequest] = {}
        self._ended: dict[str, bool] = {}

    def ask(self, request: TurnRequest) -> None:
        """Note a request, which `answers` will answer."""
        self._waiting.append(request)

    def end(self, combination: int, *, done: bool | None) -> None:
        """Note the end of the stage that a combination runs, if it does: recorded, failed, or neither."""
        request = self._running.pop(combination, None)
        if request is not None and request.key and done is not None:
            self._ended[request.key] = done

    def gone(self, combination: int) -> None:
        """Note that a combination has ended."""
        self.end(combination, done=None)
        self._waiting = [each for each in self._waiting if each.combination != combination]

    def answers(self) -> Iterator[tuple[int, str]]:
        """Answer all requests that can be answered, the oldest first; yields each combination with its answer."""
        for request in list(self._waiting):
            answer = self._answer(request)
            if answer is not None:
                self._waiting.remove(request)
                yield request.combination, answer

    def _answer(self, request: TurnRequest) -> str | None:
        if request.key in self._ended:
            return RESTORE if self._ended[request.key] else FAILED
        if request.key and any(each.key == request.key for each in self._running.values()):
            return None
        for name, amount in request.needs.items():
            used = sum(each.needs.get(name, 0) for each in self._running.values())
            if used + amount > self._capacities.get(name, 1):
                return None
        self._running[request.combination] = request
        return GO
