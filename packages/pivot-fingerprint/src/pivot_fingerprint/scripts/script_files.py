"""The source files of programs, each read once."""

import os
from collections.abc import Callable

from pivot_fingerprint.disk import Disk, Listener, real_path
from pivot_fingerprint.scripts.module_facts import ModuleFacts, facts_of
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.sources.modules import import_base
from pivot_fingerprint.user_code import Predicate, cached, default_is_user_code

__pivot_module__ = "pivot_fingerprint"


class ScriptFiles:
    """The source files of the programs of one fingerprint, each read once."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        is_user_code: Callable[[str], bool] | None = None,
        memo: Memo | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.root = real_path(os.fspath(root))
        self.disk = Disk(listener)
        self._memo = memo
        self.is_user_code: Predicate = cached(is_user_code or default_is_user_code)
        self.used: set[str] = set()
        self._facts: dict[str, ModuleFacts | None] = {}
        self._shown: dict[str, str] = {}

    def facts(self, file: str) -> ModuleFacts | None:
        """The facts about a source file; None if it cannot be read, or is not Python."""
        self.used.add(file)
        if file not in self._facts:
            content = self.disk.read(file, keep=True)
            self._facts[file] = None if content is None else facts_of(content, self._memo)
        return self._facts[file]

    def facts_of_text(self, text: str) -> ModuleFacts | None:
        """The facts about the text of a program."""
        return facts_of(text.encode("utf-8", "surrogateescape"), self._memo)

    def shown(self, file: str, module: str) -> str:
        """The path of a file in entries."""
        if file not in self._shown:
            self._shown[file] = self._relative(file, module)
        return self._shown[file]

    def _relative(self, file: str, module: str) -> str:
        real = real_path(file)
        if real.startswith(os.path.join(self.root, "")):
            return os.path.relpath(real, self.root).replace(os.sep, "/")
        base = import_base(file, module)
        return os.path.relpath(file, base).replace(os.sep, "/") if base else os.path.basename(file)
