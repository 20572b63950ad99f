"""A runner of stages that does what the task says; the tests of the connection need no stages."""

import json
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable


class StandIn:
    def __init__(self, directory: pathlib.Path, name: str) -> None:
        self.directory, self.name = directory, name
        self.processes: dict[int, tuple[tuple[str, int], subprocess.Popen[bytes]]] = {}
        self.stopped: set[str] = set()
        self.lock = threading.Lock()

    def run(
        self,
        task: bytes,
        archive: Callable[[], bytes],
        started: Callable[[], None],
        output: Callable[[list[str]], None],
    ) -> bytes:
        wanted = json.loads(task)
        started()
        answer = {"number": wanted["number"], "worker": self.name, "thread": threading.get_ident()}
        match wanted["do"]:
            case "sources":
                answer["sources"] = archive().decode()
            case "print":
                output(["one", "two"])
                output(["three"])
            case "much":
                answer["log"] = "x" * wanted["size"]
            case "wait":
                answer["code"] = self.wait((wanted["run"], wanted["number"]), wanted["pids"])
            case "raise":
                raise ValueError("a bug of ours")
        return json.dumps(answer).encode()

    def wait(self, name: tuple[str, int], pids: str) -> int:
        """Run a process that ends with this one, or when the run is stopped."""
        program = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a')); sys.stdin.read()"
        with self.lock:
            if name[0] in self.stopped:
                return -1
            process = subprocess.Popen([sys.executable, "-c", program, pids], stdin=subprocess.PIPE)
            self.processes[process.pid] = name, process
        return process.wait()

    def stop(self, run: str, patience: float, *, number: int | None = None) -> None:
        with self.lock:
            if number is None:
                self.stopped.add(run)
            found = self.processes.values()
            chosen = [process for name, process in found if name[0] == run and number in (None, name[1])]
        for process in chosen:
            process.kill()
            process.wait(patience)

    def close(self) -> None:
        for run in {name[0] for name, _ in self.processes.values()}:
            self.stop(run, 1.0)
