"""Leftover processes of a stage are ended in rounds: all are asked to end, then killed, and helpers last."""

from signal import SIGKILL, SIGTERM

from pivot_runtime.host.leftovers import EndRound, end_round

HELPER = "python -c from multiprocessing.resource_tracker import main;main(5)"
RUNNING = {1: "sleep 1000", 2: HELPER}


def test_all_are_asked_to_end_first() -> None:
    assert end_round(0, RUNNING) == EndRound(SIGTERM, frozenset({1, 2}))


def test_those_that_go_on_are_killed_and_then_given_up() -> None:
    assert end_round(1, RUNNING) == EndRound(SIGKILL, frozenset({1}))
    assert end_round(2, RUNNING) == EndRound(None, frozenset({1}))


def test_helpers_have_more_rounds_in_which_to_tidy_up() -> None:
    patient = [end_round(rounds, {2: HELPER}) for rounds in range(1, 10)]

    assert {each.pids for each in patient} == {frozenset()}
    assert end_round(10, {2: HELPER}) == EndRound(SIGKILL, frozenset({2}))
    assert end_round(11, {2: HELPER}) == EndRound(None, frozenset({2}))
