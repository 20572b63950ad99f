"""The JSON that commands print is as its schemas in the reference say."""

import http.server
import importlib.util
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import jsonschema
import pytest

from pivot_cli import app

ROOT = pathlib.Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("json_outputs", ROOT / "website/json_outputs.py")
assert _SPEC is not None
assert _SPEC.loader is not None
json_outputs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(json_outputs)
sys.path.append(str(ROOT / "packages/pivot/tests"))
harness = importlib.import_module("harness")
SCHEMAS: Mapping[str, tuple[str, Mapping[str, Any]]] = json_outputs.OUTPUTS
DVC_PROJECT = ROOT / "packages/pivot/tests/dvc_projects/imports"

PYTHON = """
import os
import pathlib
from typing import Annotated, Any, TypedDict

import pivot
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")


class Params(pivot.StageParams):
    rate: float = 0.5


class Outs(TypedDict):
    loss: Annotated[str, pivot.Plot("out/loss.csv", Text())]
    curve: Annotated[bytes, pivot.Plot("curve.png", pivot.loaders.Bytes())]
    scores: Annotated[dict[str, Any], pivot.Metric("scores.json")]
    rows: Annotated[str, pivot.Out("rows.csv", Text())]
    note: Annotated[str, pivot.Out("note.txt", Text())]
    parts: Annotated[dict[str, str], pivot.DirectoryOut("parts", Text())]
    facts: Annotated[Any, pivot.Out("facts.json", JSON())]
    raw: Annotated[bytes, pivot.Out("raw.bin", pivot.loaders.Bytes())]


def helper(rate):
    return rate * 1


def hidden():
    return 0


@pipeline.register
def train(params: Params, data: Annotated[str, pivot.Dep("data.csv", Text())]) -> Outs:
    import yaml

    os.environ.get("HOME")
    pathlib.Path("seen.txt").read_text()
    rate = helper(params.rate) + len(yaml.safe_load("[]")) + getattr(params, f"{'ra'}te") * globals()["hidd" + "en"]()
    rows = "".join(f"{number},{rate * number}\\n" for number in range(3))
    facts = {"rate": rate} if rate < 1 else {"rate": rate, "more": True}
    parts = {f"{rate}.txt": "a", "same.txt": f"{rate}"}
    scores = {"acc": rate, "odd": float("nan")}
    return {
        "loss": f"step,loss\\n{rows}",
        "curve": b"\\x89PNG" + str(rate).encode(),
        "scores": scores,
        "rows": f"id,v,{rate}\\n1,1,1\\n2,{2 * rate},1\\n{'3,3,1' if rate < 1 else '4,x,1'}\\n",
        "note": f"{rate}\\n",
        "parts": parts,
        "facts": facts,
        "raw": bytes([0, int(rate * 2)]),
    }


@pipeline.register
def last(text: Annotated[str, pivot.Dep("note.txt", Text())]) -> Annotated[str, pivot.Out("last.txt", Text())]:
    return text * 2
"""

SHELL = """
pipeline: w
vars: {flags: -u}
stages:
  one:
    cmd: cat in.txt > one.txt && mkdir -p many && cp in.txt many/a.txt && echo >> log.txt
    desc: Copies
    meta: {team: a}
    deps: [in.txt, {path: odd.txt, count: false}]
    file_params: [{conf.yaml: [rate]}]
    env: [SOME_VARIABLE]
    outs:
    - {path: one.txt, desc: A copy, meta: {a: 1}}
    - many/
    - {path: log.txt, persist: true}
    resources: {gpu: 1}
    executor: local
    ttl: 1d
  two:
    cmd: cat one.txt > two.txt && cat one.txt > tmp.txt
    deps: [one.txt]
    outs: [two.txt, {path: tmp.txt, temp: true}]
  three: {cmd: echo 3 > three.txt, outs: [three.txt], after: [one], always: true}
  four: {cmd: "cat ${flags} tmp.txt", deps: [tmp.txt, three.txt]}
"""

# A line is a script for bash, or `SCHEMA CODE: ARGUMENTS`: a command, its exit code, and the name of its schema.
SCENARIOS: dict[str, str] = {
    "python": r"""
        pivot init -q && printf 'id,x\n1,2\n' > data.csv && echo > seen.txt
        pivot repro -q && git add -A && git commit -qm A
        fingerprint 0: fingerprint
        verify 0: verify
        verify 1: verify --rerun
        status 0: status --explain
        sed -i 's/^def last/def final/; s/rate \* 1/rate * 2/' pipeline.py && git diff > ../there.diff
        git checkout -q pipeline.py
        status 0: status --with-diff ../there.diff
        pivot repro -q -p train.rate=1.5
        sed -i 's/rate \* 1/1 * rate/' pipeline.py && rm last.txt && echo 4 > data.csv
        status 0: status --explain --diff -p train.rate=2
        git diff -R pipeline.py data.csv > ../back.diff && git diff -R pipeline.py > ../part.diff
        status 0: status -p train.rate=1.5 --with-diff ../back.diff
        status 0: status --with-diff ../part.diff
        verify 1: verify
        show 0: show
        history 0: history
        metrics-show 0: metrics show HEAD
        metrics-diff 0: metrics diff --all
        params-show 0: params show
        params-diff 0: params diff --all
        plots 0: plots show
        plots 0: plots diff
        results 0: results
        diff 0: diff rows.csv
        diff 0: diff rows.csv --key id
        diff 0: diff note.txt
        diff 0: diff parts
        diff 0: diff facts.json
        diff 0: diff raw.bin
        clean 0: clean --dry-run
        echo edited > note.txt
        clean 0: clean --force --yes
        checkout-kept 0: checkout --kept
        checkout-kept-restored 0: checkout --kept note.txt
        pivot repro -q && sed -i 's/1 \* rate/rate + 0/' pipeline.py
        commit 0: commit --force
        commit 0: commit --force
        doctor 0: doctor
        echo '{' > scores.json
        metrics-show 1: metrics show
        metrics-diff 1: metrics diff
        rm -rf .pivot/cache/files && echo other > note.txt
        plots 1: plots show HEAD
        verify 1: verify
    """,
    "shell": """
        mkdir -p pictures ../remote && pivot init -q && pivot config set resources.gpu 1
        pivot remote add main "file://$(realpath ../remote)"
        remote-list 0: remote list
        echo 1 > pictures/a.txt && echo 2 > pictures/b.txt && echo 1 > data.txt
        track 0: track data.txt pictures
        pivot repro -q && git add -A && git commit -qm A
        list 0: list
        echo > stray.txt
        list-untracked 0: list --untracked
        dag 0: dag --format json
        freeze 0: freeze two
        freeze 0: unfreeze two
        freeze 0: unfreeze two
        status 0: status --remote
        transfer 0: push --dry-run
        transfer 0: push
        transfer 0: fetch
        echo 2 > data.txt && rm pictures/a.txt && echo 3 >> pictures/b.txt && echo > pictures/c.txt && echo 5 > two.txt
        sed -i 's/one.txt > two/one.txt  > two/' pivot.yaml && echo 9 > in.txt && echo 'rate: 2' > conf.yaml
        verify 1: verify
        sed -i 's/SOME_VARIABLE/ANOTHER/; s/flags: -u/flags: -s/' pivot.yaml
        status 0: status --explain --remote
        checkout 1: checkout
        checkout 0: checkout --force data.txt pictures two.txt
        checkout 0: checkout --relink --dry-run
        rm -rf .pivot/cache/files one.txt data.txt
        checkout 1: checkout data.txt
        pull 0: pull --dry-run
        pull 0: pull --force
        echo 7 >> data.txt && rm pictures/a.txt
        track 0: track data.txt pictures
        check-ignore 0: check-ignore a.pyc x
        check-ignore 1: check-ignore x
        forget 0: forget four one
        forget 0: forget four
        config-get 1: config get run.jobs
        config-get 0: config set run.jobs 2
        config-unset 0: config unset run.jobs
        config-unset 1: config unset run.jobs
        echo 'no: {such: 1}' >> .pivot/config.yaml
        config-unset 0: config unset no.such
        config-list 0: config list
        warm-status 0: warm status
        warm-stop 0: warm stop
        echo 'run: {jobs: many}' >> .pivot/config.yaml
        config-list 2: config list
    """,
    "cache": """
        mkdir -p ../remote && pivot init -q && pivot config set resources.gpu 1
        echo old > data.txt && pivot track data.txt && pivot remote add main "file://$(realpath ../remote)"
        pivot repro -q && pivot push && echo 3 > data.txt && pivot track data.txt && git add -A && git commit -qm A
        pivot push
        cache-status 0: cache status
        cache-verify 0: cache verify
        cache-gc 0: cache gc --dry-run --keep-since 0s
        cache-gc 0: cache gc --keep-since 0s
        cache-status 0: cache status
        cache-gc-undo 0: cache gc --undo
        cache-gc 0: cache gc --keep-since 0s --max-size 1GB
        cache-gc 0: cache gc --keep-since 0s --grace 0s
        pivot cache gc --undo || true
        cache-gc-undo 1: cache gc --undo
        remote-gc 0: remote gc --dry-run --grace 0s --force
        remote-gc 0: remote gc --yes --grace 0s --force
        file=$(find .pivot/cache/files -type f | head -1) && chmod u+w $file && touch $file
        echo > .pivot/cache/files/odd
        cache-verify 1: cache verify --fast
        file=$(find .pivot/cache/files/*/* -type f | head -1) && echo bad > $file
        cache-verify 1: cache verify --full
        pull 0: pull
        file=$(find ../remote -type f | grep files | head -1) && chmod u+w $file && echo bad > $file
        rm -r .pivot/cache/files/*/* data.txt one.txt
        status 0: status --remote
        verify 1: verify
        transfer 1: fetch
        rm -r ../remote/*
        transfer 1: fetch
        pull 1: pull
        cache-verify 1: cache verify
    """,
    "external": """
        pivot init -q && mkdir -p ../other/sub && cd ../other && git init -q && pivot init -q
        cd ../other && echo 1 > sub/data.txt && pivot track sub/data.txt && git add -A && git commit -qm A
        import 0: import ../other sub/data.txt
        import 0: import ../other sub/data.txt -o named.txt --rev HEAD
        import 0: import-url $URL/data.csv
        update 0: update
        cd ../other && echo 2 > sub/data.txt && pivot track sub/data.txt && git commit -qam B
        status 0: status --sources
        update 1: update --dry-run
        update 0: update
        mv ../other ../gone
        update 2: update data.txt
    """,
    "dvc": r"""
        mkdir .dvc sub && cd sub && echo 1 > in.txt && echo 1 > out.txt && md5=$(md5sum in.txt | cut -c 1-32) &&
        printf "outs:\n- {md5: $md5, hash: md5, path: in.txt}\n" > in.txt.dvc &&
        printf "stages: {s: {cmd: cp in.txt out.txt, deps: [in.txt], outs: [out.txt]}}\n" > dvc.yaml &&
        printf "schema: '2.0'\nstages: {s: {cmd: cp in.txt out.txt,\n" > dvc.lock &&
        printf "  deps: [{path: in.txt, hash: md5, md5: $md5}],\n" >> dvc.lock &&
        printf "  outs: [{path: out.txt, hash: md5, md5: $md5}]}}\n" >> dvc.lock
        import-dvc 1: import-dvc --dry-run
        import-dvc 1: import-dvc
    """,
    "earlier": r"""
        pivot init -q && mkdir -p .pivot/stages && printf "path: a.csv\nhash: '0123456789abcdef'\nsize: 2\n" > a.csv.pvt
        printf "path: b.csv\nhash: [\n" > b.csv.pvt && echo 'code_manifest: {}' > .pivot/stages/train.lock
        printf "params: {}\ndeps: []\nouts: []\n" >> .pivot/stages/train.lock
        import-pivot 1: import-pivot
    """,
}

INPUTS = {"pivot.yaml": SHELL, "in.txt": "1\n", "odd.txt": "2\n", "conf.yaml": "rate: 1\n"}
FILES: dict[str, Mapping[str, str]] = {"python": {"pipeline.py": PYTHON}, "shell": INPUTS, "cache": INPUTS}
RARE = (
    "cache-gc projects.[]",
    "cache-gc recent.[]",
    "cache-gc released.[]",
    "cache-gc returned.[]",
    "cache-gc skipped.[]",
    "cache-gc unlisted.[]",
    "cache-status projects.[]",
    "cache-verify unreadable.[]",
    "checkout failed.[]",
    "diff note",
    "params-diff problems.[]",
    "params-show problems.[]",
    "pull checkout.failed.[]",
    "remote-gc failed.[]",
    "status stages.[].library_changes.[]",
    "verify missing_tracked",
    "verify unread",
    "warm-status libraries.[]",
)
"""Keys for which these scenarios would have to share a cache, break a disk or import libraries; other tests do."""


def _keys_of(schema: Mapping[str, Any], value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the path of each key of an output."""
    schema = _variant(schema, value)
    match value:
        case dict():
            for key, each in value.items():
                inner = schema.get("properties", {}).get(key)
                if inner is not None:
                    yield f"{prefix}{key}"
                    yield from _keys_of(inner, each, f"{prefix}{key}.")
                elif isinstance(schema.get("additionalProperties"), dict):
                    yield f"{prefix}*"
                    yield from _keys_of(schema["additionalProperties"], each, f"{prefix}*.")
        case list():
            for each in value:
                yield f"{prefix}[]"
                yield from _keys_of(schema["items"], each, f"{prefix}[].")


def _variant(schema: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    variants: Sequence[Mapping[str, Any]] = schema.get("oneOf", ())
    return next((each for each in variants if jsonschema.Draft202012Validator(each).is_valid(value)), schema)


def _all_keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the path of each key that a schema knows."""
    for each in schema.get("oneOf", ()):
        yield from _all_keys(each, prefix)
    for key, each in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _all_keys(each, f"{prefix}{key}.")
    for inner, word in ((schema.get("items"), "[]"), (schema.get("additionalProperties"), "*")):
        if isinstance(inner, dict):
            yield f"{prefix}{word}"
            yield from _all_keys(inner, f"{prefix}{word}.")


def test_schemas_and_their_page_are_those_of_the_script() -> None:
    """If not: `nox -s reference` writes them again."""
    files = json_outputs.files()

    assert [path.name for path, text in files.items() if not path.exists() or path.read_text() != text] == []
    assert set((ROOT / "docs/reference/json-schemas").iterdir()) <= files.keys()


def test_every_command_that_prints_json_has_a_schema() -> None:
    described = {
        title.removeprefix("pivot ").split(" --")[0].removesuffix(" TARGETS")
        for titles, _ in SCHEMAS.values()
        for title in titles.partition(";")[0].replace("`", "").split(", ")
    }

    assert described == {" ".join(words) for words in _commands_with_json(app.cli, ())}


def _commands_with_json(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from _commands_with_json(each, (*words, name))
    for option in command.params:
        choices = option.type.choices if isinstance(option.type, click.Choice) else ()
        if "--json" in option.opts or "json" in choices:
            yield words
            return


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a server with one file."""

    tags: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"1\n")

        def do_HEAD(self) -> None:
            self.send_response(200)
            tags.append(len(tags))
            headers = {
                "ETag": f'"{len(tags)}"',
                "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
                "Content-Length": "2",
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_commands_print_what_the_schemas_say_and_each_key(tmp_path: pathlib.Path, url: str) -> None:
    """A description of a key that nothing prints would be false."""
    git = {"GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "A", "EMAIL": "a@example.org"}
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    env = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "URL": url, **git}
    seen: dict[str, set[str]] = {}
    for scenario, script in SCENARIOS.items():
        project = tmp_path / scenario / "project"
        if scenario == "dvc":
            shutil.copytree(DVC_PROJECT, project)
        project.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.get(scenario, {}).items():
            (project / name).write_text(text)
        subprocess.run(["git", "init", "--quiet"], cwd=project, env=env, check=True)
        for line in script.strip().replace("&&\n", "&&").splitlines():
            _step(line.strip(), project, env, seen)
    parts = {f"{part}.{key}" for part, name in (("fetch", "transfer"), ("checkout", "checkout")) for key in seen[name]}
    seen["pull"] |= parts

    never = {name: {*_all_keys(schema)} - seen.get(name, set()) for name, (_, schema) in SCHEMAS.items()}
    unseen = {f"{name} {key}" for name, keys in never.items() for key in keys}
    assert {each for each in unseen if not each.startswith(RARE)} == set()


def _step(line: str, project: pathlib.Path, env: dict[str, str], seen: dict[str, set[str]]) -> None:
    head, _, arguments = line.partition(": ")
    name, _, code = head.partition(" ")
    if name not in SCHEMAS or not code.isdigit():
        subprocess.run(["bash", "-c", line], cwd=project, env=env, capture_output=True, timeout=120, check=True)
        return
    words = shlex.split(arguments.replace("$URL", env["URL"])) + ([] if "--format" in arguments else ["--json"])
    done = harness.Project(project).pivot(*words, code=int(code), env=env)
    value, schema = json.loads(done.stdout), SCHEMAS[name][1]
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError as error:
        pytest.fail(f"pivot {arguments}: {error}\n{done.stdout}")
    seen.setdefault(name, set()).update(_keys_of(schema, value))
