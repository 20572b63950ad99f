"""Addresses of clusters."""

import subprocess
import sys

import pytest

from pivot_dask.address import DaskAddress, FunctionAddress, LocalAddress, SchedulerAddress, parse
from pivot_runtime.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://head.example:8786", SchedulerAddress("tcp://head.example:8786")),
        ("dask://[::1]:8786/", SchedulerAddress("tcp://[::1]:8786")),
        ("dask+tls://10.0.0.1:1", SchedulerAddress("tls://10.0.0.1:1")),
        ("dask+ws://a:1", SchedulerAddress("ws://a:1")),
        ("dask://local:8786", SchedulerAddress("tcp://local:8786")),
        ("dask://local", LocalAddress()),
        ("dask://local?workers=3", LocalAddress(3)),
        ("dask+cluster:slurm", FunctionAddress("cluster", "slurm")),
        ("dask+tools.cluster:slurm", FunctionAddress("tools.cluster", "slurm")),
    ],
)
def test_forms(text: str, address: DaskAddress) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "dask://",
        "dask",
        "dask+m",
        "dask+m:",
        "dask+m.:f",
        "dask+m:f()",
        "dask://local?workers=0",
        "dask://a:1/path",
        "",
    ],
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a Dask cluster") as caught:
        parse(text)
    assert "dask+MODULE:FUNCTION" in (caught.value.hint or "")


def test_a_missing_port_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("dask+tls://head/")
    assert caught.value.hint == "it needs the port of the scheduler, which is 8786 by default: dask+tls://head:8786"


def test_a_look_at_an_address_imports_no_dask() -> None:
    code = "import sys, pivot_dask; pivot_dask.parse('dask://a:1'); sys.exit('distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
