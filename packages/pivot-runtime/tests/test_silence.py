"""A stage that prints nothing is reported at growing intervals, and never while it prints."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.executors.quiet_stages import Silence


def told(first: float, spoke: list[float], end: float) -> list[tuple[float, float]]:
    """When a stage that prints at these moments is reported, and for how long it was silent by then."""
    silence = Silence(first)
    silence.begin(1, 0.0)
    found, now = [], 0.0
    while (patience := silence.patience(now)) is not None and now + patience <= end:
        now += patience
        heard = [at for at in spoke if at <= now]
        quiet = now - heard[-1] if heard else None
        found += [(each.seconds, each.silent) for each in silence.due(now, {1: quiet}.__getitem__)]
    return found


def test_silence_is_reported_again_when_it_has_doubled() -> None:
    assert told(60, [], 500) == [(60, 60), (120, 120), (240, 240), (480, 480)]
    assert told(60, [30], 300) == [(90, 60), (150, 120), (270, 240)]
    assert told(60, [30, 100], 300) == [(90, 60), (160, 60), (220, 120)]
    assert told(0, [], 500) == []
    assert told(60, [*range(0, 500, 10)], 500) == []


@given(st.lists(st.integers(1, 1000)), st.integers(1, 100))
def test_reports_are_true_and_rare(spoke: list[int], first: int) -> None:
    moments = sorted(float(each) for each in spoke)
    said = told(first, moments, 1000)
    for at, silent in said:
        last = max([each for each in moments if each <= at], default=0.0)
        assert silent == at - last >= first
    assert all(later - earlier >= first / 2 for (earlier, _), (later, _) in itertools.pairwise(said))


def test_ended_stages_are_no_longer_reported() -> None:
    silence = Silence(1)
    silence.begin(1, 0.0)
    silence.begin(2, 0.5)
    silence.end(1)
    assert silence.patience(0.0) == 1.5
    assert [each.number for each in silence.due(2.0, lambda _: None)] == [2]
    silence.end(2)
    assert silence.patience(0.0) is None
