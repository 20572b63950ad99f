"""Commands in processes that are forked from one which has imported Pivot, so that none of them imports it again."""

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pathlib
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

DEADLINE = 600
KEPT = ("repro", "status")
"""Commands whose answers are kept."""
_WITH_S3 = b"run s3"


class Commands:
    """The process from which commands are forked; it ends with this one."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            words = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        atexit.register(self.close)

    def run(self, arguments: tuple[str, ...], where: pathlib.Path, environ: dict[str, str]) -> tuple[int, str, str]:
        """The exit code and the output of a command."""
        umask = os.umask(0)
        os.umask(umask)
        with tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request.write(json.dumps([arguments, str(where), environ, umask]).encode())
            request.flush()
            message = _WITH_S3 if "AWS_ENDPOINT_URL" in environ else b"run"
            socket.send_fds(self._line, [message], [each.fileno() for each in (request, out, err)])
            status = self._line.recv(8)
            assert status, "the process that forks commands has ended"
            out.seek(0)
            err.seek(0)
            return int.from_bytes(status, signed=True), out.read().decode(), err.read().decode()

    def close(self) -> None:
        self._line.close()
        self._process.wait()


@functools.cache
def commands() -> Commands:
    """One process for all tests of this one."""
    return Commands()


def serve(line: socket.socket) -> None:
    """Fork a command for each request, and wait for it."""
    from pivot_cli.main import _initial_state  # lazy: before all else that a command imports

    beginning = _initial_state()
    hosts = _modules_of_hosts()
    _import_all()
    _begin_hosts_with(hosts)
    while True:
        message, fds, _, _ = socket.recv_fds(line, 8, 3)
        if not message:
            return
        if message == _WITH_S3:
            _import_s3()
        request, out, err = fds
        pid = os.fork()
        if pid == 0:
            line.close()
            _command(request, out, err, beginning)
        for fd in fds:
            os.close(fd)
        line.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]).to_bytes(8, signed=True))


def _modules_of_hosts() -> frozenset[str]:
    """Import what a host begins with that was forked early; returns the names of all modules then."""
    from pivot_runtime.processes import early_fork  # lazy

    for name in (early_fork._HOST, *early_fork._SHARED):
        importlib.import_module(name)
    importlib.import_module(early_fork._HOST).prepare()
    return frozenset(sys.modules)


def _begin_hosts_with(modules: frozenset[str]) -> None:
    """Let hosts begin with these modules of Pivot only: each records all names in them before user code."""
    from pivot_runtime.processes import clean_fork, early_fork  # lazy

    serve, forks = clean_fork.serve, _interpreter_forks()

    def remove_others() -> None:
        for name in [name for name in sys.modules if name.startswith("pivot_") and name not in modules]:
            clean_fork._kept.append(sys.modules.pop(name))

    def fork_interpreters(line: socket.socket, other_end: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            other_end.close()
            remove_others()
            forks.serve(line)
            os._exit(0)
        return pid

    def serve_with_these(module: str, coordinator: int, **options: Any) -> None:
        if module == early_fork._HOST:
            remove_others()
        of_workers = module == "pivot_runtime.cluster.backend_process"  # in the tests' own executor they run there
        with forks.forked_interpreters(fork_interpreters) if of_workers else contextlib.nullcontext():
            serve(module, coordinator, **options)

    clean_fork.serve = serve_with_these


def _interpreter_forks() -> Any:
    """The module beside the `conftest.py` of all tests."""
    name = "interpreter_forks"
    sys.path.append(str(next(each for each in pathlib.Path(__file__).parents if (each / f"{name}.py").exists())))
    module = importlib.import_module(name)
    sys.path.pop()
    return module


def _import_modules(*packages: str) -> None:
    for name in packages:
        package = importlib.import_module(name)
        for each in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not each.name.startswith("pivot_cache.testing") and not each.name.endswith("__main__"):
                importlib.import_module(each.name)


def _import_all() -> None:
    _import_modules("pivot_cli", "pivot_runtime", "pivot_cache")
    for name in ("sqlite3", "encodings.ascii"):
        importlib.import_module(name)
    _share_memory()


@functools.cache
def _import_s3() -> None:
    """Import the SDK and read its models, which takes longer than most commands; see the tests' `conftest.py`."""
    from aiobotocore import httpsession  # lazy
    from botocore.loaders import JSONFileLoader, Loader  # lazy

    from pivot_remote_s3 import S3Location, S3Settings  # lazy
    from pivot_remote_s3.client.sdk_client import open_client  # lazy

    read = functools.cache(JSONFileLoader().load_file)
    services = functools.cache(Loader().list_available_services)
    JSONFileLoader.load_file = lambda _, file: read(file)
    Loader.list_available_services = lambda _, type_name: services(type_name)
    httpsession.get_cert_path = lambda verify: None if verify is True else verify
    nobody = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "nobody")
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    os.environ.update(nobody | files)  # each command has an environment of its own

    async def begin() -> None:
        async with open_client(S3Location("bucket"), S3Settings(endpoint="http://127.0.0.1:9", region="us-east-1"), 1):
            pass

    asyncio.run(begin())
    _import_modules("pivot_remote_s3")
    _share_memory()


def _share_memory() -> None:
    """Keep processes that are forked from copying memory for reference counts, and for collections."""
    from pivot_runtime.processes import immortal  # lazy

    modules = list(sys.modules.values())
    immortal.make_immortal([*modules, *(value for module in modules for value in vars(module).values())])
    gc.freeze()


def _command(request: int, out: int, err: int, beginning: Any) -> NoReturn:
    from pivot_cli import app, main  # lazy
    from pivot_runtime.freshness import noop_cache  # lazy
    from pivot_runtime.processes import clean_fork  # lazy

    code = 1
    try:
        began = time.monotonic_ns()
        signal.alarm(DEADLINE)
        with open(request, "rb") as file:
            file.seek(0)
            arguments, where, environ, umask = json.load(file)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        for name, fd in (("stdout", 1), ("stderr", 2)):
            stream = open(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        os.umask(umask)
        os.chdir(where)
        os.environ.clear()
        os.environ.update(environ)
        beginning = _with_path(beginning, environ.get("PYTHONPATH", ""))
        _fork_backends(beginning)
        sys.argv[:] = ["pivot", *arguments]
        with _errors_of_warnings():
            known = noop_cache.find(arguments, os.environ, began, main.git_tracks) if arguments[0] in KEPT else None
            if known is None:
                code = app.run(arguments, beginning, began / 1e9)
            else:
                code = known.code
                sys.stdout.write(known.out)
                sys.stderr.write(known.err)
    finally:
        clean_fork.end(code)


def _with_path(beginning: Any, extra: str) -> Any:
    """The state of an interpreter that begins with these directories on its path as well; they are on ours then."""
    if not extra:
        return beginning
    modules, path, thresholds = beginning
    directories = extra.split(os.pathsep)
    sys.path[1:1] = directories
    return modules, (*directories, *path), thresholds


def _fork_backends(beginning: Any) -> None:
    """Let the process that talks to a cluster be forked as well, which otherwise is a new interpreter."""
    from pivot_runtime.processes.startup_state import StartupState  # lazy

    client: Any = importlib.import_module("pivot_runtime.cluster.backend_client")
    begin, state = client.begin_process, StartupState(*beginning)
    client.begin_process = lambda *args, **options: begin(*args, **options | {"startup_state": state})


@contextlib.contextmanager
def _errors_of_warnings() -> Iterator[None]:
    """A warning of the command is an error; user code, which other processes run, does not notice."""
    usual, command = list(warnings.filters), os.getpid()

    def restore() -> None:
        if os.getppid() == command:
            warnings.filters[:] = usual  # type: ignore[index]

    os.register_at_fork(after_in_child=restore)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as line:
        serve(line)
