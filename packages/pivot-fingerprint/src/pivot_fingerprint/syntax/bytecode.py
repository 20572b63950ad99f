"""Canonical form of code without source, from its instructions: constants, names and operators in order.

Differences between versions of Python do not count, such as moves of values and combined instructions.
"""

import dis
import inspect
import re
from collections.abc import Iterator
from types import CodeType

from xxhash import xxh3_128_digest

from pivot_fingerprint.syntax.form import Form, Ref, Refs, add_ref, scalar, sorted_refs

_FLAGS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_NAMED = re.compile("(LOAD|STORE|DELETE|IMPORT)_(?!CONST|SMALL)")


def bytecode_form(code: CodeType) -> Form:
    """The form of a code object, including all code objects in it."""
    refs: Refs = {}
    text = " ".join(_words(code, refs))
    return Form(xxh3_128_digest(text.encode("utf-8", "surrogatepass")), b"", sorted_refs(refs), ())


def _words(code: CodeType, refs: Refs) -> Iterator[str]:
    arguments = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    arguments += bool(code.co_flags & inspect.CO_VARKEYWORDS)
    counts = (code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount, code.co_flags & _FLAGS)
    yield f"{code.co_name}{counts}{code.co_varnames[:arguments]}"
    chain: list[str] = []
    for each in dis.get_instructions(code):
        name, value = each.opname, each.argval
        if chain and name not in {"LOAD_ATTR", "PUSH_NULL"}:
            add_ref(refs, Ref(chain[0], tuple(chain[1:]), 0, weak=True))
            chain = []
        if name in _GLOBAL:
            chain = [str(value)]
        elif name == "LOAD_ATTR" and chain:
            chain.append(str(value))
        yield from _instruction(name, value, each.argrepr, refs)


def _instruction(name: str, value: object, text: str, refs: Refs) -> Iterator[str]:
    if isinstance(value, CodeType):
        yield from _words(value, refs)
    elif name.endswith("_CONST") or name == "LOAD_SMALL_INT":
        yield _constant(value)
    elif _NAMED.match(name):
        yield f"{name.partition('_')[0]} {','.join(value) if isinstance(value, tuple) else value}"
    elif name == "BINARY_SUBSCR":
        yield "[]"
    elif name == "COMPARE_OP":
        yield text.removeprefix("bool(").removesuffix(")")
    elif name == "BINARY_OP" or name.startswith(("UNARY_", "CALL_INTRINSIC")):
        yield text or name
    elif name in {"IS_OP", "CONTAINS_OP"} or name.startswith(("CALL", "POP_JUMP_IF")):
        yield f"{name} {value if name[0] != 'P' else ''}"


def _constant(value: object) -> str:
    if isinstance(value, tuple | frozenset):
        inside = [_constant(each) for each in value]
        return f"{type(value).__name__}({' '.join(inside if isinstance(value, tuple) else sorted(inside))})"
    return scalar(value)
