"""Stage runs that are sent to the scheduler together: one message for many costs a third."""

import importlib
import operator
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import attrs
import toolz

from pivot_dask import on_worker

_MOST_BYTES: Final = 4 << 20
_HYPHEN: Final = "\N{NON-BREAKING HYPHEN}"


@attrs.frozen(eq=False)
class Submission:
    """A stage run that is to be sent.

    Attributes:
        number: Its number.
        key: The key of its task in Dask, which begins with its name.
        call: The function that Dask calls on a worker, without arguments.
        size: The bytes of the task.
        resources: The resources that it needs.
        priority: Its priority.
    """

    number: int
    key: str
    call: Callable[[], Any]
    size: int
    resources: Mapping[str, float]
    priority: int


def submission(  # those of `ClusterBackend.submit`
    number: int, task: bytes, *, name: str, resources: Mapping[str, float], priority: int, of_run: Mapping[str, str]
) -> Submission:
    """The submission of a task; ``of_run`` has further arguments of `on_worker.run_stage`.

    Only the name of that travels, so that the scheduler does not need this package.
    """
    call = operator.methodcaller(on_worker.run_stage.__name__, task, number=number, **of_run)
    key = f"{name.replace('-', _HYPHEN)}-{uuid.uuid4().hex}"  # the part before the first hyphen is shown
    run = partial(toolz.compose(call, importlib.import_module), on_worker.__name__)
    return Submission(number, key, run, len(task), dict(resources), priority)


def batches(submissions: Iterable[Submission]) -> Iterator[list[Submission]]:
    """The submissions that can be sent together, in their order: with the same resources and priority."""
    found: dict[object, list[Submission]] = {}
    for each in submissions:
        found.setdefault((frozenset(each.resources.items()), each.priority), []).append(each)
    for alike in found.values():
        batch, size = list[Submission](), 0
        for each in alike:
            if batch and size + each.size > _MOST_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(each)
            size += each.size
        yield batch
