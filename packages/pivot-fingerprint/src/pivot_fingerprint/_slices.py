"""Which statements make a name what it is: those that bind it, and those that may change its value, in any module."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pivot_fingerprint._changes import ANY, FAR, Change
from pivot_fingerprint._leads import Leads, Name, Spot
from pivot_fingerprint._modules import Module, Modules
from pivot_fingerprint._scopes import Import
from pivot_fingerprint._statements import HOLDS, PART, Body, Statement

_MOST = 2000  # names that the code which one statement runs may lead to: half a library


class _Touch(NamedTuple):
    """How a statement may change what a name stands for."""

    binds: bool
    depth: int  # 0: leaves the object as it is, 1: changes it, more: or what it holds
    surely: bool  # else only if what it is given to sets attributes


class _Code(NamedTuple):
    """What running what a name stands for may do, and what more runs then."""

    touched: dict[Name, int]
    writes: bool
    further: list[Spot]
    values: frozenset[Name]  # that it mentions
    imports: frozenset[str]


class _Facts(NamedTuple):
    """One statement among the names of all modules."""

    statement: Statement
    mentions: frozenset[Name]  # that what it binds may have in it
    touches: dict[Name, _Touch]
    imports: frozenset[str]  # by code that it runs


class _Known:
    """The facts of a module's statements, with the places of those that touch or mention a name."""

    def __init__(self, facts: list[_Facts]) -> None:
        self.facts = facts
        self.touching: dict[Name, list[int]] = {}
        self.mentioning: dict[Name, list[int]] = {}
        self.several = [at for at, each in enumerate(facts) if sum(touch.binds for touch in each.touches.values()) > 1]
        for at, each in enumerate(facts):
            for name in each.touches:
                self.touching.setdefault(name, []).append(at)
            for name in each.mentions:
                self.mentioning.setdefault(name, []).append(at)

    def that(self, index: dict[Name, list[int]], names: Iterable[Name], more: Iterable[int] = ()) -> list[_Facts]:
        """The statements that an index has for some names, in their order."""
        places = {*more, *(at for name in names for at in index.get(name, ()))}
        return [self.facts[at] for at in sorted(places)]


class Slices:
    """Looks at modules as text alone; each is looked at once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._leads = Leads(modules)
        self._facts: dict[Module, _Known] = {}
        self._sliced: dict[tuple[Module, Name], list[Statement]] = {}
        self._imported: dict[Module, list[Module]] = {}
        self._codes: dict[Name, _Code] = {}
        self._plain: dict[Name, bool] = {}

    def of(self, module: Module, name: str, *, defined: bool = False) -> list[Statement]:
        """All statements of a module that make a name of it what it is.

        `defined`: also those that define it, which have entries of their own.
        """
        found = self._slice(module, Name(module.name, name))
        if not defined:
            return found
        every = [each.statement for each in self._facts_of(module).facts]
        return [each for each in every if each in found or (each.defines and name in each.binds)]

    def conditional_stars(self, module: Module) -> list[Statement]:
        """The star imports of a module that are not always reached."""
        every = self._leads.statements(module.source).all if module.source is not None else ()
        return [each for each in every if each.defines and each.guarded and not each.binds]

    def standing_at(self, module: Module, lines: Iterable[int]) -> list[Statement]:
        """The statements of a module at these lines."""
        every = self._leads.statements(module.source).all if module.source is not None else ()
        return [each for each in every if any(each.line <= line <= (each.end or each.line) for line in lines)]

    def effects(self, module: Module, is_reached: Callable[[Name], bool]) -> dict[Name, list[Statement]]:
        """What importing a module does to those names of other modules of the user's that are reached."""
        known = self._facts_of(module)
        touched = {name for name in (*known.touching, *known.mentioning) if name.module != module.name}
        slices = {name: self._slice(module, name) for name in sorted(touched) if is_reached(name)}
        return {name: statements for name, statements in slices.items() if statements}

    def named_by(self, module: Module) -> Iterator[str]:
        """The modules that its import statements name; a name of such a module may be among them."""
        source = module.source
        for target in self._leads.statements(source).imports if source is not None else ():
            home = module.absolute(target)
            yield home
            if target.name is not None:
                yield f"{home}.{target.name}"

    def imported(self, module: Module) -> list[Module]:
        """The modules of the user's that importing this one imports, also by code that runs then."""
        known = self._imported.get(module)
        if known is None:
            names = [*self.named_by(module)]
            names += sorted({name for each in self._facts_of(module).facts for name in each.imports})
            found = [each for name in dict.fromkeys(names) for each in self.packages(name)]
            known = self._imported[module] = list(dict.fromkeys(found))
        return known

    def packages(self, name: str) -> Iterator[Module]:
        """A module by its full name, and the packages that it lies in."""
        while name:
            module = self._modules.named(name)
            if module is not None and module.is_user:
                yield module
            name = name.rpartition(".")[0]

    def held(self, name: Name) -> set[Name]:
        """The names whose values may be a part of what a name stands for."""
        module = self._modules.named(name.module)
        if module is not None and module.namespace is not None and module.source is not None:
            # Of what is imported, all is read off the values themselves: the text is only asked what stands in them.
            return {
                spot.key
                for ref in self._leads.statements(module.source).put_into(name.name)
                for spot in self._leads.refers(module, ref)
            }
        if module is None or not module.is_user:
            return set()
        known = self._facts_of(module)
        return {mention for each in known.that(known.touching, [name]) for mention in each.mentions} | {
            mention
            for each in known.facts
            if each.statement.defines and name.name in each.statement.binds
            for mention in each.mentions
        }

    def _slice(self, module: Module, name: Name) -> list[Statement]:
        found = self._sliced.get((module, name))
        if found is None:
            found = self._sliced[module, name] = self._sliced_by(module, name)
        return found

    def _sliced_by(self, module: Module, name: Name) -> list[Statement]:
        known = self._facts_of(module)
        own = name.module == module.name
        defined = self._is_defined(name)
        same, holders = self._aliases(known, name, own=own)
        every = (name, Name(name.module, ANY))
        binding = [at for at, each in enumerate(known.facts) if own and name.name in each.statement.binds]
        several = len(binding) > 1
        found = []
        for each in known.that(known.touching, {*every, *same, *holders}, binding):
            statement = each.statement
            binds = own and not statement.binds.isdisjoint((name.name, ANY))
            if statement.defines:  # one of several: the conditions decide
                binds = binds and statement.guarded and several
            if binds or any(self._changes(each, at, name, same, holders, defined=defined) for at in each.touches):
                found.append(statement)
        return found

    def _changes(
        self, facts: _Facts, at: Name, name: Name, same: set[Name], holders: set[Name], *, defined: bool
    ) -> bool:
        """Whether what a statement does to one name may change the value of another."""
        touch = facts.touches[at]
        if touch.binds and at in (name, Name(name.module, ANY)):
            return True
        if not touch.depth or self._is_plain(name):
            return False
        if at in same or at == Name(name.module, ANY):
            return touch.surely or not defined
        return at in holders and touch.depth > 1 and not defined

    def _aliases(self, known: _Known, name: Name, *, own: bool) -> tuple[set[Name], set[Name]]:
        """The names that may stand for the same object or for a part of it, and those that may hold it."""
        same, holders = {name}, set[Name]()
        count = 0
        while count != len(same) + len(holders) and not (own and self._is_plain(name)):
            count = len(same) + len(holders)
            for each in known.that(known.mentioning, same | holders, known.several):
                in_same, in_holders = not same.isdisjoint(each.mentions), not holders.isdisjoint(each.mentions)
                gives = each.statement.gives
                bound = {at for at in self._bound(each) if not self._is_plain(at)}
                if len(bound) > 1 and not same.isdisjoint(bound):  # `t = u = {}`
                    same |= bound
                if not (in_same or in_holders):
                    continue
                if each.statement.defines and in_same:  # a subclass has what its bases have
                    module, names = name.module if own else "", each.statement.binds
                    same |= {at for at in (Name(module, each) for each in names) if self._is_class(at)}
                else:
                    (same if (gives != HOLDS if in_same else gives == PART) else holders).update(bound)
                holders |= {at for at, touch in each.touches.items() if touch.depth and at not in same}
        return same, holders

    def _is_class(self, name: Name) -> bool:
        module = self._modules.named(name.module)
        source = module.source if module is not None else None
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        tops = [source.tops[each.top] for each in bindings if each.top is not None] if source is not None else []
        return any(top.site.kind == "class" for top in tops)

    def _bound(self, facts: _Facts) -> set[Name]:
        return {at for at, touch in facts.touches.items() if touch.binds}

    def _is_defined(self, name: Name) -> bool:
        """Whether a name stands for a function or class of the text."""
        module = self._modules.named(name.module)
        source = module.source if module is not None else None
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        return bool(bindings) and all(binding.top is not None for binding in bindings)

    def _is_plain(self, name: Name) -> bool:
        """Whether a name only ever stands for a number or a text, so that nothing but binding it changes it."""
        if name not in self._plain:
            self._plain[name] = True  # one that is asked for while it is found out
            module = self._modules.named(name.module)
            source = module.source if module is not None else None
            binding = [
                each
                for each in (self._leads.statements(source).all if source is not None else ())
                if not each.binds.isdisjoint((name.name, ANY))
            ]
            self._plain[name] = bool(binding) and all(
                each.plain and all(self._is_plain(Name(name.module, read)) for read in each.reads - {name.name})
                for each in binding
            )
        return self._plain[name]

    # Statements among the names of all modules

    def _facts_of(self, module: Module) -> _Known:
        known = self._facts.get(module)
        if known is None:
            source = module.source
            statements = self._leads.statements(source).all if source is not None else []
            known = self._facts[module] = _Known([self._facts_about(module, each) for each in statements])
        return known

    def _facts_about(self, module: Module, statement: Statement) -> _Facts:
        mentioned = {ref: self._leads.refers(module, ref) for ref in statement.form.refs}
        touches = (
            {} if statement.defines else {Name(module.name, name): _Touch(True, 0, True) for name in statement.binds}
        )
        code = self._code(spot for spots in mentioned.values() for spot in spots) if statement.runs else None
        for change in statement.changes:
            for spot in self._leads.lead(module, change.chain[0], change.chain[1:]):
                depth = len(spot.rest) + change.steps
                surely = not change.passed or (code is not None and code.writes)
                self._touch(touches, spot.key, _Touch(not depth, depth, surely))
        for name, depth in code.touched.items() if code is not None else ():
            self._touch(touches, name, _Touch(not depth, depth, True))
        mentions = {
            spot.key
            for ref, spots in mentioned.items()
            for spot in spots
            if not (ref.root in statement.called and not ref.attrs and self._is_function(spot))
        }
        if code is not None and statement.gives == PART:
            mentions |= code.values
        if code is not None and statement.results:
            for name in code.values:
                self._touch(touches, name, _Touch(False, FAR, True))
        return _Facts(statement, frozenset(mentions), touches, code.imports if code is not None else frozenset())

    @staticmethod
    def _touch(touches: dict[Name, _Touch], name: Name, touch: _Touch) -> None:
        known = touches.get(name)
        if known is not None:
            binds, depth, surely = known
            touch = _Touch(binds or touch.binds, max(depth, touch.depth), surely or touch.surely)
        touches[name] = touch

    @staticmethod
    def _is_function(spot: Spot) -> bool:
        source = spot.module.source
        bindings = source.bindings.get(spot.name, ()) if source is not None else ()
        return bool(bindings) and all(
            source is not None and binding.top is not None and source.tops[binding.top].site.kind == "func"
            for binding in bindings
        )

    # What running code does

    def _code(self, start: Iterable[Spot]) -> _Code:
        """What running all that these names stand for may do in the end."""
        touched: dict[Name, int] = {}
        writes = False
        values, imports = set[Name](), set[str]()
        stack, seen = list(start), set[Name]()
        while stack and len(seen) < _MOST:
            spot = stack.pop()
            key = spot.key
            if key in seen:
                continue
            seen.add(key)
            code = self._codes.get(key)
            if code is None:
                code = self._codes[key] = self._code_of(spot)
            writes = writes or code.writes
            for name, depth in code.touched.items():
                touched[name] = max(depth, touched.get(name, 0))
            stack += code.further
            values |= code.values
            imports |= code.imports
        return _Code(touched, writes, [], frozenset(values), frozenset(imports))

    def _code_of(self, spot: Spot) -> _Code:
        module, source = spot.module, spot.module.source
        touched: dict[Name, int] = {}
        further: list[Spot] = []
        imports = set[str]()
        writes = False
        for binding in source.bindings.get(spot.name, ()) if source is not None else ():
            if source is None or binding.top is None:
                continue
            refs = source.form(source.tops[binding.top]).refs
            names = frozenset(ref.root for ref in refs if isinstance(ref.root, str))
            for ref in refs:
                if isinstance(ref.root, Import):
                    home = module.absolute(ref.root)
                    imports |= {home, f"{home}.{ref.root.name}"}
            body = self._leads.statements(source).body(binding.top, names)
            mentioned = [each for ref in refs for each in self._leads.refers(module, ref)]
            further += mentioned
            writes = writes or body.writes
            self._touched_by(module, body, mentioned, touched)
        if source is not None and not further:
            bound = [each for each in self._leads.statements(source).binding(spot.name) if not each.defines]
            further += [each for one in bound for ref in one.form.refs for each in self._leads.refers(module, ref)]
            self._changed_by(module, [change for one in bound for change in one.changes], touched)
            methods = [ref for one in bound for ref in one.form.refs if ref.attrs]  # `add = table.append`
            keys = {each.key for ref in methods for each in self._leads.refers(module, ref)}
            touched |= {key: FAR for key in keys if not self._is_defined(key)}
        values = frozenset(spot.key for spot in further if not self._is_defined(spot.key))
        return _Code(touched, writes, further, values, frozenset(imports))

    def _touched_by(self, module: Module, body: Body, mentioned: list[Spot], touched: dict[Name, int]) -> None:
        for name in body.assigns:
            touched[Name(module.name, name)] = 0
        self._changed_by(module, body.changes, touched)
        if body.aliases:
            for spot in mentioned:
                if not self._is_defined(spot.key):
                    touched[spot.key] = FAR

    def _changed_by(self, module: Module, changes: Iterable[Change], touched: dict[Name, int]) -> None:
        for change in changes:
            for spot in self._leads.lead(module, change.chain[0], change.chain[1:]):
                touched[spot.key] = max(touched.get(spot.key, 0), len(spot.rest) + change.steps)
