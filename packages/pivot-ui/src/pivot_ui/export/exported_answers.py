"""The questions that an exported page asks, with their answers."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pivot_core.errors import PivotError
from pivot_runtime.comparing.revisions import WORKSPACE
from pivot_ui.api.query import Query
from pivot_ui.api.routes import READERS
from pivot_ui.project import ProjectService

__all__ = ["AnsweredQuestion", "Question", "answers", "compared_sides", "key_of"]

_RUNS: Final = 50
"""The page asks for as many at once."""
_ENTRIES: Final = 20
"""Of each directory, that many files have a preview."""
_UNQUOTED: Final = "!'()*"
"""Characters that `encodeURIComponent` of the page leaves as they are, beside those that Python does."""

type Parameters = Mapping[str, str | int]


class Question(NamedTuple):
    """A question.

    Attributes:
        name: Its name in `pivot_ui.api.routes`.
        parameters: Its parameters.
    """

    name: str
    parameters: Parameters = MappingProxyType({})


class AnsweredQuestion(NamedTuple):
    """A question with its answer.

    Attributes:
        key: The question as the page asks it.
        found: Plain data, or `pivot_ui.api.query.MediaAnswer`; None if there is no answer.
        total: How many questions there are, as far as known.
    """

    key: str
    found: Any
    total: int


def key_of(question: Question) -> str:
    """Return what the page calls an answer: the name and the parameters, in the order of their names."""
    given = sorted(question.parameters.items())
    query = "&".join(f"{quote(name, _UNQUOTED)}={quote(str(value), _UNQUOTED)}" for name, value in given)
    return f"{question.name}?{query}" if query else question.name


def answers(service: ProjectService) -> Iterator[AnsweredQuestion]:
    """Return the answers to all questions, except those that would begin with a choice in the page."""
    first = [Question("graph"), Question("runs", {"limit": _RUNS}), Question("revisions")]
    known = [_answer(service, question) for question in first]
    later = list(_questions(*(found or {} for found in known)))
    total = len(first) + len(later)
    yield from (AnsweredQuestion(key_of(each), found, total) for each, found in zip(first, known, strict=True))
    for question in later:
        yield from _followed(service, question, total)


def _followed(service: ProjectService, question: Question, total: int) -> Iterator[AnsweredQuestion]:
    found = _answer(service, question)
    yield AnsweredQuestion(key_of(question), found, total)
    for follower in _followers(question, found):
        yield from _followed(service, follower, total)


def _answer(service: ProjectService, question: Question) -> Any:
    try:
        return READERS[question.name](service, Query({name: str(each) for name, each in question.parameters.items()}))
    except PivotError:
        return None  # the page says that it is not there, as for all that was not exported


def _questions(graph: Mapping[str, Any], runs: Mapping[str, Any], revisions: Mapping[str, Any]) -> Iterator[Question]:
    yield from map(Question, ("project", "status", "results", "plots"))
    listed = runs.get("runs", ())
    yield from (Question("run", {"number": run["run"]}) for run in listed)
    if sides := compared_sides(listed, commits=bool(revisions.get("commits"))):
        yield Question("compare", sides)
    for stage in graph.get("stages", ()):
        yield Question("stage", {"address": stage["address"]})
        yield Question("log", {"address": stage["address"]})
    yield from (Question("preview", {"path": each["path"]}) for each in graph.get("artifacts", ()))


def compared_sides(runs: Sequence[Mapping[str, Any]], *, commits: bool) -> Parameters | None:
    """Return what the page compares unless somebody chooses: it knows the same rule."""
    if commits:
        return {"left": "HEAD", "right": WORKSPACE}
    numbers = [run["run"] for run in runs if all(stage["combination"] is None for stage in run["stages"])]
    if len(numbers) > 1:
        return {"left": f"run:{numbers[1]}", "right": f"run:{numbers[0]}"}
    return {"left": f"run:{numbers[0]}", "right": WORKSPACE} if numbers else None


def _followers(question: Question, found: Any) -> Iterator[Question]:
    """Return the questions to which an answer leads: the bytes of an image, and the files in a directory."""
    if question.name != "preview" or found is None:
        return
    if found["kind"] == "image":
        yield Question("content", question.parameters)
    elif found["kind"] == "directory" and "inside" not in question.parameters:
        names = [entry["name"] for entry in found["entries"][:_ENTRIES]]
        yield from (Question("preview", {**question.parameters, "inside": name}) for name in names)
