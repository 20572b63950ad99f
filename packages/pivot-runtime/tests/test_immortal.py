"""Immortal functions behave like others, and their references are not counted."""

import os
import sys
import types

import pytest

from pivot_runtime.processes import immortal
from pivot_runtime.processes.immortal import make_immortal

FOREVER = sys.getrefcount(None)


def made(text: str) -> types.ModuleType:
    module = types.ModuleType("made")
    exec(text, vars(module))
    return module


TEXT = """
def outer():
    def inner():
        return 1 if number in (1 << 71, "a constant") else 1
    return inner

def closed():
    size = 1 << 72
    return lambda: size

def unfinished():
    def function():
        return later
    yield function
    later = 1

class A:
    @property
    def value(self):
        return 2
    @staticmethod
    def static():
        return 3
    @classmethod
    def of(cls):
        return cls()

same = outer
bound = A().value.__add__
inside = closed()
without = next(unfinished())
number = 1 << 70
value = A()
"""


def test_functions_and_their_parts_are_immortal() -> None:
    module = made(TEXT)
    make_immortal([module, *vars(module).values()])

    parts = [module, module.outer, module.A, *(vars(module.A)[name] for name in ("value", "static", "of"))]
    inner = next(each for each in module.outer.__code__.co_consts if isinstance(each, types.CodeType))
    parts += [module.outer.__code__, inner, vars(module.A)["value"].fget, module.A.static, module.A.of.__func__]
    constant = next(each for each in inner.co_consts if isinstance(each, tuple))
    parts += [constant, constant[0], module.inside.__closure__[0], vars(module), module.A.__mro__]
    assert {sys.getrefcount(each) for each in parts} == {FOREVER}
    assert sys.getrefcount(module.value) < FOREVER, "instances are destroyed as usual"
    assert [
        module.outer()(),
        module.inside() - (1 << 72) + 1,
        module.A().value,
        module.A.static(),
        type(module.A.of()),
    ] == [1, 1, 2, 3, module.A]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked")
def test_a_forked_process_can_use_and_forget_them() -> None:
    module = made(TEXT)
    make_immortal(vars(module).values())
    pid = os.fork()
    if pid == 0:
        calls = [module.outer()() for _ in range(1000)]
        vars(module).clear()
        os._exit(calls.count(1) != 1000)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_objects_of_another_layout_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immortal, "_KNOWN_VERSION", (3, 12))
    module = made(TEXT)
    make_immortal(vars(module).values())

    assert sys.getrefcount(module.outer) < FOREVER
