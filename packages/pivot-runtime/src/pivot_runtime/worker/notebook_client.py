"""The client of the kernel that runs the cells of a notebook stage."""

import pathlib
import sys
from typing import Any, Final

from pivot_runtime.definitions.notebook_code import SKIPPED, language_of

_LONGEST_SOCKET: Final = 90
_OUTPUT_SECONDS: Final = 60
"""For outputs that arrive after the end of their cell; later ones are lost, and what is recorded lacks them."""


def client_of(node: Any, place: pathlib.Path) -> Any:
    """A client that executes a notebook, once, and prints what its cells print.

    The sockets of its kernel are in the directory ``place``. The kernel of a notebook in Python is this interpreter,
    whatever kernel it names: that may exist elsewhere only.

    Raises:
        ModuleNotFoundError: A library of the extra ``notebooks`` is not installed.
    """
    import ipykernel  # type: ignore[import-untyped,unused-ignore]  # noqa: F401  # lazy: here and below, an extra
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # lazy
    from jupyter_client.manager import AsyncKernelManager  # lazy
    from nbclient import NotebookClient  # lazy

    language = language_of(node.metadata)
    own = language == "python"
    kernel = "python3" if own else node.metadata.get("kernelspec", {}).get("name", language)

    class _Kernels(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:
            if not own:
                return super().get_kernel_spec(kernel_name)
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

    class _Client(NotebookClient):
        def create_kernel_manager(self) -> Any:
            self.km = AsyncKernelManager(
                kernel_name=kernel,
                kernel_spec_manager=_Kernels(),
                connection_file=str(place / "kernel.json"),
            )
            sockets = str(place / "kernel")
            if len(sockets) < _LONGEST_SOCKET:  # else local ports, whose messages are signed
                self.km.transport, self.km.ip = "ipc", sockets
            return self.km

        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                stream = sys.stderr if msg["content"]["name"] == "stderr" else sys.stdout
                stream.write(msg["content"]["text"])
                stream.flush()
            return super().process_message(msg, cell, cell_index)

    return _Client(
        node,
        timeout=None,
        iopub_timeout=_OUTPUT_SECONDS,
        record_timing=False,
        shutdown_kernel="immediate",
        skip_cells_with_tag=SKIPPED,
    )
