"""The contract of every executor, for the one that sends stages to workers of Dask."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import pytest
from clusters_for_tests import Processes

from pivot_core.lock import Inputs
from pivot_runtime.cluster.cluster_executor import ClusterExecutor
from pivot_runtime.cluster.cluster_run import ClusterRun
from pivot_runtime.context import CommandContext
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.loading.assembly import LoadOptions, assemble
from pivot_runtime.testing.executor_contract import ExecutorBench, ExecutorContract, OnOutput
from pivot_runtime.tracing.usage import TraceOptions


class TestDaskExecutor(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: Processes) -> None:
        self.address = cluster.address

    @contextlib.contextmanager
    def bench(self, root: pathlib.Path, on_output: OnOutput) -> Iterator[ExecutorBench]:
        context = CommandContext.find(root, os.environ)
        assembly = assemble(context, LoadOptions())
        with open_session(context, assembly) as session:
            run = ClusterRun(
                session, session.graph, self.address, lambda _: None, jobs=None, fetch_outs=False, keep_failed=False
            )
            executor = ClusterExecutor(
                run, session, assembly, watching=TraceOptions(), on_output=on_output, report=lambda _: None
            )

            def inputs(address: str) -> Inputs:
                return session.evaluate([address])[address].observation.inputs

            with contextlib.closing(executor):
                yield ExecutorBench(executor, inputs)
