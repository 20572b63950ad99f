"""Manifests as values: sorted, immutable, with a digest of keys and digests alone, and a JSON form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_fingerprint import (
    SCHEMA,
    Change,
    Entry,
    FingerprintError,
    Library,
    Manifest,
    ManifestError,
    NotCallableError,
    Unresolved,
    diff,
    fingerprint,
    unresolved,
)

A, B = "a" * 32, "b" * 32
texts = st.text(alphabet="ab:.é", max_size=5)
digests = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)
places = st.tuples(st.none() | texts, st.none() | st.integers(1, 99))
entries = st.builds(
    lambda digest, place, end: Entry(digest, place[0], place[1], end, place[1]), digests, places, st.none() | st.just(9)
)
libraries = st.builds(lambda version, names: Library(version, tuple(names)), texts, st.lists(texts, max_size=2))
edges = st.builds(lambda place, reason, key: Unresolved(place[0], place[1], reason, key), places, texts, texts)
manifests = st.builds(
    lambda known, lost, used: Manifest(known, tuple(lost), used),
    st.dictionaries(texts, entries, max_size=4),
    st.lists(edges, max_size=3),
    st.dictionaries(texts, libraries, max_size=2),
)


@given(manifests)
def test_json_round_trip(manifest: Manifest) -> None:
    back = Manifest.from_json(json.loads(json.dumps(manifest.to_json())))

    assert back == manifest
    assert back.digest == manifest.digest
    assert json.dumps(back.to_json()) == json.dumps(manifest.to_json())


@given(manifests, manifests)
def test_no_change_means_an_equal_digest(one: Manifest, two: Manifest) -> None:
    assert (diff(one, two) == ()) == (one.digest == two.digest)


def test_files_and_lines_never_count() -> None:
    one, two = Manifest({"k": Entry(A, "x.py", 1)}), Manifest({"k": Entry(A, "y.py", 2)})

    assert one.digest == two.digest
    assert one != two
    assert diff(one, two) == ()


def test_diff_names_what_was_added_changed_and_removed() -> None:
    old = Manifest({"a": Entry(A), "b": Entry(A), "same": Entry(A)})
    new = Manifest({"b": Entry(B), "c": Entry(A), "same": Entry(A)})

    assert diff(old, new) == (
        Change("a", Entry(A), None),
        Change("b", Entry(A), Entry(B)),
        Change("c", None, Entry(A)),
    )


def test_a_manifest_is_a_sorted_mapping() -> None:
    manifest = Manifest({"b": Entry(A), "a": Entry(B)})

    assert list(manifest) == ["a", "b"]
    assert manifest["a"] == Entry(B)
    assert "c" not in manifest
    assert len(manifest) == 2
    assert hash(manifest) == hash(Manifest({"a": Entry(B), "b": Entry(A)}))
    assert manifest != {"a": Entry(B), "b": Entry(A)}.items()
    assert manifest.digest in repr(manifest)
    with pytest.raises(TypeError):
        manifest["c"] = Entry(A)  # type: ignore[index]


GOOD = {
    "schema": SCHEMA,
    "entries": {"k": {"digest": A, "file": None, "line": None}},
    "unresolved": [{"file": "f", "line": 1, "reason": "r", "key": "k"}],
    "libraries": {"l": {"version": "1", "names": ["l.f"]}},
}


def test_chains_survive_json() -> None:
    manifest = Manifest({"a": Entry(A), "b": Entry(B, via="a"), "c": Entry(A, via="b"), "d": Entry(A, via="b")})

    assert Manifest.from_json(manifest.to_json()).path("d") == ("a", "b", "d")
    assert (
        Manifest.from_json({key: value for key, value in manifest.to_json().items() if key != "libraries"}) == manifest
    )


def broken(path: list[object], value: object) -> object:
    data = json.loads(json.dumps(GOOD))
    place = data
    for step in path[:-1]:
        place = place[step]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ([], "manifest"),
        (broken(["schema"], 99), "schema"),
        (broken(["schema"], True), "schema"),
        (broken(["schema"], KeyError), "manifest.schema"),
        (broken(["more"], 1), "manifest.more"),
        (broken(["entries"], []), "entries"),
        (broken(["entries", "k"], 1), "entries['k']"),
        (broken(["entries", "k", "digest"], A[1:]), "entries['k'].digest"),
        (broken(["entries", "k", "digest"], A.upper()), "entries['k'].digest"),
        (broken(["entries", "k", "digest"], 1), "entries['k'].digest"),
        (broken(["entries", "k", "file"], 1), "entries['k'].file"),
        (broken(["entries", "k", "line"], "1"), "entries['k'].line"),
        (broken(["entries", "k", "end"], "1"), "entries['k'].end"),
        (broken(["entries", "k", "start"], True), "entries['k'].start"),
        (broken(["entries", "k", "via"], 1), "entries['k'].via"),
        (broken(["entries", "k", "via"], "k"), "entries['k'].via"),
        (broken(["entries", "k", "via"], "nowhere"), "entries['k'].via"),
        (broken(["entries", "k", "more"], 1), "entries['k'].more"),
        (broken(["libraries"], []), "libraries"),
        (broken(["libraries", "l"], {"version": 1, "names": []}), "libraries['l'].version"),
        (broken(["libraries", "l"], {"version": "1", "names": "a"}), "libraries['l'].names"),
        (broken(["libraries", "l"], {"version": "1", "names": [1]}), "libraries['l'].names"),
        (broken(["unresolved"], {}), "unresolved"),
        (broken(["unresolved", 0], 1), "unresolved[0]"),
        (broken(["unresolved", 0, "reason"], 1), "unresolved[0].reason"),
        (broken(["unresolved", 0, "key"], 1), "unresolved[0].key"),
        (broken(["unresolved", 0, "file"], 1), "unresolved[0].file"),
        (broken(["unresolved", 0, "line"], True), "unresolved[0].line"),
    ],
)
def test_an_error_names_the_field(data: object, field: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_json(data)

    assert caught.value.field == field
    assert str(caught.value).endswith(f" @ {field}")


def test_only_callables_have_fingerprints() -> None:
    with pytest.raises(NotCallableError, match="not a int") as caught:
        fingerprint(3)  # type: ignore[arg-type]

    assert isinstance(caught.value, FingerprintError)


def test_unresolved_is_the_manifests_own() -> None:
    def asks(name: str) -> object:
        return eval(name)

    assert unresolved(asks) == fingerprint(asks).unresolved
    assert [edge.reason for edge in unresolved(asks)] == ["this runs text as code with `eval`"]
