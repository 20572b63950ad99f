"""`pivot freeze` and `pivot unfreeze`: adds stages to the list of those that do not run, and removes them from it."""

from collections.abc import Iterable

import attrs

from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import EngineError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.loading.assembly import Assembly, LoadOptions, assemble
from pivot_runtime.project.frozen import read_frozen, write_frozen
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.targets import resolve_targets


@attrs.frozen(eq=False, repr=False)
class FreezeResult(Value):
    """The result for each named stage, by displayed name, in graph order.

    Attributes:
        changed: Those that are now frozen, or no longer.
        unchanged: Those that were so before.
        never_run: Those that have no recorded run.
    """

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    never_run: tuple[str, ...] = ()


def freeze(context: CommandContext, targets: Iterable[str], *, report: Reporter = no_report) -> FreezeResult:
    """Freeze stages.

    Args:
        context: The context of the command.
        targets: As in `pivot_runtime.project.targets.resolve_targets`.
        report: Called before waiting for another command.

    Raises:
        PivotError: The pipeline cannot be loaded, a target is unknown, or the list cannot be written.
    """
    layout = context.project.layout
    with guarded(layout.guard_file, "pivot freeze", events.report_waiting(report)):
        assembly = assemble(context, LoadOptions(on_import=report))
        assembly.close()
        wanted = _resolve(context, assembly, targets)
        before = {address for address in wanted if assembly.graph.stages[address].frozen}
        if before != set(wanted):
            write_frozen(layout, read_frozen(layout) | (set(wanted) - before))
        names = assembly.graph.short_names()
        never_run = tuple(names[each] for each in wanted if lock_files.read(context, each) is None)
        return attrs.evolve(_result(assembly, wanted, before), never_run=never_run)


def unfreeze(context: CommandContext, targets: Iterable[str], *, report: Reporter = no_report) -> FreezeResult:
    """Let frozen stages run again; an address in the list need not be that of a stage any more.

    Args:
        context: The context of the command.
        targets: As in `pivot_runtime.project.targets.resolve_targets`.
        report: Called before waiting for another command.

    Raises:
        EngineError: The definition of a stage freezes it.
        PivotError: The pipeline cannot be loaded, a target is unknown, or the list cannot be written.
    """
    layout = context.project.layout
    with guarded(layout.guard_file, "pivot unfreeze", events.report_waiting(report)):
        frozen = read_frozen(layout)
        named = list(targets)
        assembly = assemble(context, LoadOptions(on_import=report))
        assembly.close()
        former = [name for name in named if name in frozen and name not in assembly.stages]
        stages = [name for name in named if name not in former]
        wanted = _resolve(context, assembly, stages) if stages else ()
        for address in wanted:
            spec = assembly.graph.stages[address]
            if spec.frozen and address not in frozen:
                raise EngineError(
                    f"stage {spec.name!r} is frozen by its definition ({spec.location})", hint="remove 'frozen' there"
                )
        if thawed := frozen.intersection([*wanted, *former]):
            write_frozen(layout, frozen - thawed)
        done = _result(assembly, wanted, {address for address in wanted if address not in frozen})
        return attrs.evolve(done, changed=(*former, *done.changed))


def _resolve(context: CommandContext, assembly: Assembly, targets: Iterable[str]) -> tuple[str, ...]:
    return resolve_targets(targets, assembly.graph, root=context.project.root, cwd=context.project.cwd)


def _result(assembly: Assembly, wanted: Iterable[str], unchanged: set[str]) -> FreezeResult:
    names = assembly.graph.short_names()
    return FreezeResult(
        tuple(names[address] for address in wanted if address not in unchanged),
        tuple(names[address] for address in wanted if address in unchanged),
    )
