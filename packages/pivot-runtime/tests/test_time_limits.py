"""Time limits of a stage: which signal it gets when."""

from signal import SIGKILL, SIGTERM

from pivot_runtime.host.time_limits import GRACE_SECONDS, UNWIND_SECONDS, DueSignals, TimeLimits

BEGAN = 100.0


def test_a_stage_without_limits_gets_no_signal() -> None:
    limits = TimeLimits().with_timeout(BEGAN, None)

    assert limits.next is None
    assert limits.due(BEGAN + 1e9) == DueSignals((), limits, timed_out=False)


def test_a_stage_is_asked_to_end_when_its_timeout_is_over_and_killed_after_the_grace() -> None:
    limits = TimeLimits().with_timeout(BEGAN, 3)
    assert limits.next == BEGAN + 3
    assert limits.due(BEGAN + 2.9) == DueSignals((), limits, timed_out=False)

    signals, limits, timed_out = limits.due(BEGAN + 4)
    assert (signals, timed_out) == ((SIGTERM,), True)
    assert limits == TimeLimits(kill_at=BEGAN + 4 + GRACE_SECONDS)

    late = BEGAN + 4 + GRACE_SECONDS
    assert limits.due(late - 0.1).signals == ()
    assert limits.due(late) == DueSignals((SIGKILL,), limits, timed_out=False)


def test_an_interrupted_stage_has_time_to_unwind_before_it_is_asked_to_end() -> None:
    limits = TimeLimits().interrupted(BEGAN)
    assert limits.due(BEGAN + UNWIND_SECONDS - 0.1).signals == ()

    signals, limits, timed_out = limits.due(BEGAN + UNWIND_SECONDS)
    assert (signals, timed_out) == ((SIGTERM,), False)
    assert limits.next == BEGAN + GRACE_SECONDS
    assert limits.due(BEGAN + GRACE_SECONDS).signals == (SIGKILL,)


def test_a_timeout_does_not_prolong_the_grace_of_an_interrupt() -> None:
    limits = TimeLimits().with_timeout(BEGAN, 1).interrupted(BEGAN)

    signals, limits, timed_out = limits.due(BEGAN + 1)
    assert (signals, timed_out) == ((SIGTERM,), True)
    assert limits == TimeLimits(terminate_at=BEGAN + UNWIND_SECONDS, kill_at=BEGAN + GRACE_SECONDS)


def test_a_process_that_was_not_looked_at_for_long_gets_all_signals_at_once() -> None:
    signals, limits, _ = TimeLimits().with_timeout(BEGAN, 1).interrupted(BEGAN).due(BEGAN + GRACE_SECONDS)

    assert signals == (SIGTERM, SIGTERM, SIGKILL)
    assert limits == TimeLimits(kill_at=BEGAN + GRACE_SECONDS)


def test_the_timeout_begins_again_once_the_pipeline_is_imported() -> None:
    limits = TimeLimits().with_timeout(BEGAN, 3).with_timeout(BEGAN + 2, 3)

    assert limits.next == BEGAN + 5
