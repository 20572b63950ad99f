"""The pure parts of `pivot import-dvc`: translations of DVC's files, and edits that keep comments."""

import hashlib
import pathlib
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.formats.data_source import RepositorySource, UrlSource, UrlState
from pivot_core.errors import PivotError
from pivot_core.pivot_yaml.variables import NoFiles
from pivot_runtime.definitions import yaml_document
from pivot_runtime.dvc_import import data_files, dvc_config, dvc_lock, stage_files
from pivot_runtime.dvc_import.dvc_config import ConfigFile
from pivot_runtime.dvc_import.dvc_lock import Md5
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.loadable import PipelineDraft, largest, loadable
from pivot_runtime.dvc_import.plan import outs_of_variants
from pivot_runtime.dvc_import.yaml_edits import YamlEdits, quoted_keys, written
from pivot_runtime.errors import YamlError

MD5 = "e5ebd4c02cefbe7955977c67ada242b7"


def translated(text: str, directories: tuple[str, ...] = ()) -> stage_files.TranslatedStages:
    """The translation of a file in which the named outs are known as directories, and all others as files."""
    return stage_files.translate(
        textwrap.dedent(text), "dvc.yaml", "demo", lambda _stage, _wdir, out: out in directories
    )


def places(leftovers: tuple[Leftover, ...] | list[Leftover]) -> list[str]:
    return [each.where for each in leftovers]


def test_a_file_without_anything_special_stays_as_it_is_with_its_comments() -> None:
    text = """\
    # All steps.
    vars:
    - config.json

    stages:
      prepare:   # the first
        foreach: ${regions}
        do:
          cmd: >-
            make ${item}
            --all
          deps: ["raw/${item}.csv"]
          outs:
          - out/${item}.csv
      train:
        cmd: [one, two]
        wdir: sub
        params:
        - lr
        - other.json:
        outs:
        - models   # all of them
        metrics:
        - m.json:
            cache: false
        frozen: true
    """
    found = translated(text, directories=("models",))
    dedented = textwrap.dedent(text)
    expected = dedented.replace("vars:", "pipeline: demo\nvars:").replace("- models ", "- models/ ")
    assert (found.text, found.leftovers) == (expected, ())
    assert found.stages == {"prepare": "prepare", "train": "train"}


def test_everything_without_a_counterpart_is_listed_with_its_line_and_left_out() -> None:
    found = translated(
        """\
        stages:
          train:   # keeps its comment
            cmd: python train.py
            deps:
            - /data/big.csv
            - s3://bucket/raw.csv
            - train.py
            outs:
            - model.pt:
                checkpoint: true
            - s3://bucket/out
            - kept.txt:
                remote: archive
                push: false
            live:
              dvclive:
                summary: true
          empty:
          no-command:
            outs: [a]
          half:
            foreach: [1]
          "train v.2":
            cmd: echo two
          notify:
            cmd: echo done
        plots:
        - kept.txt
        - other.csv
        - Both:
            y: {kept.txt: a, other.csv: b}
        metrics: [weights/m.json]
        artifacts:
          a: {path: kept.txt}
        datasets: []
        strange: 1
        """
    )
    assert yaml_document.parse(found.text, "").data == {
        "pipeline": "demo",
        "stages": {
            "train": {
                "cmd": "python train.py",
                "deps": ["train.py"],
                "outs": [{"model.pt": {"persist": True}}, {"kept.txt": None}],
            },
            "train-v-2": {"cmd": "echo two", "always_changed": True},
            "notify": {"cmd": "echo done", "always_changed": True},
        },
        "plots": ["kept.txt"],
    }
    assert found.stages == {"train": "train", "train-v-2": "train v.2", "notify": "notify"}
    lines = {int(where.partition(":")[2]) for where in places(found.leftovers)}
    assert lines == {5, 6, 10, 11, 13, 14, 15, 18, 19, 21, 23, 29, 30, 32, 33, 35, 36}
    assert {each.where for each in found.leftovers if not each.needs_work} == {
        f"dvc.yaml:{line}" for line in (10, 18, 19, 23, 30, 33)
    }


def test_plots_keep_the_options_that_pivot_draws() -> None:
    found = translated(
        """\
        stages:
          fit:
            cmd: fit
            plots:
            - loss.csv: {x: step, y: loss, title: Loss, template: smooth, header: true}
            - bare.csv:
                header: false
                template: my_own
            - many.csv:
              - {x: a, y: b}
              - {x: a, y: c}
        """
    )
    assert yaml_document.parse(found.text, "").data["stages"]["fit"]["plots"] == [
        {"loss.csv": {"x": "step", "y": "loss", "title": "Loss", "template": "smooth"}},
        {"bare.csv": None},
        {"many.csv": {"x": "a", "y": "b"}},
    ]
    assert places(found.leftovers) == ["dvc.yaml:7", "dvc.yaml:8", "dvc.yaml:9"]


def test_plots_of_several_files_are_one_for_each() -> None:
    text = """\
    stages:
      fit:
        cmd: fit
        outs: [a.csv, b.json, c.csv, d/]
    plots:
    - One:   # with a template
        x: {a.csv: step}
        y: {a.csv: [acc, loss]}
        template: my_own
    # both
    - Two:
        x: step
        y: {c.csv: acc, b.json: acc}
        title: Both
    - Mixed:
        x: {a.csv: step}
        y: {b.json: acc}
    - d
    - Inside:
        y: {d/e.csv: acc}
    - nowhere/e.csv
    metrics:
    - d/m.json
    - d
    """
    found = translated(text, directories=("d",))
    expected = """\
    pipeline: demo
    stages:
      fit:
        cmd: fit
        outs: [a.csv, b.json, c.csv, d/]
    plots:
    - One:
        x: step
        y:
          a.csv:
          - acc
          - loss
    # both
    - Two (c.csv):
        x: step
        y:
          c.csv: acc
        title: Both
    - Two (b.json):
        x: step
        y:
          b.json: acc
        title: Both
    - d
    - Inside:
        y: {d/e.csv: acc}
    metrics:
    - d/m.json
    """
    assert found.text == textwrap.dedent(expected)
    assert [(each.where, each.needs_work) for each in found.leftovers] == [
        ("dvc.yaml:24", True),
        ("dvc.yaml:9", True),
        ("dvc.yaml:11", False),
        ("dvc.yaml:15", True),
        ("dvc.yaml:21", True),
    ]


def test_directories_of_plots_keep_their_options() -> None:
    text = "stages:\n  a:\n    cmd: x\n    plots:\n    - charts:\n        x: step\n        header: true\n    - more.d\n"
    known = translated(text + "plots:\n- charts/a.csv: {y: b}\n- charts\n", directories=("charts",))
    assert yaml_document.parse(known.text, "").data == {
        "pipeline": "demo",
        "stages": {"a": {"cmd": "x", "plots": [{"charts/": {"x": "step"}}, "more.d"]}},
        "plots": [{"charts/a.csv": {"y": "b"}}],
    }
    unknown = stage_files.translate(text, "dvc.yaml", "demo", lambda *_: None)
    assert "- charts/:\n" in unknown.text
    assert unknown.assumed == ("dvc.yaml:5 charts",)


def test_outs_that_nobody_knows_are_directories_without_a_suffix() -> None:
    text = "stages:\n  a:\n    cmd: x\n    outs: [data/clean, model.pkl, '${item.dir}', given/]\n"
    found = stage_files.translate(text, "dvc.yaml", "demo", lambda *_: None)
    outs = yaml_document.parse(found.text, "").data["stages"]["a"]["outs"]
    assert outs == ["data/clean/", "model.pkl", "${item.dir}/", "given/"]
    assert found.assumed == ("dvc.yaml:4 data/clean", "dvc.yaml:4 ${item.dir}")


class Variables(NoFiles):
    def default(self) -> Mapping[str, Any]:
        return {"best": "best.yaml", "runs": "runs"}


def test_references_are_resolved_to_know_whether_an_out_is_a_directory() -> None:
    text = """\
    stages:
      a: {cmd: x, outs: ['${best}', '${runs}', '${runs}.txt']}
      b: {foreach: [c, d], do: {cmd: x, wdir: '${item}', outs: ['${item}', {'${runs}/': {cache: false}}]}}
      c: {cmd: x, outs: ['${best}', '${none}', 5, [], {}]}
      log: {cmd: x, metrics: [m.json, board, {'${runs}': {cache: false}}]}
    """
    asked = set()

    def is_directory(stage: str, wdir: str, out: str) -> bool | None:
        asked.add((stage, wdir, out))
        return True if out == "board" or (stage == "log" and out == "runs") else None

    found = stage_files.translate(
        textwrap.dedent(text), "dvc.yaml", "demo", is_directory, lambda data: outs_of_variants(data, Variables())
    )
    stages = yaml_document.parse(found.text, "").data["stages"]
    assert stages["a"]["outs"] == ["${best}", "${runs}/", "${runs}.txt"]
    assert {("b", "c", "c"), ("b", "d", "d"), ("b", "d", "runs")} <= asked
    assert stages["c"]["outs"] == ["${best}/", "${none}/"]  # nothing is known of a stage with mistakes
    assert stages["log"] == {"cmd": "x", "metrics": ["m.json"], "outs": ["board/", {"${runs}/": {"cache": False}}]}
    remedies = {each.problem: each.remedy for each in found.leftovers}
    assert remedies["board is a directory, which is carried as an out and no metric"] == (
        "name the files in it that have metrics in a list 'metrics' beside the stages"
    )


def test_a_path_with_references_stands_for_others() -> None:
    pattern = stage_files.pattern_of("models/${item.name}-${key}.txt/")
    assert pattern.fullmatch("models/cnn-small.txt")
    assert not pattern.fullmatch("models/cnn.txt")


def test_a_file_without_stages_makes_no_pipeline() -> None:
    (leftover,) = translated("metrics: [a.json]\n").leftovers
    assert leftover.remedy == "name them in the pivot.yaml of the stage that writes them"
    assert [each.remedy for each in translated("vars: [a.json]\n").leftovers] == [""]
    assert translated("").text == ""


def test_what_is_no_yaml_is_an_error_with_its_line() -> None:
    with pytest.raises(YamlError, match=r"dvc\.yaml:3"):
        translated("stages:\n  a: [\n")


@pytest.mark.parametrize(
    "stage",
    [
        "{cmd: 5, outs: {a: 1}}",
        "{cmd: {a: 1}, outs: a, deps: a}",
        "{cmd: x, outs: [{p: 5}, {q: [5]}, [1], null, '', '.', {a: 1, b: 2}]}",
        "{cmd: x, plots: [{q: {template: [1], header: 3}}, {r: []}], wdir: [1]}",
        "{foreach: x, do: {cmd: y, matrix: 5, outs: [{b: {cache: [1]}}]}}",
        "[1]",
    ],
)
@pytest.mark.parametrize("charts", ["5", "{a: 1}", "[{a: b}, 5, [1], {a: {x: {}}}, {a: {y: [1]}}, {q: {y: {q: 1}}}]"])
def test_nonsense_is_listed_or_left_to_the_load(stage: str, charts: str) -> None:
    found = translated(f"stages: {{a: {stage}}}\nplots: {charts}\nmetrics: {charts}\nvars: 5\n")
    assert found.text == "" or yaml_document.parse(found.text, "").data["pipeline"] == "demo"


def test_keys_that_are_numbers_are_quoted() -> None:
    assert quoted_keys("a:\n  2020: {1: x, on: y, 'q': z}\n") == 'a:\n  "2020": {"1": x, on: y, \'q\': z}\n'


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["x", "yes", "1e-3", "0x1", "~", "a: b", "é\n\nb ", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["k", "1", "null"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), PLAIN, min_size=1, max_size=3), st.data())
def test_edits_have_exactly_the_wanted_data(data: dict[str, object], draw: st.DataObject) -> None:
    text = written(data)
    assert yaml_document.parse(text, "").data == data
    gone = draw.draw(st.sampled_from(sorted(data)))
    wanted = {"new": "y", **{key: value for key, value in data.items() if key != gone}}
    edits = YamlEdits(f"# comment\n{text}")
    edits.insert((next(iter(data)),), "new: y")
    edits.remove((gone,))
    assert yaml_document.parse(edits.result(wanted), "").data == wanted


LOADED = """\
pipeline: demo
vars:
- a: 1
stages:
  first:   # writes
    cmd: echo > x.txt
    outs:
    - x.txt
  second:
    cmd: cat x.txt > y.txt
    outs:
    - y.txt
  third:
    cmd: cat x.txt w.txt > z.txt
    deps:
    - w.txt   # ours
    outs: [z.txt]
  each:
    foreach: [1, 2]
    do:
      cmd: cat x.txt > ${item}.txt
      outs: ['${item}.txt']
"""
BAD = """\
  mapping:
    cmd: {a: b}
  unknown:
    cmd: echo ${unknown}
  twice:
    cmd: echo
    outs: [x.txt]
  circle:
    cmd: cat z.txt
    deps: [z.txt]
    outs: [w.txt]
  outside:
    cmd: echo
    wdir: ../..
  long:
    cmd: echo
    deps: [NAME/x.py]
plots:
- v.txt
- x.txt
""".replace("NAME", "n" * 300)


def test_files_are_loadable_without_a_part_of_their_stages(tmp_path: pathlib.Path) -> None:
    draft = PipelineDraft(LOADED + BAD, "dvc.yaml", {"mapping": "dvc.yaml:20"})
    (tmp_path / "sub").mkdir()
    other = PipelineDraft("pipeline: s\nvars: 1\nstages: {a: {cmd: x}}", "sub/dvc.yaml", {})
    found = loadable(tmp_path, {"pivot.yaml": draft, "sub/pivot.yaml": other})
    expected = LOADED.replace("    cmd: cat x.txt > y", "    deps: [x.txt]\n    cmd: cat x.txt > y")
    expected = expected.replace("      cmd: cat", "      deps: [x.txt]\n      cmd: cat")
    expected = expected.replace("    - w.txt ", "    - x.txt\n    - w.txt ")
    assert found.texts == {"pivot.yaml": expected + "plots:\n- x.txt\n"}
    assert set(found.order) == {"demo.first", "demo.second", "demo.third", "demo.each@1", "demo.each@2"}
    said = [f"{each.where} {each.problem}" for each in found.leftovers]
    lost = "the stage {!r} is not carried: {}"
    added = "dvc.yaml its command names x.txt, which another stage writes: it is a dep of {!r} here"
    assert said == [
        "dvc.yaml:20 " + lost.format("mapping", "'cmd' of 'mapping' must be a string or a list, not a mapping"),
        "dvc.yaml " + lost.format("unknown", "${unknown} is not known"),
        "dvc.yaml " + lost.format("outside", "wdir: '../..' is outside the project"),
        "dvc.yaml " + lost.format("long", f"no file can have the name {'n' * 255}…"),
        "dvc.yaml 'v.txt' is no out of a command or notebook of this file, nor in one",
        "sub/dvc.yaml it is not carried: 'vars' must be a mapping or a list, not 1",
        *(added.format(name) for name in ("second", "third", "each")),
        "dvc.yaml " + lost.format("twice", "two stages write 'x.txt': 'first' and 'twice'"),
        "dvc.yaml " + lost.format("circle", "the stages form a cycle: 'circle' -> 'third' -> 'circle'"),
    ]


@given(st.lists(st.integers(0, 3), max_size=8))
def test_only_items_with_problems_are_left_out(items: list[int]) -> None:
    """The problems here: an item is 0, or is there already."""

    def problem(some: list[int]) -> PivotError | None:
        return YamlError("no") if 0 in some or len(set(some)) < len(some) else None

    kept, lost = largest(items, problem)
    assert kept == list(dict.fromkeys(each for each in items if each))
    assert sorted([*kept, *(items[at] for at in lost)]) == sorted(items)


def test_the_record_of_a_run_is_read_with_its_md5() -> None:
    text = f"""\
    schema: '2.0'
    stages:
      train@us:
        cmd: [a, b]
        deps:
        - {{path: data, md5: {MD5}.dir, hash: md5, size: 3, nfiles: 2}}
        - {{path: s3://b/x, etag: abc}}
        params:
          params.yaml: {{lr: 0.1, flag: yes}}
        outs:
        - {{path: old.txt, md5: {MD5}, isexec: true}}
      bad: {{deps: []}}
      worse: {{cmd: x, params: [1]}}
    """
    lock = dvc_lock.parse(textwrap.dedent(text), "dvc.lock")
    run = lock.runs["train@us"]
    assert run.deps == {"data": Md5(f"{MD5}.dir"), "s3://b/x": None}
    assert run.outs == {"old.txt": Md5(MD5, text=True, executable=True)}
    assert (run.cmd, run.params) == (["a", "b"], {"params.yaml": {"lr": 0.1, "flag": "yes"}})
    assert places(lock.leftovers) == ["dvc.lock:12", "dvc.lock:13"]


def test_a_record_may_be_larger_than_what_people_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document.NodeReader, "most_characters", 60)
    text = f"schema: '2.0'\nstages:\n  a: {{cmd: {'x' * 60}}}\n"
    with pytest.raises(YamlError):
        yaml_document.parse(text, "")
    assert dvc_lock.parse(text, "dvc.lock").runs["a"].cmd == "x" * 60


def test_directories_of_remotes_that_keep_versions_are_known_by_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_document.NodeReader, "most_nodes", 20)
    files = [{"md5": MD5, "relpath": name, "cloud": {"gcp": {"version_id": "1"}}} for name in ("b.txt", "a/b.txt")]
    entry = {"path": "x", "hash": "md5", "files": files}
    (data,), leftovers = data_files.parse(written({"outs": [entry]}), "x.dvc")
    assert not leftovers
    listing = f'[{{"md5": "{MD5}", "relpath": "a/b.txt"}}, {{"md5": "{MD5}", "relpath": "b.txt"}}]'
    assert data.md5.digest == f"{hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()}.dir"
    assert data.md5.files == {"a/b.txt": Md5(MD5), "b.txt": Md5(MD5)}
    for bad in ({"relpath": "../a", "md5": MD5}, {"relpath": 5, "md5": MD5}, {"relpath": "a"}, 5):
        assert dvc_lock.md5_of({**entry, "files": [*files, bad]}) is None


def test_stages_in_files_of_their_own_become_those_of_one_file() -> None:
    train = f"""\
    md5: {MD5}
    cmd: python train.py ${{HOME}}
    wdir: ..
    locked: true
    deps:
    - {{md5: {MD5}, path: 'a/${{x}}'}}
    outs:
    - {{md5: {MD5}, path: model, cache: true, metric: false, persist: true}}
    - {{md5: {MD5}, path: m.json, cache: false, metric: {{type: json}}}}
    """
    texts = {
        "s/train.dvc": textwrap.dedent(train),
        "s/Dvcfile": "cmd: [a, b]\nalways_changed: true\n",
        "s/data.dvc": f"outs:\n- {{md5: {MD5}, path: data}}\n",
        "t/other.dvc": "cmd: x\n",
        "bad.dvc": "cmd: [",
        "worse.dvc": "cmd: x\nouts: [5]\n",
        "list.dvc": "[]",
    }
    found = data_files.single_stages(texts, {"t/dvc.yaml"})
    assert found.files == {"s/train.dvc", "s/Dvcfile"}
    assert yaml_document.parse(found.stages["s/*.dvc"], "").data == {
        "stages": {
            "train": {
                "cmd": "python train.py \\${HOME}",
                "wdir": "..",
                "frozen": True,
                "deps": ["a/\\${x}"],
                "outs": [{"model": {"persist": True}}],
                "metrics": [{"m.json": {"cache": False}}],
            },
            "Dvcfile": {"cmd": ["a", "b"], "always_changed": True},
        }
    }
    runs = dvc_lock.parse(found.locks["s/dvc.lock"], "").runs
    assert runs["train"].cmd == "python train.py ${HOME}"
    assert runs["train"].deps == {"a/${x}": Md5(MD5, text=True)}
    assert data_files.parse("deps: [{path: a}]\n", "Dvcfile") == ([], [])


def test_data_are_read_with_their_sources() -> None:
    url = f"outs:\n- {{md5: {MD5}, path: a.csv, hash: md5}}\nfrozen: true\n"
    url += "deps:\n- path: https://u:p@x.org/a?token=t\n  size: 3\n"
    found, leftovers = data_files.parse(url, "sub/a.csv.dvc")
    assert [(each.path, each.md5) for each in found] == [("sub/a.csv", Md5(MD5))]
    source = found[0].source
    assert isinstance(source, UrlSource)
    assert (source.url, source.state.size) == ("https://x.org/a", UrlState(size=3).size)
    assert places(leftovers) == ["sub/a.csv.dvc:5", "sub/a.csv.dvc:5"]


@pytest.mark.parametrize(
    ("url", "repo"),
    [
        ("https://u:p@x.org/data.git", "https://x.org/data.git"),
        ("git@x.org:data.git", "git@x.org:data.git"),
        ("../other", "other"),
        ("../../out/side", "../out/side"),
        ("/srv/data", "/srv/data"),
    ],
)
def test_data_of_repositories_are_read_with_the_commit(url: str, repo: str) -> None:
    commit = "abcdef6789" * 4
    text = f"deps:\n- path: raw/a\n  repo:\n    url: {url}\n    rev: v1\n    rev_lock: {commit}\n"
    found, leftovers = data_files.parse(f"{text}outs:\n- {{md5: {MD5}, path: a}}\n", "sub/a.dvc")
    assert found[0].source == RepositorySource(repo, "raw/a", commit, "v1")
    assert {(each.where, each.needs_work, "u:p" in each.problem) for each in leftovers} == {
        ("sub/a.dvc:2", False, False)
    }


@pytest.mark.parametrize("dep", ["path: hdfs://u:p@x.org/a", "{path: x, repo: {url: 'https://u:p@x.org/r'}}"])
def test_sources_that_are_not_carried_are_listed_without_secrets(dep: str) -> None:
    _, leftovers = data_files.parse(f"deps:\n- {dep}\nouts:\n- {{md5: {MD5}, path: a}}\n", "a.dvc")
    assert [(each.where, "u:p" in each.problem, "x.org" in each.problem) for each in leftovers] == [
        ("a.dvc:2", False, True)
    ]


@pytest.mark.parametrize(
    ("text", "paths", "lines"),
    [
        (f"outs:\n- {{md5: {MD5}, path: a, desc: d}}\nwdir: ..\n", ["a"], [2]),
        (
            f"deps:\n- path: x\n  repo: {{url: git@x.org:r, rev_lock: main}}\nouts:\n- {{md5: {MD5}, path: a}}\n",
            ["sub/a"],
            [2],
        ),
        (f"outs:\n- {{md5: {MD5}, path: ../../a}}\n", [], [2]),
        ("outs:\n- {path: a, cloud: {}}\n", [], [2]),
        ("outs:\n- {md5: zz, path: a}\n- nonsense\n", [], [2, 3]),
        (f"outs:\n- {{md5: {MD5}, path: ../.pivot/x}}\n- {{md5: {MD5}, path: ''}}\n", [], [2, 3]),
        ("outs: 5\ndeps: [5]\n", [], [2]),
        (f"cmd: x\nouts:\n- {{md5: {MD5}, path: a}}\n", [], []),
    ],
)
def test_data_that_are_not_carried_are_listed(text: str, paths: list[str], lines: list[int]) -> None:
    found, leftovers = data_files.parse(text, "sub/a.dvc")
    assert [each.path for each in found] == paths
    assert places(leftovers) == ([f"sub/a.dvc:{line}" for line in lines] or ["sub/a.dvc"])


def test_remotes_and_the_cache_are_carried_without_secrets() -> None:
    shared = """\
    [core]
        remote = origin
        autostage = true
    [cache]
        dir = ../../shared
        type = "hardlink,symlink"
    ['remote "origin"']
        url = s3://bucket/dvc/
        region = eu-west-1
        secret_access_key = hidden
    ['remote "disk"']
        url = ../store
    ['remote "below"']
        url = remote://origin/sub
    ['remote "cloud"']
        url = azure://box/p
    ['remote "box"']
        url = ssh://host/p
        user = ann
        port = 2222
    ['remote "drive"']
        url = gdrive://x
    [parsing]
        bool = boolean_optional
    """
    mine = "['remote \"origin\"']\naccess_key_id = mine\npassword = hidden\n['remote \"own\"']\nurl = /mnt/own\n"
    files = (
        ConfigFile(".dvc/config", textwrap.dedent(shared), "/w/p/.dvc"),
        ConfigFile(".dvc/config.local", mine, "/w/p/.dvc", shared=False),
    )
    found = dvc_config.translate(files, "/w/p/.dvc")
    assert found.cache_dir == "/w/shared"
    assert found.settings == {
        "cache.checkout_mode": "hardlink",
        "cache.dir": "/w/shared-pivot",
        "remotes.origin": "s3://bucket/dvc/pivot",
        "remotes.disk": "file:///w/p/store/pivot",
        "remotes.below": "s3://bucket/dvc/sub/pivot",
        "remotes.cloud": "az://box/p/pivot",
        "remotes.box": "ssh://ann@host:2222/p/pivot",
        "default_remote": "origin",
    }
    said = " ".join(f"{each.where} {each.problem} {each.remedy}" for each in found.leftovers)
    assert "hidden" not in said
    assert {each.where for each in found.leftovers if each.needs_work} == {
        *(f".dvc/config:{line}" for line in (9, 22, 24)),
        *(f".dvc/config.local:{line}" for line in (2, 5)),
    }


def test_a_cache_of_ones_own_is_found_and_stays_ones_own() -> None:
    mine = ConfigFile(".dvc/config.local", "[cache]\ndir = /big/cache\n", "/w/p/.dvc", shared=False)
    found = dvc_config.translate((mine,), "/w/p/.dvc")
    assert (found.cache_dir, dict(found.settings)) == ("/big/cache", {})
    assert "PIVOT_CACHE_DIR=/big/cache-pivot" in found.leftovers[0].remedy
    assert dvc_config.translate((), "/w/p/.dvc").cache_dir == "/w/p/.dvc/cache"
    broken = ConfigFile(".dvc/config", "dir = x\n", "/w/p/.dvc")
    assert places(dvc_config.translate((broken,), "/w/p/.dvc").leftovers) == [".dvc/config"]
