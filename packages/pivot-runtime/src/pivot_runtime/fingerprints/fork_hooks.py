"""Functions of user code that Python calls at each fork, so that a forked process may not be as the import left it."""

import os
import sys
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any, Final, Self

_NAME: Final = "register_at_fork"


class ForkHooks:
    """A context manager around an import; it may be entered once.

    Attributes:
        registered: User code has registered a function.
    """

    def __init__(self, is_user_code: Callable[[str], bool]) -> None:
        """Note nothing outside the block."""
        self.registered = False
        self._is_user_code = is_user_code
        self._original: Any = os.register_at_fork
        self._modules: frozenset[str] = frozenset()

        def register_at_fork(**hooks: Any) -> None:
            self.registered = self.registered or self._is_user_code(sys._getframe(1).f_code.co_filename)  # noqa: SLF001
            self._original(**hooks)

        self._replacement = register_at_fork

    def __enter__(self) -> Self:
        self._modules = frozenset(sys.modules)
        setattr(os, _NAME, self._replacement)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in ("os", *(sys.modules.keys() - self._modules)):
            module = sys.modules.get(name)
            if isinstance(module, ModuleType) and vars(module).get(_NAME) is self._replacement:
                setattr(module, _NAME, self._original)  # also where it was imported by its name
