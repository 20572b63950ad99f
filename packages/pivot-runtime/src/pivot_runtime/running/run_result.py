"""The result of a run: the outcome of each stage."""

import enum

import attrs

from pivot_runtime.freshness.load_trace import LoadTrace


class StageOutcome(enum.Enum):
    """The state in which a run leaves a stage that it has decided about; each value names a set of `RunResult`."""

    CACHED = "cached"
    FROZEN = "frozen"
    RESTORED = "restored"
    RAN = "ran"
    TORN = "torn"
    FAILED = "failed"
    BLOCKED = "blocked"


CURRENT = frozenset({StageOutcome.CACHED, StageOutcome.RESTORED, StageOutcome.RAN, StageOutcome.FROZEN})
"""Outcomes after which the stages that depend on the stage may start."""


@attrs.define
class RunResult:
    """The result of each stage, as addresses; each is in one of the sets.

    Attributes:
        cached: Nothing had to be done.
        frozen: It never runs, and its outs are there.
        restored: Its outs came from the cache.
        ran: It ran, and was recorded.
        torn: It ran, but something it depends on changed meanwhile, so it was not recorded.
        failed: It ended badly, or an input is missing.
        tried: The key of the inputs with which each that failed was run.
        blocked: It depends on one that failed.
        unstarted: It could have run, but the run ended early.
        seconds: The time from the start of the command to the end of the run.
        load_traces: The facts that the loads depended on.
    """

    cached: set[str] = attrs.field(factory=set)
    frozen: set[str] = attrs.field(factory=set)
    restored: set[str] = attrs.field(factory=set)
    ran: set[str] = attrs.field(factory=set)
    torn: set[str] = attrs.field(factory=set)
    failed: set[str] = attrs.field(factory=set)
    blocked: set[str] = attrs.field(factory=set)
    unstarted: set[str] = attrs.field(factory=set)
    tried: dict[str, str] = attrs.field(factory=dict)
    seconds: float = 0.0
    load_traces: tuple[LoadTrace, ...] = ()

    def add(self, address: str, outcome: StageOutcome) -> None:
        """Put a stage into the set of its outcome."""
        stages: set[str] = getattr(self, outcome.value)
        stages.add(address)

    @property
    def current(self) -> set[str]:
        """The stages that are as their code and inputs want them."""
        return self.cached | self.frozen | self.restored | self.ran

    @property
    def complete(self) -> bool:
        """Every stage is now as its code and inputs want it."""
        return not (self.failed or self.blocked or self.unstarted or self.torn)

    @property
    def idle(self) -> bool:
        """Nothing had to be done to any stage."""
        return self.complete and not (self.ran or self.restored)
