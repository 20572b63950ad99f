"""Checks that a GitHub workflow or action is valid, as far as ours use it; stricter than GitHub where ours should be.

The checks are a part of those of actionlint: keys, events, permissions, jobs and their order, steps, the inputs of
the actions that are called, shells, and every expression: its syntax, the contexts that are there at that place, and
that each input, step and output that is named is there too.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

EVENTS: Final[Mapping[str, set[str]]] = {
    "push": {"branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"},
    "pull_request": {"branches", "branches-ignore", "paths", "paths-ignore", "types"},
    "workflow_dispatch": {"inputs"},
    "schedule": set(),
}
PERMISSIONS: Final = {"actions", "checks", "contents", "id-token", "issues", "packages", "pull-requests", "statuses"}
RUNNERS: Final = re.compile(r"(ubuntu|macos|windows)-(latest|\d+(\.\d+)?)")
SHELLS: Final = {"bash", "sh", "pwsh", "python"}
ACTIONS: Final[Mapping[str, set[str]]] = {
    "actions/checkout@v4": {"repository", "ref", "token", "path", "clean", "fetch-depth", "lfs", "persist-credentials"},
    "actions/setup-python@v5": {"python-version", "python-version-file", "cache", "architecture", "check-latest"},
    "actions/upload-artifact@v4": {"name", "path", "if-no-files-found", "retention-days", "overwrite"},
    "astral-sh/setup-uv@v6": {"version", "python-version", "enable-cache", "cache-dependency-glob"},
}
"""The actions that we call, by version, and their inputs."""

WORKFLOW: Final = {"name", "on", "permissions", "concurrency", "env", "defaults", "jobs"}
JOB: Final = {"name", "if", "needs", "runs-on", "permissions", "concurrency", "timeout-minutes", "env", "steps"}
STEP: Final = {"name", "id", "if", "uses", "with", "run", "env", "shell", "working-directory", "timeout-minutes"}
IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w-]*")

GITHUB: Final = {
    "actor",
    "base_ref",
    "event",
    "event_name",
    "head_ref",
    "ref",
    "ref_name",
    "repository",
    "run_id",
    "sha",
}
FUNCTIONS: Final = {"contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "hashFiles"}
STATUS: Final = {"success", "always", "failure", "cancelled"}
TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||[=!<>]=|[!<>().,\[\]*]))"
)


class InvalidError(Exception):
    """It is none."""


def _demand(good: object, problem: str) -> None:
    if not good:
        raise InvalidError(problem)


class Expression:
    """One expression, parsed as GitHub does it."""

    def __init__(self, text: str) -> None:
        self.names: list[tuple[str, ...]] = []
        self.calls: list[str] = []
        self._text = text
        self._tokens = list(self._split(text))
        self._either()
        _demand(not self._tokens, f"what is {self._tokens[:1]} in {text!r}?")

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise InvalidError(f"{text[at:]!r} is no expression")
            yield found.lastgroup, found[found.lastgroup]
            at = found.end()

    def _next(self) -> tuple[str, str]:
        _demand(self._tokens, f"{self._text!r} ends too early")
        return self._tokens.pop(0)

    def _takes(self, *signs: str) -> bool:
        if self._tokens and self._tokens[0][0] == "sign" and self._tokens[0][1] in signs:
            self._tokens.pop(0)
            return True
        return False

    def _either(self) -> None:
        self._value()
        while self._takes("&&", "||", "==", "!=", "<", ">", "<=", ">="):
            self._value()

    def _value(self) -> None:
        if self._takes("!"):
            self._value()
        elif self._takes("("):
            self._either()
            _demand(self._takes(")"), f"a parenthesis is open in {self._text!r}")
        else:
            kind, token = self._next()
            _demand(kind != "sign", f"{token!r} stands for no value in {self._text!r}")
            if kind == "name" and token not in ("true", "false", "null"):
                self._name(token)

    def _name(self, first: str) -> None:
        if self._takes("("):
            self.calls.append(first)
            while not self._takes(")"):
                self._either()
                self._takes(",")
            return
        parts = [first]
        while self._takes("."):
            parts.append(self._next()[1])
        self.names.append(tuple(parts))


class Scope:
    """The names that an expression may use at one place."""

    def __init__(self, contexts: set[str], inputs: set[str], *, status: bool = False) -> None:
        self.contexts = contexts
        self.inputs = inputs
        self.steps: dict[str, bool] = {}
        self.status = status

    def check(self, text: str) -> None:
        """An expression without its braces."""
        expression = Expression(text)
        for call in expression.calls:
            _demand(call in FUNCTIONS or (self.status and call in STATUS), f"there is no function {call}()")
        for name in expression.names:
            _demand(name[0] in self.contexts, f"there is no {name[0]!r} here, in {text!r}")
            _demand(name[0] != "github" or name[1] in GITHUB, f"github has no {name[1:]}")
            _demand(name[0] != "inputs" or name[1] in self.inputs, f"there is no input {name[1:]}")
            if name[0] == "steps":
                _demand(name[1] in self.steps, f"no step before has the id {name[1]!r}")
                _demand(name[2] in ("outputs", "outcome", "conclusion"), f"a step has no {name[2]!r}")

    def check_all(self, said: object) -> None:
        """The expressions in all texts of a value."""
        if isinstance(said, Mapping):
            for key, value in said.items():
                _demand("${{" not in key, "a key is no expression")
                self.check_all(value)
        elif isinstance(said, Sequence) and not isinstance(said, str):
            for each in said:
                self.check_all(each)
        elif isinstance(said, str):
            for inner in re.findall(r"\$\{\{(.*?)\}\}", said):
                self.check(inner)
            rest = re.sub(r"\$\{\{.*?\}\}", "", said)
            _demand("${{" not in rest and "}}" not in rest, f"braces are open in {said!r}")


def _keys(said: Mapping[str, Any], known: set[str], where: str) -> None:
    _demand(said.keys() <= known, f"{where} has no {sorted(said.keys() - known)}")


def check_workflow(data: Mapping[str, Any], local: Mapping[str, Mapping[str, Any]]) -> None:
    """A workflow with all its scalars as texts; ``local`` are the actions of the same repository, by path.

    Raises:
        InvalidError: It is none.
    """
    _keys(data, WORKFLOW, "a workflow")
    _demand({"name", "on", "permissions", "jobs"} <= data.keys(), "it says too little")
    _demand(data["on"], "nothing starts it")
    for event, filters in data["on"].items():
        _demand(event in EVENTS, f"there is no event {event!r}, or it is not for us")
        _keys(filters or {}, EVENTS[event], event)
    _permissions(data["permissions"])
    Scope({"github", "inputs", "vars"}, set()).check_all(data.get("concurrency", {}))
    _keys(data.get("concurrency", {}), {"group", "cancel-in-progress"}, "concurrency")
    Scope({"github", "inputs", "vars", "secrets"}, set()).check_all(data.get("env", {}))
    _in_order({name: _needs(job) for name, job in data["jobs"].items()})
    for name, job in data["jobs"].items():
        _demand(IDENTIFIER.fullmatch(name), f"{name!r} is no id of a job")
        _job(job, local)


def _permissions(said: Mapping[str, str]) -> None:
    _keys(said, PERMISSIONS, "permissions")
    _demand(set(said.values()) <= {"read", "write", "none"}, "a permission is read, write or none")


def _needs(job: Mapping[str, Any]) -> list[str]:
    said = job.get("needs", [])
    return [said] if isinstance(said, str) else list(said)


def _in_order(needs: Mapping[str, list[str]]) -> None:
    done: set[str] = set()
    while rest := [name for name in needs if name not in done]:
        ready = [name for name in rest if set(needs[name]) <= done]
        _demand(ready, f"{rest} wait for each other, or for a job that is not there")
        done.update(ready)


def _job(job: Mapping[str, Any], local: Mapping[str, Mapping[str, Any]]) -> None:
    _keys(job, JOB, "a job")
    _demand(RUNNERS.fullmatch(job["runs-on"]), f"there is no runner {job['runs-on']!r}")
    _demand(int(job.get("timeout-minutes", "0")) > 0, "a job has a limit")
    _permissions(job.get("permissions", {}))
    if "if" in job:
        Scope({"github", "needs", "vars"}, set(), status=True).check(_bare(job["if"]))
    Scope({"github", "needs", "vars", "secrets"}, set()).check_all(job.get("env", {}))
    _steps(job["steps"], Scope({"github", "needs", "vars", "secrets", "env", "steps", "runner", "job"}, set()), local)


def check_action(data: Mapping[str, Any]) -> None:
    """A composite action.

    Raises:
        InvalidError: It is none.
    """
    _keys(data, {"name", "description", "author", "inputs", "outputs", "runs", "branding"}, "an action")
    _demand({"name", "description", "runs"} <= data.keys(), "it says too little")
    for said in data.get("inputs", {}).values():
        _keys(said, {"description", "required", "default", "deprecationMessage"}, "an input")
        _demand("description" in said, "an input is described")
        _demand(said.get("required", "false") in ("true", "false"), "an input is required or not")
    _keys(data["runs"], {"using", "steps"}, "runs")
    _demand(data["runs"]["using"] == "composite", "it is made of steps")
    scope = Scope({"github", "inputs", "steps", "env", "runner", "job"}, set(data.get("inputs", {})))
    for step in data["runs"]["steps"]:
        _demand("run" not in step or "shell" in step, "in an action each script has its shell")
    _steps(data["runs"]["steps"], scope, {})
    for said in data.get("outputs", {}).values():
        _demand(said.keys() == {"description", "value"}, "an output has a description and a value")
        scope.check_all(said["value"])


def _steps(steps: Sequence[Mapping[str, Any]], scope: Scope, local: Mapping[str, Mapping[str, Any]]) -> None:
    _demand(steps, "there are no steps")
    for step in steps:
        _keys(step, STEP, "a step")
        _demand(("uses" in step) != ("run" in step), "a step uses an action or runs a script")
        if "uses" in step:
            check_call(step, local)
        else:
            _demand("with" not in step, "a script takes no inputs")
            _script(step)
        if "if" in step:
            scope.status = True
            scope.check(_bare(step["if"]))
            scope.status = False
        scope.check_all({key: value for key, value in step.items() if key not in ("if", "id", "run")})
        if "id" in step:
            _demand(IDENTIFIER.fullmatch(step["id"]), f"{step['id']!r} is no id")
            _demand(step["id"] not in scope.steps, f"two steps have the id {step['id']!r}")
            scope.steps[step["id"]] = True


def check_call(step: Mapping[str, Any], local: Mapping[str, Mapping[str, Any]]) -> None:
    """That an action is there and takes what it is given.

    Raises:
        InvalidError: It does not.
    """
    uses, given = step["uses"], set(step.get("with", {}))
    if uses in local:
        inputs = local[uses].get("inputs", {})
        required = {name for name, said in inputs.items() if said.get("required") == "true" and "default" not in said}
        _demand(given <= inputs.keys(), f"{uses} has no {sorted(given - inputs.keys())}")
        _demand(required <= given, f"{uses} needs {sorted(required - given)}")
        return
    _demand(uses in ACTIONS, f"{uses} is not known")
    _demand(given <= ACTIONS[uses], f"{uses} has no {sorted(given - ACTIONS[uses])}")
    if uses.startswith("actions/checkout@"):
        _demand(step.get("with", {}).get("persist-credentials") == "false", "a checkout leaves no credentials behind")


def _script(step: Mapping[str, Any]) -> None:
    shell = step.get("shell", "bash")
    _demand(shell in SHELLS, f"there is no shell {shell!r}")
    _demand("${{" not in step["run"], "what somebody else may have written is no part of a script")
    if shell == "bash":
        done = subprocess.run(["bash", "-n", "-c", step["run"]], capture_output=True, text=True, check=False)
        _demand(done.returncode == 0, done.stderr)


def _bare(condition: str) -> str:
    found = re.fullmatch(r"\$\{\{(.*)\}\}", condition.strip(), re.DOTALL)
    return condition if found is None else found[1]
