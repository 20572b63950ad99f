"""The Python programs that texts for bash start."""

# ruff: noqa: E501, Q003 - a row of the table is a line, as written

import pytest

from pivot_core.commands.other_programs import entered_only, given_files, other_programs
from pivot_core.commands.python_programs import python_programs, started_programs
from pivot_core.commands.shell_text import simple_commands

PROGRAMS = {
    "python src/train.py --rate 1 > out.txt": "script src/train.py",
    "python3.13 -u -O train.py": "script train.py",
    ".venv/bin/python -W ignore -Xdev -X importtime --check-hash-based-pycs never a.py": "script a.py by .venv/bin/python",
    "python -m pkg.train a b": "module pkg.train",
    "python -um pkg": "module pkg",
    "python -mpkg": "module pkg",
    "python -I a.py": "script a.py alone",
    "python -P a.py": "script a.py not beside",
    "python -E a.py": "script a.py without environment",
    "python -c 'import x; x.run()' a": "text import x; x.run()",
    "python -": "",
    "python": "",
    "python -c": "",
    "python -W": "",
    "python --version; python -V; python -hu": "",
    "python - < a.py": "script a.py",
    "python <<EOF | tee out.txt\nimport y\nEOF\npython z.py": "text import y\n + script z.py",
    "cat <<A; python <<-'B'\none\nA\n\timport b $x\n\tB\n": "text import b $x\n",
    "python - <<EOF\nx = \\$1\n": "text x = $1\n",
    "python <<< 'import q'": "text import q",
    "python <": "",
    "cat <<EOF >": "",
    "cd src && python a.py; python b.py": "script a.py in src + script b.py in src",
    "cd src; cd deep; python a.py": "script a.py in src/deep",
    "cd /abs && python a.py": "script a.py in /abs",
    "(cd src; python a.py); python b.py": "script a.py in src + script b.py",
    "cd $X && python a.py && cd b && python c.py": "script a.py somewhere + script c.py somewhere",
    "pushd src; popd; python a.py": "script a.py somewhere",
    "cd; python a.py": "script a.py somewhere",
    "cd ~/x; cd -P /y; python a.py": "script a.py in /y",
    "PYTHONPATH=src:$PYTHONPATH python a.py": "script a.py path src:$PYTHONPATH",
    "PYTHONPATH=src; PYTHONPATH+=:lib python a.py": "script a.py path src:lib",
    "X+=$(pwd); X+=a; python $X.py": "script $X.py unknown",
    "export PYTHONPATH=src OTHER; python a.py": "script a.py path src",
    "env -u A B=1 PYTHONPATH=lib time -p python a.py": "script a.py path lib",
    "env A=1": "",
    "S=train; python $S.py ${S}.py": "script train.py",
    "python $S": "script $S unknown",
    'python "$DIR/a.py"': "script $DIR/a.py unknown",
    "python \"a\\\"b\\\nc.py\"": 'script a"bc.py',
    "python 'a b.py' \"it's\"": "script a b.py",
    "python 'open": "script open",
    "python a\\ b.py \\\n  --x": "script a b.py",
    "python *.py; python {a,b}.py; python {a}.py": "script *.py unknown + script {a,b}.py unknown + script {a}.py",
    "python ${params.name}.py": "script ${params.name}.py unknown",
    "python ${open": "script ${open unknown",
    "python a.py $((1 + 2)) $((open": "script a.py",
    "python a.py $": "script a.py",
    "python $.py": "script $.py",
    "echo `python a.py` $(cd in; python \"b).py\"; python '('.py) $(open `": "script a.py + script b).py in in + script (.py in in",
    "echo `open": "",
    "echo $(python a\\).py)": "script a).py",
    "x=$(python a.py) python b.py": "script a.py + script b.py",
    "diff <(python a.py) >(python b.py)": "script a.py + script b.py",
    "bash -ec 'cd k && python w.py'; sh run.sh; bash run.sh -c 'python x.py'; bash -x -x": "script w.py in k",
    "eval python a.py": "script a.py",
    "# python no.py\npython a.py # python no.py": "script a.py",
    "for i in 1 2; do python t.py $i; done": "script t.py",
    "if ! python a.py; then { exec python b.py; } fi": "script a.py + script b.py",
    "nohup python a.py & timeout 5 python b.py || nice -n 3 torchrun c.py": "script a.py + script b.py + script c.py",
    "timeout 5 sleep 3": "",
    "python a.py 2>&1 | tee log; python a.py &> x": "script a.py",
    "uv run --with rich -p 3.13 --no-sync python -O t.py": "script t.py runs in uv",
    "uv run --extra=all t.py; uv run -- t.py": "script t.py runs in uv",
    "uv --quiet run -m pkg.x": "module pkg.x runs in uv",
    "uv run --module=pkg.x": "module pkg.x runs in uv",
    "uv run --script t": "script t runs in uv",
    "uv run --directory sub t.py; uv run --directory $X t.py": "script t.py in sub runs in uv + script t.py somewhere runs in uv",
    "uv run - < a.py": "script a.py runs in uv",
    "uv sync; uv run; uv run --with; uv run -m; uv": "module  unknown runs in uv",
    "poetry run python a.py": "script a.py runs in poetry",
    "conda run -n env --no-capture-output python a.py": "script a.py runs in conda",
    "hatch run dev:python a.py; hatch run python a.py": "script a.py runs in hatch",
    "torchrun --nproc_per_node 2 train.py x.py": "script train.py",
    "python -m torch.distributed.run -m pkg.t": "module pkg.t",
    "python -m cProfile -o out.prof t.py; coverage run; coverage run -m": "script t.py",
    "pdm run train; uv run poe -C sub --executor=x -e uv fast; task --list; poe -q; poe -C; bin/poe x": "task train runs in pdm + task fast in sub runs in poe + task x runs in poe + script bin/poe",
    "pixi run $X; rye run a.py; hatch run a:b; poetry run x; poe $X": "script a.py runs in rye + task b runs in hatch",
    "./train.py; ../lib/run": "script ./train.py + script ../lib/run",
    "source .venv/bin/activate && python k.py && python3.12 j.py": "script k.py by .venv/bin/python + script j.py",
    "cd $X; . .venv/bin/activate; source other; python k.py": "script k.py somewhere",
    "a b) python x.py": "script x.py",
    "pytest tests/x.py": "",
}  # fmt: skip


@pytest.mark.parametrize("text", PROGRAMS)
def test_programs_of_a_text(text: str) -> None:
    told = []
    for call in python_programs(text):
        if call.kind == "command":
            continue
        words = [call.kind, call.name]
        words += {None: ["somewhere"], "": []}.get(call.directory, ["in", str(call.directory)])
        words += [] if call.python_path is None else ["path", call.python_path]
        words += ["by", call.interpreter] if "/" in call.interpreter else []
        words += [[["alone"], ["not beside"]][call.environment], [["without environment"], []][call.environment]][
            call.beside
        ]
        words += ["unknown"] if not call.known else []
        words += ["runs in", call.runner] if call.runner else []
        told.append(" ".join(words))

    assert " + ".join(told) == PROGRAMS[text]


def test_commands_that_may_be_console_scripts() -> None:
    found = python_programs("train --x; uv run eval; mkdir -p out; '$x'; [ -f a ]; $CMD x")

    assert [(call.name, call.runner) for call in found if call.kind == "command"] == [
        ("train", ""),
        ("eval", "uv"),
        ("mkdir", ""),
    ]


def test_shells_in_shells_are_read_to_some_depth() -> None:
    text = "python a.py"
    for _ in range(12):
        text = f"eval $({text})"

    assert [each.words[0].text for each in simple_commands(text)].count("eval") > 1
    assert simple_commands("eval " * 12 + "python a.py")[-1].words[0].text == "eval"


OTHERS = {
    "python a.py > x; mkdir -p out; source .venv/bin/activate": "",
    "cat a | python a.py; ./run.sh; cat b": "cat ./run.sh",
    "$CMD; python -m pytest; .venv/bin/python3 -m pip": "$CMD | python -m pytest | python3 -m pip",
}
ENTERED = {
    "cd src && python a.py src/x": "src",
    "cd src && python a.py; cat src ../src": "",
    "PYTHONPATH=lib:src/:$X python a.py; mkdir -p out/x; cd $X; mkdir y": "lib out/x src",
    "uv run --directory sub a.py; python a.py sub2 --in=data": "sub",
}


@pytest.mark.parametrize("text", OTHERS)
def test_programs_that_are_not_followed(text: str) -> None:
    started = started_programs(text)
    followed = [call for each in started for call in each.calls if call.kind == "script" and call.name == "a.py"]
    assert other_programs(started, followed) == OTHERS[text].split(" | " if "|" in OTHERS[text] else None)


@pytest.mark.parametrize("text", ENTERED)
def test_directories_that_a_text_only_enters(text: str) -> None:
    assert sorted(entered_only(started_programs(text))) == ENTERED[text].split()


def test_files_that_programs_get_as_arguments() -> None:
    text = "python a.py && [ -f a.py ] && chmod +x a.py && time ./a.py; python < a.py; eval python a.py"
    assert not given_files(started_programs(text))
    text = "python a.py a.py; wc < d.py; cd src; cp --to=b.py a.py $X; python b.py; cd $Y; cat c.py"
    found = given_files(started_programs(text))
    assert {"a.py", "d.py", "src/a.py", "src/b.py"} == {each for each in found if each.endswith(".py")} - {
        "src/--to=b.py"
    }
