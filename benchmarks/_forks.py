"""The process that forks the stages of the pipeline here, as far as its memory is concerned: prints the cost of a fork.

That is two numbers: the seconds of a fork and a wait by the clock, and those of the processors.
"""

import gc
import os
import pathlib
import sys
import time

from pivot_core.pipeline import Pipeline
from pivot_fingerprint import register_encoder
from pivot_runtime.definitions import source_import
from pivot_runtime.host.load import LoadRequest, load
from pivot_runtime.processes.import_timer import ImportTimer


def main() -> None:
    del sys.path[0]  # the pipeline's modules come first, as in the host
    register_encoder(Pipeline, lambda pipeline: pipeline.name)
    gc.freeze()
    root = pathlib.Path.cwd()
    is_user_code = source_import.user_code_predicate()
    request = LoadRequest(root, root / "pipeline.py", overrides=(), announces=False)
    answer, imported = load(request, is_user_code, ImportTimer(is_user_code))
    assert imported is not None
    del answer
    best = used = 1.0
    for _ in range(10):
        began, before = time.perf_counter(), os.times()
        for _ in range(50):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        best = min(best, (time.perf_counter() - began) / 50)
        used = min(used, (sum(os.times()[:4]) - sum(before[:4])) / 50)
    print(best, used)


if __name__ == "__main__":
    main()
