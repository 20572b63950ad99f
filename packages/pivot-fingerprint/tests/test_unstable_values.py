"""Values that may differ at each import: the digests that stand for them and for their parts."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot_fingerprint import Fingerprinter, NotCallableError, UnstableValues
from pivot_fingerprint.imports.unstable_values import parts_of

PROJECT = """
import uuid
from nodes import ROOT, PLAIN
from settings import NAME

BY = {"root": ROOT, "more": [ROOT, 2], 3: 4}

def unrelated():
    return 1

def made(key=uuid.uuid4().hex):
    return key

def stage():
    return ROOT.name, BY, PLAIN, made()
# file: nodes.py
import uuid
from settings import NAME, OTHER

class Node:
    __slots__ = ("name", "token")
    def __init__(self, name):
        self.name, self.token = name, uuid.uuid4().hex

def build(name):
    return Node(name + suffix())

def suffix():
    return "x"

PLAIN = 5
ROOT = build(NAME)
# file: settings.py
NAME = "root"
OTHER = "other"
"""

type Take = Callable[[str], UnstableValues]


@pytest.fixture
def take(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Take]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = ("pipeline", "nodes", "settings")

    def take(project: str) -> UnstableValues:
        for name in names:
            sys.modules.pop(name, None)
        root = write(project)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(os.fspath(root))
            stage = importlib.import_module("pipeline").stage
            fingerprinter = Fingerprinter(root=root)
            plain = fingerprinter.fingerprint(stage)
            steady = fingerprinter.unstable_values(stage)
            assert fingerprinter.unstable_values(stage) == steady
            assert fingerprinter.fingerprint(stage) == plain
        return UnstableValues({key: digest for key, digest in steady.digests.items() if key in plain}, steady.parts)

    yield take
    for name in names:
        sys.modules.pop(name, None)


def test_the_values_are_left_out(take: Take) -> None:
    one, other = take(PROJECT), take(PROJECT)

    assert one.digests == other.digests
    assert {*one.digests} == {
        "class:nodes:Node",
        "const:nodes:PLAIN",
        "const:nodes:ROOT",
        "const:pipeline:BY",
        "func:pipeline:made",
    }
    differ = {
        key: [path for path in parts if parts[path] != other.parts[key][path]] for key, parts in one.parts.items()
    }
    assert differ["const:nodes:ROOT"] == ["", ".token"]
    assert differ["const:pipeline:BY"] == [
        "", "['root']", "['more']", "['root'].token", "['more'][0]", "['more'][0].token"
    ]  # fmt: skip
    assert differ["const:nodes:PLAIN"] == []


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return 1", "return 2", set()),
        ('OTHER = "other"', 'OTHER = "another"', set()),
        ("PLAIN = 5", "PLAIN = 6", {"const:nodes:PLAIN"}),
        ('NAME = "root"', 'NAME = "top"', {"const:nodes:ROOT", "const:pipeline:BY"}),
        ('return "x"', 'return "y"', {"const:nodes:ROOT", "const:pipeline:BY"}),
        ("name, uuid.uuid4().hex\n", "name, 7\n", {"class:nodes:Node", "const:nodes:ROOT", "const:pipeline:BY"}),
        ("3: 4", "3: 5", {"const:pipeline:BY"}),
        ("key=uuid.uuid4().hex", "key=uuid.uuid1().hex", {"func:pipeline:made"}),
    ],
)
def test_the_code_that_makes_a_value_counts(take: Take, old: str, new: str, changed: set[str]) -> None:
    before = take(PROJECT).digests
    assert old in PROJECT
    now = take(PROJECT.replace(old, new)).digests

    assert {key for key in before if before[key] != now[key]} == changed


def test_only_functions_have_values() -> None:
    with pytest.raises(NotCallableError):
        Fingerprinter().unstable_values(5)  # type: ignore[arg-type]


def test_parts_have_bounds() -> None:
    assert len(parts_of(list(range(1000)), str)) == 21
    assert len(parts_of([[[[[[1]]]]]], str)) == 5
    assert len(parts_of([[[list(range(20))] * 20] * 20], str)) == 200
    assert [*parts_of({"a": 1, 2: 3}, str)] == ["", "['a']"]
    assert [*parts_of(int, str)] == [""]
    assert [*parts_of(Fingerprinter, str)] == [""]
