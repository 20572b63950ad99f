"""Pipelines that are imported for a notebook do not see the variables that its kernel has set for itself."""

import pytest

from pivot_runtime.processes.startup_state import without_kernel

USUAL = {"HOME": "/home/me", "MPLBACKEND": "Agg", "FORCE_COLOR": "1", "PAGER": "cat"}


def test_an_environment_without_a_kernel_stays_as_it_is() -> None:
    assert without_kernel(USUAL) is USUAL


def test_variables_of_a_kernel_are_left_out() -> None:
    inside = {"JPY_PARENT_PID": "7", "CLICOLOR": "1", "PAGER": "cat", "FORCE_COLOR": "3", "HOME": "/home/me"}

    assert without_kernel(inside) == {"FORCE_COLOR": "3", "HOME": "/home/me"}


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "module://ipykernel.pylab.backend"])
def test_its_matplotlib_backend_is_left_out_wherever_it_comes_from(backend: str) -> None:
    assert without_kernel({"MPLBACKEND": backend, "PAGER": "cat"}) == {"PAGER": "cat"}
