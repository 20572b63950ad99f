"""The walk from a function to everything that it rests on, as one queue: no depth is too deep."""

import os
import types
from collections.abc import Callable, Mapping
from functools import partial

from pivot_fingerprint._drafts import CodeTask, Draft, Drafts
from pivot_fingerprint._errors import NotCallableError
from pivot_fingerprint._manifest import Manifest, Unresolved
from pivot_fingerprint._modules import Modules
from pivot_fingerprint._plain import familiar, take_apart
from pivot_fingerprint._resolve import Resolver
from pivot_fingerprint._usercode import default_is_user_code, remembered
from pivot_fingerprint._values import Encoder, Parts, UnencodableError

_WRAPPERS = 1000


def fingerprint(
    func: Callable[..., object],
    *,
    is_user_code: Callable[[str], bool] | None = None,
    root: str | os.PathLike[str] | None = None,
    values: Mapping[str, object] | None = None,
) -> Manifest:
    """Everything that a function rests on: code and values, each as an entry with a digest.

    The same code and values give the same manifest in every process, on every machine and in every
    checkout. Nothing is imported and no user code is run, except what `pickle` would call to see the
    state of a library's object.

    Args:
        func: a function, method, class, partial or instance that can be called.
        is_user_code: whether the file of this name is to be followed; others count by name.
            Default: every file outside the standard library and the installed packages.
        root: the directory to which `Entry.file` is relative; default: where the module came from.
        values: further values that the function rests on; each is an entry under its own key.

    Raises:
        NotCallableError: `func` cannot be called.
    """
    if not callable(func):
        raise NotCallableError(func)
    walk = _Walk(is_user_code or default_is_user_code, os.fspath(root) if root is not None else None)
    walk.start(func)
    for key, value in sorted((values or {}).items(), key=lambda item: item[0]):
        walk.add(key, value)
    return walk.finish()


def unresolved(
    func: Callable[..., object],
    *,
    is_user_code: Callable[[str], bool] | None = None,
    root: str | os.PathLike[str] | None = None,
    values: Mapping[str, object] | None = None,
) -> tuple[Unresolved, ...]:
    """What cannot be followed from here: `fingerprint(...).unresolved`."""
    return fingerprint(func, is_user_code=is_user_code, root=root, values=values).unresolved


class _Walk:
    def __init__(self, is_user_code: Callable[[str], bool], root: str | None) -> None:
        self._drafts = Drafts()
        self._modules = Modules(remembered(is_user_code), root)
        self._resolver = Resolver(self._drafts, self._modules)
        self._code = self._resolver.code
        self._encoder = Encoder(self._take_apart, self._modules.portable, self._drafts.report)

    def start(self, func: Callable[..., object]) -> None:
        """Queue the function itself: a plain one is its own entry, others have an entry that holds them."""
        inner = _innermost(func)
        file = line = None
        if isinstance(inner, types.FunctionType):
            module = self._modules.of_namespace(inner.__globals__)
            self._modules.adopt_base(module)
            file, line = module.shown, inner.__code__.co_firstlineno
        parts = self._code.describe(func)
        if parts is not None and not parts.children and ":" in parts.tag.partition(" ")[0]:
            return
        name = getattr(func, "__qualname__", None) or getattr(inner, "__qualname__", "callable")
        home = getattr(func, "__module__", None) or getattr(inner, "__module__", None) or "builtins"
        draft, _ = self._drafts.open(f"call:{home}:{name}", ("call", id(func)), (file, line))
        self._value(draft, "value", func)

    def add(self, key: str, value: object) -> None:
        """Queue a further value under its own key."""
        draft, _ = self._drafts.open(key, ("given", key), (None, None))
        self._value(draft, "value", value)

    def finish(self) -> Manifest:
        """Do all that is queued, and all that this brings along."""
        queue = self._drafts.queue
        while queue:
            task = queue.popleft()
            if isinstance(task, CodeTask):
                self._drafts.current = task.draft
                task.draft.lines.append(f"form {task.form.digest.hex()}")
                task.draft.docs.append(f"docs {task.form.docs.hex()}")
                task.draft.lines += self._resolver.bind(task.module, task.form, lenient=task.lenient)
            else:
                self._value(task.draft, task.label, task.value)
        return self._drafts.manifest()

    def _value(self, draft: Draft, label: str, value: object) -> None:
        self._drafts.current = draft
        draft.lines.append(f"{label} {self._encoder.encode(value)}")

    def _take_apart(self, value: object) -> Parts:
        try:
            parts = familiar(value) or self._code.describe(value)
            if parts is not None:
                return parts
            return take_apart(value, owned=self._code.owns(type(value)))
        except UnencodableError:
            raise
        except Exception as error:  # whatever a user's or a library's object does when it is looked at
            kind = type(value)
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise UnencodableError(f"a value of type {name} cannot be looked at: {type(error).__name__}") from error


def _innermost(func: object) -> object:
    """The function or class behind wrappers, partials and methods: it gives the entry its name and place."""
    for _ in range(_WRAPPERS):
        if isinstance(func, types.FunctionType | type):
            return func
        if isinstance(func, partial):
            func = func.func
        elif isinstance(func, types.MethodType):
            func = func.__func__
        else:
            func = getattr(func, "__dict__", {}).get("__wrapped__") or type(func)
    return type(func)
