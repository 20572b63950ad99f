"""The text of a configuration: what is read of it, and that changes keep every other byte."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pivot_runtime.config.edit import assign, remove, rename
from pivot_runtime.config.file import FormatError, read_entries, read_lines, read_yaml, rendered


def pairs(text: str) -> list[tuple[str, str | None]]:
    return [(entry.key, entry.value) for entry in read_entries(text)]


# -- reading


def test_simple_lines_need_no_yaml() -> None:
    text = "# all of us\n\nremotes.origin: s3://bucket/a_b-c.d  # here\n  \nrun.jobs:   4\nsnapshot: off"
    entries = read_lines(text)

    assert entries is not None
    assert [(entry.key, entry.value, entry.line) for entry in entries] == [
        ("remotes.origin", "s3://bucket/a_b-c.d", 3),
        ("run.jobs", "4", 5),
        ("snapshot", "off", 6),
    ]


TRICKY = [
    "a: b: c",
    "a: b:",
    "a: b#c",
    "a: b #c",
    "a:  'b c'",
    'a: "b"',
    "a: ~",
    "a: *x",
    "a: &x b",
    "a: !!int 3",
    "a: -",
    "a: - b",
    "a: ?",
    "a:b",
    "a :b",
    "a : b",
    " a: b",
    "a:\tb",
    "a: b\r",
    "---",
    "...",
    "a: ...",
    "%YAML 1.2",
    "a: b\n c",
    "a:\n  b: c",
    "a: b\n# c\n d: e",
    "a: {b: c}",
    "a: [b]",
    "\ufeffa: b",
    "a: b\x85c",
    "a: b\u2028",
    "# \x07",
    "a: |\n  b",
    "<<: a",
    "a: 12:30:00",
    "a: @b",
    "a: b@c",
    "a: b=c+d",
    "",
    " ",
    "\n\n",
]
pieces = st.one_of(
    st.sampled_from(TRICKY),
    st.text(alphabet="ab.:/~# -_'\"\t\n\r{}[],&*!|>%@`=+09é\x85\u2028\ufeff", max_size=12),
    st.from_regex(r"[a-z.]{1,5}: {1,2}[a-z0-9.:/~@=+-]{1,8}( +#.{0,4})?", fullmatch=True),
)


@given(st.lists(pieces, max_size=4).map("\n".join))
@example("a: b")
def test_the_fast_way_reads_what_yaml_reads(text: str) -> None:
    fast = read_lines(text)

    assert fast is None or fast == read_yaml(text)


@pytest.mark.parametrize("text", TRICKY)
def test_the_fast_way_reads_what_yaml_reads_of_each_piece(text: str) -> None:
    fast = read_lines(text)

    assert fast is None or fast == read_yaml(text)


def test_nested_forms_are_the_same() -> None:
    nested = "remotes:\n  origin: s3://b\n  backup: 's3://c'\ncache: {dir: ../x}\nrun.jobs: 2\n"

    assert pairs(nested) == [
        ("remotes.origin", "s3://b"),
        ("remotes.backup", "s3://c"),
        ("cache.dir", "../x"),
        ("run.jobs", "2"),
    ]
    assert [entry.line for entry in read_entries(nested)] == [2, 3, 4, 5]


def test_a_value_that_is_not_a_string_has_no_value() -> None:
    assert pairs("a: [b]\nc:\nd: {}\n") == [("a", None), ("c", ""), ("d", "")]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: b\nc: [", 2, "this is not YAML"),
        ("a: b\n\tc", 2, "this is not YAML"),
        ("a: b\x07", 1, "this is not YAML"),
        ("\n- a", 2, "keys and values"),
        ("a", 1, "keys and values"),
        ("a: b\n? [c]\n: d", 2, "a key must be a string"),
        ("a: b\n---\nc: d\n", 2, "this is not YAML"),
        ("[" * 5000, 1, "nested more than 64 levels"),
        ("x: 1\na: &x\n  b: *x\n  c: 1\n", 3, "is inside what it names"),
        (
            "a0: &a0 {x: 1, y: 2}\n" + "".join(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 40)),
            13,
            "50,000",
        ),
    ],
)
def test_invalid_texts_are_refused_with_their_line(text: str, line: int, told: str) -> None:
    with pytest.raises(FormatError, match=told) as caught:
        read_entries(text)

    assert caught.value.line == line


printable = st.text(min_size=1).filter(str.isprintable)


@given(printable)
@example("true")
@example("a: b")
@example("# x")
@example("é😀'\"\\")
def test_a_rendered_value_reads_as_itself(value: str) -> None:
    assert pairs(f"a: {rendered(value)}\n") == [("a", value)]


# -- changing

names = st.sampled_from(["run.jobs", "remotes.origin", "remotes.b-2", "snapshot", "unknown.key"])
others = st.sampled_from(
    [
        "# a comment: with a colon\n",
        "\n",
        "   \n",
        "  # indented\n",
        "cache.dir:   ../x   # here\n",
        "fingerprint.library_versions: 'off'\n",
        "watch:\n  # below\n  debounce: 10\n\n",
        "resources: {gpu: 2, ram: 3}\n",
        "strict_io.level: >-\n  warn\n",
        '"worker.start": "fork"  # é\n',
    ]
)


def written(lines: list[str], ending: str, *, ended: bool) -> str:
    text = "".join(lines).replace("\n", ending)
    return text if ended else text.removesuffix(ending)


files = st.builds(
    written, st.lists(others, max_size=6, unique=True), st.sampled_from(["\n", "\r\n"]), ended=st.booleans()
)
whole_lines = files.filter(lambda text: text.endswith("\n") or not text)
comments = st.lists(st.sampled_from(["# after: this\n", "# and this"]), max_size=3).map("".join)


@given(files, names, printable)
def test_setting_a_new_key_and_unsetting_it_gives_the_same_bytes(text: str, key: str, value: str) -> None:
    changed = assign(text, key, value)

    assert changed.startswith(text)
    assert pairs(changed) == [*pairs(text), (key, value)]
    assert remove(changed, key) == text


@given(
    whole_lines,
    comments,
    names,
    st.sampled_from(["4", "'four 4'", '"f\\u0041"', "s3://a/b", ""]),
    st.sampled_from(["", "  # why", " "]),
    st.sampled_from(["9", "s3://x/y", "two words", "# é"]),
)
def test_setting_a_key_again_changes_its_value_alone(
    before: str, after: str, key: str, old: str, trailing: str, new: str
) -> None:
    text = f"{before}{key}: {old}{trailing}\n{after}"
    gap = "" if old else " "

    changed = assign(text, key, new)
    assert changed in (
        f"{before}{key}: {rendered(new)}{trailing}\n{after}",
        f"{before}{key}: {rendered(new)}{gap}{trailing}\n{after}",
    )
    assert assign(changed, key, new) == changed
    assert dict(pairs(changed))[key] == new


@given(whole_lines, comments, names)
def test_unsetting_removes_the_line_alone(before: str, after: str, key: str) -> None:
    assert remove(f"{before}{key}: some  # why\n{after}", key) == f"{before}{after}"
    assert remove(before, key) == before


def test_a_nested_key_is_changed_where_it_stands() -> None:
    text = "remotes:  # ours\n  origin: s3://a  # first\n  backup: s3://b\n"

    assert assign(text, "remotes.origin", "s3://c") == text.replace("s3://a", "s3://c")
    assert remove(text, "remotes.backup") == text.replace("  backup: s3://b\n", "")
    assert remove(remove(text, "remotes.backup"), "remotes.origin") == "remotes:  # ours\n"
    assert rename(text, "remotes.origin", "remotes.main") == text.replace("origin", "main")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("executor:\n  shared: /data\nrun.jobs: 4\n", "executor.shared: /data\nrun.jobs: 4\n"),
        (
            "# a\nexecutor:  # b\n\n  # c\n  shared:  '/d e'  # f\n\n# g\nrun:\n  jobs: 4\n",
            "# a\n# b\n# c\nexecutor.shared:  '/d e'  # f\n\n# g\nrun:\n  jobs: 4\n",
        ),
        ("executor: {shared: /data, 'other': \"#x\"}  # a\n", 'executor.shared: /data\nexecutor.other: "#x"  # a\n'),
        ("  executor:\r\n      shared: /data\r\n", "  executor.shared: /data\r\n"),
        (
            "executor: local\nexecutor:\n  more:\n    - a\n  shared: /data\n",
            "executor: dask://h:1\nexecutor.more:\n  - a\nexecutor.shared: /data\n",
        ),
    ],
)
def test_a_key_that_is_a_section_as_well_is_set_beside_flat_keys(before: str, after: str) -> None:
    changed = assign(before, "executor", "dask://h:1")

    ending, margin = ("\r\n", "  ") if "\r" in before else ("\n", "")
    assert changed == (after if "dask" in after else f"{after}{margin}executor: dask://h:1{ending}")
    assert read_yaml(changed) is not None
    keys = [key for key, _ in pairs(changed)]
    assert len(keys) == len(set(keys))
    assert remove(changed, "executor") == after.replace("executor: dask://h:1\n", "")


def test_a_section_that_cannot_become_flat_stays() -> None:
    with pytest.raises(FormatError, match="too complex"):
        assign('executor:\n  "shared": /data\n', "executor", "local")


def test_values_of_several_lines_are_changed_whole() -> None:
    text = "a: |\n  one\n  two\nb: 'x\n\n  y'  # z\nc: 1\n"

    assert assign(text, "a", "3") == "a: 3\nb: 'x\n\n  y'  # z\nc: 1\n"
    assert remove(text, "a") == "b: 'x\n\n  y'  # z\nc: 1\n"
    assert remove(text, "b") == "a: |\n  one\n  two\nc: 1\n"


def test_values_that_are_wrong_are_changed_whole() -> None:
    text = "# x\na:\n- 1\n- [2,\n   3]  # three\n\n# of b\nb: 1\n"

    assert remove(text, "a") == "# x\n\n# of b\nb: 1\n"
    assert assign(text, "a", "4") == "# x\na: 4  # three\n\n# of b\nb: 1\n"
    assert remove("a: |\n  one\n\n# of b\nb: 1\n", "a") == "# of b\nb: 1\n"


def test_a_key_that_stands_there_twice_is_one_again() -> None:
    text = "a: 1\nb: 2\na: 3\n"

    assert assign(text, "a", "4") == "a: 4\nb: 2\n"
    assert remove(text, "a") == "b: 2\n"


def test_a_file_whose_lines_are_indented() -> None:
    assert assign("  a: 1\n", "b", "2") == "  a: 1\n  b: 2\n"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda text: assign(text, "new", "1"), "{a: 1, b: 2}\n"),
        (lambda text: remove(text, "a"), "{a: 1, b: 2}\n"),
        (lambda text: remove(text, "b.a"), "b: {c: 1, a: 2}\n"),
        (lambda text: remove(text, "a"), "a: &x 1\nb: *x\n"),
        (lambda text: assign(text, "b", "2"), "a: &x 1\nb: *x\n"),
        (lambda text: assign(text, "b", "2"), "a: 1\n...\n"),
        (lambda text: rename(text, "b.a", "b.d"), 'b:\n  "\\u0061": 1\n'),
    ],
)
def test_intricate_texts_are_not_changed(change: Callable[[str], str], text: str) -> None:
    """Each is a form in which that cannot be changed without touching something else."""
    with pytest.raises(FormatError, match="by hand"):
        change(text)


def test_a_broken_line_can_be_removed_or_set() -> None:
    text = "# mine\nsnapshot: off\ncache.dir: [\nrun.jobs: 1\n"

    assert remove(text, "cache.dir") == "# mine\nsnapshot: off\nrun.jobs: 1\n"
    assert assign(text, "cache.dir", "../c") == "# mine\nsnapshot: off\ncache.dir: ../c\nrun.jobs: 1\n"
    with pytest.raises(FormatError) as caught:
        remove(text, "snapshot")
    assert caught.value.line == 3


def test_renaming_keeps_the_line() -> None:
    text = '# ours\nremotes.origin: s3://origin  # origin\n"remotes.b": s3://b\n'

    assert rename(text, "remotes.origin", "remotes.o") == text.replace("remotes.origin", "remotes.o")
    assert rename(text, "remotes.b", "remotes.backup") == text.replace("remotes.b", "remotes.backup")
