"""The contract of every executor, for the one with processes on this machine."""

import contextlib
import pathlib
from collections.abc import Iterator

from source_projects import new_host

from pivot_core.lock import Inputs
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client
from pivot_runtime.testing.executor_contract import ExecutorBench, ExecutorContract, OnOutput


class TestHostExecutor(ExecutorContract):
    @contextlib.contextmanager
    def bench(self, root: pathlib.Path, on_output: OnOutput) -> Iterator[ExecutorBench]:
        _, host = host_client.load_in(new_host, root, root / "pipeline.py")
        with host:
            yield ExecutorBench(HostExecutor(lambda _: host, on_output=on_output), lambda _: Inputs(schema=1))
