"""Facts about the code and the commands of an observed program; executed before `program_observer`, see there."""

import os
import sys

TYPE_CHECKING = False  # without an import of `typing`
if TYPE_CHECKING:
    from typing import Any

_getframe = sys._getframe
_fsdecode = os.fsdecode
_Code = type(os.path.realpath.__code__)
BOOT = sys.modules["_frozen_importlib"].__dict__
"""The namespace of the code that runs the body of an imported module."""
_MAINS = ("__main__", "__mp_main__")


def frame_at(depth: int) -> "Any":
    """A frame of the program, as `sys._getframe`; None for the interpreter itself."""
    try:
        return _getframe(depth)
    except ValueError:
        return None


def reader_name(frame: "Any") -> object:
    """The name of the module that opens a file, also by `Path.read_bytes()`."""
    while frame is not None and frame.f_globals.get("__name__") in ("pathlib", "pathlib._local", "pathlib._abc"):
        frame = frame.f_back
    return None if frame is None else frame.f_globals.get("__name__")


def nested_codes(code: "Any") -> "list[Any]":
    """A code object with those of all functions and classes in it."""
    found = [code]
    for each in found:
        found += [constant for constant in each.co_consts if type(constant) is _Code]
    return found


def namespace_of(frame: "Any", filename: str) -> "dict[str, Any]":
    """The namespace in which the code of a module is executed."""
    if frame is None:
        return sys.modules["__main__"].__dict__
    local = frame.f_locals
    known: Any = local["args"][1] if frame.f_globals is BOOT else local.get("run_globals")
    return {"__name__": stem(filename)} if known is None else dict(known)


def importing_module(frame: "Any") -> str:
    """The innermost module whose import alone called this; empty if there is none."""
    while frame is not None:
        caller = frame.f_back
        if caller is not None and caller.f_globals is BOOT and frame.f_code.co_name == "<module>":
            return str(frame.f_globals.get("__name__", ""))
        frame = caller
    return ""


def module_name(namespace: "dict[str, Any]", filename: str) -> str:
    """The name that manifests use for the module of some globals."""
    name = namespace.get("__name__")
    if isinstance(name, str) and name and name not in _MAINS and name[0] != "<":
        return name
    spec = getattr(namespace.get("__spec__"), "name", None)
    if isinstance(spec, str) and spec not in _MAINS:
        return spec.removesuffix(".__main__")
    return stem(filename)


def stem(filename: str) -> str:
    """The name of a file without its suffix."""
    return os.path.splitext(os.path.basename(filename))[0]


def system_places() -> "list[str]":
    """Directories of installed programs and libraries."""
    kinds = ("lib", "lib64", "libexec", "share", "bin", "sbin")
    return [prefix.rstrip("/") + "/" + kind + "/" for prefix in (sys.prefix, sys.base_prefix) for kind in kinds]


def command_words(command: "Any") -> "list[str]":
    """The words of a command, or its single text."""
    every = command if isinstance(command, (list, tuple)) else [command]
    return [_fsdecode(each) for each in every if isinstance(each, (str, bytes, os.PathLike))]


def starts_python(words: "list[str]") -> bool:
    """Whether a command seems to start Python."""
    text = " ".join(words)
    return "python" in text or ".py" in text or sys.executable in words


def ignores_start_file(words: "list[str]") -> bool:
    """Whether a command has options with which Python ignores its environment or runs no start file."""
    return any(word[:1] == "-" and word[1:].isalpha() and any(flag in word for flag in "EIS") for word in words)


def kernel_places() -> "list[str]":
    """The directories with the libraries of the kernel of a notebook, if this is one: they read many variables."""
    if "ipykernel_launcher" not in getattr(sys, "orig_argv", ()):
        return []
    return [each + "/" for each in sys.path if each.endswith(("/site-packages", "/dist-packages"))]


def passed_variables(assigned: "Any", words: "list[str]", env: "Any") -> "list[tuple[str, str]]":
    """Of some variables, those that a command names, and those that a program other than Python gets."""
    found = []
    for name in sorted(assigned):
        if env is not None and name not in env and name.encode() not in env:
            continue
        if any(word == name or "$" + name in word or "${" + name in word for word in words):
            found.append(("v", name))
        elif not starts_python(words):
            found.append(("u", (words[0].split(" ")[0] if words else "a program") + "\0" + name))
    return found


def with_place(env: "dict[Any, Any]", place: str) -> "dict[Any, Any]":
    """An environment of a program with the start file in it, which is changed."""
    text = any(isinstance(name, str) for name in env)
    name: Any = "PYTHONPATH" if text else b"PYTHONPATH"
    before = env.get(name)
    value = place + "/" + os.pathsep + _fsdecode(before) if before else place + "/"
    env[name] = value if text else os.fsencode(value)
    return env


def has_place(env: "Any", place: str) -> bool:
    """Whether an environment of a program has the start file in it."""
    items = list(dict(env).items()) if env is not None else []
    return any(_fsdecode(name) == "PYTHONPATH" and place in _fsdecode(value) for name, value in items)


def json_text(text: str) -> str:
    """A text as JSON; the module for that is the program's to import."""
    out = []
    for char in text:
        number = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= number < 127:  # noqa: PLR2004
            out.append(char)
        elif number > 0xFFFF:  # noqa: PLR2004
            number -= 0x10000
            out.append("\\u%04x\\u%04x" % (0xD800 + (number >> 10), 0xDC00 + (number & 0x3FF)))
        else:
            out.append("\\u%04x" % number)
    return '"' + "".join(out) + '"'
