"""The line of user code that a process executes."""

import json
import os
import pathlib

from pivot_runtime.processes import current_line


def place_in(tmp_path: pathlib.Path, name: str) -> str:
    """Return the answer of a process in whose file ``code.py`` a module of this name is running."""
    file = tmp_path / "code.py"
    code = compile(f"import os\nos.kill({os.getpid()}, {int(current_line.ASKED)})", file, "exec")
    here, there = os.pipe()
    try:
        with current_line.answering(str(tmp_path), lambda path: path == str(file), there, dict):
            exec(code, {"__name__": name})  # the code above
        return str(json.loads(os.read(here, 1000))["place"])
    finally:
        os.close(here)
        os.close(there)


def test_the_script_of_the_command_is_no_code_of_the_user(tmp_path: pathlib.Path) -> None:
    assert place_in(tmp_path, "pipeline") == "code.py:2, in <module>"
    assert place_in(tmp_path, "__main__") == ""
