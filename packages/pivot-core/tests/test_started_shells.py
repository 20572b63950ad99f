"""The Python programs that a text starts through other shells and programs."""

import pytest

from pivot_core.commands.python_programs import python_programs

PROGRAMS = {
    "time -p python x.py": ["script x.py"],
    "time python x.py": ["script x.py"],
    "bash -o pipefail -c 'python x.py'": ["script x.py"],
    "bash -euo pipefail -c 'cd a && python x.py'": ["script x.py in a"],
    "bash +o posix --norc --rcfile r -c -e -- 'python x.py' y.py": ["script x.py"],
    "bash -c": [],
    "bash x.sh <<< 'python y.py'": [],
    "bash <<EOF\npython x.py\nEOF\n": ["script x.py"],
    "sh -es a <<< 'python x.py'": ["script x.py"],
    "sudo bash -c 'python x.py'": ["script x.py"],
    "timeout 5 sh -c 'cd a; python x.py'": ["script x.py in a"],
    "nohup bash -c 'python x.py && python -m y' &": ["script x.py", "module y"],
    "ls | xargs -I{} sh -c 'python x.py {}'": ["script x.py"],
    "uv run bash -c 'python x.py'": ["script x.py"],
    "nice bash run.sh": [],
    "env -S 'PYTHONPATH=lib python -u x.py' a": ["script x.py with lib"],
    "env --split-string='python x.py'": ["script x.py"],
    "env -vS python x.py": ["script x.py"],
    "env -C a python x.py": ["script x.py in a"],
    "env --chdir=a A=1 python x.py": ["script x.py in a"],
    "env --chdir a python x.py": ["script x.py in a"],
    "env -S": [],
    "env A=1": [],
    "find . -name '*.csv' -exec python x.py {} \\;": ["script x.py"],
    "find . -name x.py -exec": [],
    "find . -name x.py": [],
    "function f { python x.py; }; f": ["script x.py"],
    "PY='python3 -u'; $PY x.py": ["script x.py"],
    "A='-m pkg'; python $A": ["module pkg"],
    "A='a b.py'; python \"$A\"; B=$A python c.py": ["script a b.py", "script c.py"],
    "export PYTHONPATH=lib; unset PYTHONPATH; python x.py": ["script x.py with nothing"],
    "PYTHONPATH+=:lib python x.py": ["script x.py with $PYTHONPATH:lib"],
    "A+=b; python $A/x.py": ["script $A/x.py"],
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_programs_behind_others(text: str) -> None:
    calls = [call for call in python_programs(text) if call.kind != "command"]
    path = {None: "", "": " with nothing"}
    found = [
        f"{call.kind} {call.name}{call.directory and f' in {call.directory}'}"
        f"{path.get(call.python_path, f' with {call.python_path}')}"
        for call in calls
    ]

    assert found == PROGRAMS[text]
