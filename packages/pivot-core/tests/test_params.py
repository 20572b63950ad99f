"""`StageParams` and the classes of others: what their fields are, instances of them, and who gives which value."""

import dataclasses
import enum
import functools
import pathlib
from typing import Annotated, Any, ClassVar, cast

import attrs
import pytest

from pivot_core.conversion.convert import ConversionError
from pivot_core.conversion.plain import NotPlainError
from pivot_core.errors import DefinitionError
from pivot_core.params import classes
from pivot_core.params.classes import Secret, StageParams
from pivot_core.params.layers import ParamLayer, resolve_params
from pivot_core.params.overrides import (
    Override,
    OverrideTarget,
    ParamError,
    base_name,
    check,
    check_variables,
    names_for,
)
from pivot_core.pipeline import Pipeline, plain_call
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Out


class Colour(enum.Enum):
    RED = 1


class Optimizer(StageParams):
    rate: float = 0.1
    momentum: float = 0.9


class Train(StageParams):
    rate: float = 0.1
    layers: list[int] = [64, 64]  # noqa: RUF012  # a copy for each instance
    token: Annotated[str, Secret] = "hunter2"
    optimizer: Optimizer = Optimizer(momentum=0.5)
    colour: Colour = Colour.RED
    data: pathlib.Path | None = None
    options: dict[str, int] = attrs.field(factory=dict)
    RATES: ClassVar = [1, 2]


class Needs(StageParams):
    size: int
    inner: Optimizer | None = None


@attrs.frozen
class OfAttrs:
    size: int = 1
    double: int = attrs.field(init=False, default=attrs.Factory(lambda self: 2 * self.size, takes_self=True))
    triple: int = attrs.field(default=attrs.Factory(lambda self: 3 * self.size, takes_self=True))


@dataclasses.dataclass
class OfDataclass:
    size: int
    names: list[str] = dataclasses.field(default_factory=lambda: ["a"])
    ratio: float = 0.5
    computed: int = dataclasses.field(init=False, default=0)


class _Hidden:
    def get_secret_value(self) -> str:
        return "hidden"


class _ModelField:
    def __init__(self, default: Any = None, alias: str | None = None, *, required: bool = False) -> None:
        self.default, self.alias, self.required = default, alias, required

    def is_required(self) -> bool:
        return self.required

    def get_default(self, *, call_default_factory: bool) -> Any:
        return self.default if call_default_factory else None


class _ModelError(Exception):
    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": ("size", 0), "msg": "no number"}]


class Model:
    """As a model of pydantic looks from outside."""

    model_fields: ClassVar = {"size": _ModelField(1), "key": _ModelField(_Hidden(), "Key")}
    size: int
    key: Any

    def __init__(self, size: Any = 1, Key: Any = None) -> None:  # noqa: N803
        if size == "bad":
            raise _ModelError
        self.size = int(size)
        self.key = Key or _Hidden()

    model_validate = None


def sealed(name: str, text: str) -> str:
    return f"{name}={text}"


def test_fields_are_checked_and_converted() -> None:
    made = Train(rate=1, layers=(1,), optimizer={"rate": 2}, colour="RED", data="a")  # type: ignore[arg-type]

    assert (made.rate, type(made.rate)) == (1.0, float)
    assert made.layers == [1]
    assert made.optimizer == Optimizer(rate=2.0)
    assert made.colour is Colour.RED
    assert made.data == pathlib.Path("a")
    assert Train().layers is not Train().layers, "a default is not shared"


def test_a_wrong_type_names_class_field_type_and_value() -> None:
    with pytest.raises(TypeError, match=r"^Train\.rate must be float, not 'fast'$"):
        Train(rate="fast")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Train\.layers\[1\] must be int, not 'x'$"):
        Train(layers=[1, "x"])  # type: ignore[list-item]


def test_a_secret_is_neither_in_an_error_nor_in_the_repr() -> None:
    with pytest.raises(TypeError) as caught:
        Train(token=12345)  # type: ignore[arg-type]

    assert "12345" not in str(caught.value)
    assert "hunter2" not in repr(Train())


def test_instances_do_not_change_and_compare_by_value() -> None:
    assert Optimizer() == Optimizer(rate=0.1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Optimizer().rate = 2  # type: ignore[misc]


def test_subclasses_inherit_fields() -> None:
    class More(Optimizer):
        steps: int = 3

    assert list(classes.fields(More)) == ["rate", "momentum", "steps"]


def test_converters_and_validators_of_the_user_work() -> None:
    def _above_two(_: object, __: object, value: int) -> None:
        if value <= 2:
            raise ValueError("must be > 2")

    class Checked(StageParams):
        size: Any = attrs.field(default="3", converter=int, validator=cast("Any", _above_two))

    assert Checked().size == 3
    with pytest.raises(ConversionError, match="must be > 2") as caught:
        classes.make(Checked, {"size": 1})
    assert caught.value.inside == ": refused"


def test_an_attribute_without_a_type_is_not_a_parameter() -> None:
    with pytest.raises(DefinitionError, match=r"Wrong\.rate has no type") as caught:

        class Wrong(StageParams):
            rate = 0.1

    assert "rate: float" in (caught.value.hint or "")


def test_methods_and_properties_are_not_parameters() -> None:
    class Behaves(StageParams):
        rate: float = 0.1

        @property
        def double(self) -> float:
            return 2 * self.rate

        @functools.cached_property
        def triple(self) -> float:
            return 3 * self.rate

        @staticmethod
        def fixed() -> int:
            return 1

        @classmethod
        def small(cls) -> "Behaves":
            return cls(rate=0.01)

    assert Behaves.small().double == 0.02
    assert list(classes.fields(Behaves)) == ["rate"]


def test_fields_of_a_type_that_cannot_be_compared_are_refused() -> None:
    class Wrong(StageParams):
        number: list[complex] = []  # noqa: RUF012

    with pytest.raises(DefinitionError, match=r"Wrong\.number has the type complex"):
        classes.fields(Wrong)


def test_a_type_that_is_not_defined_is_named() -> None:
    class Wrong(StageParams):
        size: "Missing" = 1  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(DefinitionError, match="'Missing'"):
        classes.fields(Wrong)


def test_classes_of_others_have_fields_too() -> None:
    assert [(each.name, each.required) for each in classes.fields(OfAttrs).values()] == [
        ("size", False),
        ("triple", False),
    ]
    assert [(each.name, each.required) for each in classes.fields(OfDataclass).values()] == [
        ("size", True),
        ("names", False),
        ("ratio", False),
    ]
    assert [(each.name, each.keyword) for each in classes.fields(Model).values()] == [("size", "size"), ("key", "Key")]
    assert not classes.is_params(int)
    assert not classes.is_params(3)


def test_defaults_are_found_where_there_are_any() -> None:
    assert classes.default(Train, "rate") == 0.1
    assert classes.default(Train, "options") == {}
    assert classes.default(Needs, "size") is None
    assert classes.default(Needs, "other") is None
    assert classes.default(OfAttrs, "triple") is None
    assert classes.default(OfDataclass, "names") == ["a"]
    assert classes.default(OfDataclass, "ratio") == 0.5
    assert classes.default(OfDataclass, "size") is None
    assert classes.default(Model, "size") == 1


def test_make_takes_instances_and_mappings() -> None:
    made = Optimizer()

    assert classes.make(Optimizer, made) is made
    assert classes.make(OfDataclass, {"size": 2}) == OfDataclass(2)
    assert classes.make(Model, {"size": "2"}).size == 2
    for given, inside in ((3, ""), ({"sizes": 1}, ".sizes"), ({}, ".size"), ({"size": "x"}, ".size")):
        with pytest.raises(ConversionError) as caught:
            classes.make(Needs, given)
        assert caught.value.inside == inside


def test_a_class_that_refuses_is_quoted_unless_it_has_secrets() -> None:
    class Fussy(StageParams):
        token: Annotated[str, Secret()] = "t"

        def __attrs_post_init__(self) -> None:
            raise ValueError(f"bad {self.token}")

    with pytest.raises(ConversionError) as caught:
        classes.make(Fussy, {"token": "s3cret"})
    with pytest.raises(ConversionError, match=r"^size\.0: no number$"):
        classes.make(Model, {"size": "bad"})

    assert str(caught.value) == "ValueError"
    assert classes.describe_refusal(ValueError()) == "ValueError"
    assert classes.shorten("x" * 100).endswith("…")


def test_parameters_as_plain_data() -> None:
    assert classes.to_plain(Train(), sealed) == {
        "rate": 0.1,
        "layers": [64, 64],
        "token": {"$secret": 'token="hunter2"'},
        "optimizer": {"$class": "Optimizer", "rate": 0.1, "momentum": 0.5},
        "colour": {"$enum": "Colour.RED", "value": 1},
        "data": None,
        "options": {},
    }
    assert classes.to_plain(Model(), sealed) == {"size": 1, "key": {"$secret": 'key="hidden"'}}


def test_a_secret_inside_another_class_is_sealed() -> None:
    class Login(StageParams):
        token: Annotated[str, Secret] | None = "t"

    class Outer(StageParams):
        logins: list[Login] = [Login()]  # noqa: RUF012

    type Hidden = Annotated[str, Secret]

    class Aliased(StageParams):
        token: Hidden = "t"

    plain = classes.to_plain(Outer(), sealed)

    assert plain["logins"][0]["token"] == {"$secret": 'token="t"'}
    assert classes.holds_secrets(list[Login])
    assert not classes.holds_secrets(list[Optimizer])
    assert classes.fields(Aliased)["token"].secret


def test_classes_with_code_of_their_own_are_found() -> None:
    class Plain(StageParams):
        inner: Optimizer = Optimizer()

    class Behaves(StageParams):
        rate: float = 0.1

        @property
        def double(self) -> float:
            return 2 * self.rate

    class Outer(StageParams):
        inner: list[Behaves] | None = None

        @staticmethod
        def fixed() -> int:
            return 1

    def is_mine(file: str) -> bool:
        return file == __file__

    assert classes.classes_with_code(Plain, is_mine) == ()
    assert classes.classes_with_code(OfDataclass, is_mine) == ()
    assert set(classes.classes_with_code(Outer, is_mine)) == {Outer, Behaves}


# Who gives what


def override(text: str, *names: str, pipeline: str = "demo", stage: str = "train") -> Any:
    parsed = Override.parse(text)
    path = parsed.path(pipeline, stage, names or tuple(classes.fields(Train)))
    assert path is not None
    return parsed, path


def test_later_layers_win_and_the_command_line_over_all() -> None:
    layers = [ParamLayer({"rate": 1, "layers": [1]}), ParamLayer({"rate": 2})]

    assert resolve_params("train", Train, layers).rate == 2.0
    settled = resolve_params("train", Train, layers, [override("train.rate=3")])
    assert (settled.rate, settled.layers) == (3.0, [1])


def test_a_mapping_changes_a_part_of_a_nested_value() -> None:
    from_file = resolve_params("train", Train, [ParamLayer({"optimizer": {"rate": 1}})])
    from_line = resolve_params("train", Train, [], [override("train.optimizer.rate=1"), override("train.options.a=2")])
    both = resolve_params(
        "train", Train, [ParamLayer({"optimizer": {"rate": 1}})], [override("train.optimizer.momentum=1")]
    )

    assert from_file.optimizer == from_line.optimizer == Optimizer(rate=1, momentum=0.5)
    assert from_line.options == {"a": 2}
    assert both.optimizer == Optimizer(rate=1, momentum=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ParamLayer({"rat": 1}, "params.yaml:3"), r"^params.yaml:3: stage 'train' has no parameter 'rat'$"),
        (ParamLayer({"zzz": 1}), r"^stage 'train' has no parameter 'zzz'$"),
        (
            ParamLayer({"rate": "x"}, {"rate": "params.yaml:2"}),
            r"^params.yaml:2: .*parameter rate must be float, not 'x'$",
        ),
        (ParamLayer({"optimizer": {"rate": "x"}}), r"parameter optimizer\.rate must be float, not 'x'$"),
        (ParamLayer({"optimizer": {"rat": 1}}), r"parameter optimizer\.rat must be one of rate, momentum, not 'rat'$"),
        (ParamLayer({"token": 12345}), r"parameter token must be str$"),
    ],
)
def test_impossible_values_are_refused_with_their_place(given: ParamLayer, message: str) -> None:
    with pytest.raises(ParamError, match=message):
        resolve_params("train", Train, [given])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.rate=x", r"^-p train\.rate: stage 'train': parameter rate must be float, not 'x'$"),
        ("train.token=5", ""),
        ("train.optimizer.rate=1,2", r"must be float, not '1,2'$"),
        ("train.optimizer.rat=1", r"parameter optimizer\.rat must be one of rate, momentum"),
    ],
)
def test_overrides_are_read_by_type(text: str, message: str) -> None:
    if not message:
        assert resolve_params("train", Train, [], [override(text)]).token == "5"
        return
    with pytest.raises(ParamError, match=message):
        resolve_params("train", Train, [], [override(text)])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x", ""),
        ("1,2", "--compare runs with each of several values"),
        ("[a]", "lists and mappings are JSON here"),
        ("{rate: 1}", "lists and mappings are JSON here"),
        ("[1]", ""),
    ],
)
def test_texts_that_do_not_fit_have_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ParamError) as caught:
        resolve_params("train", Train, [], [override(f"train.optimizer.rate={text}")])
    assert str(caught.value.hint or "").startswith(hint)
    assert bool(caught.value.hint) is bool(hint)


def test_a_model_reads_texts_itself() -> None:
    made = resolve_params("s", Model, [], [override("s.size=7", "size", "key", stage="s")])
    hidden = resolve_params("s", Model, [], [override("s.key=k", "size", "key", stage="s")])

    assert made.size == 7
    assert hidden.key == "k"
    with pytest.raises(ParamError, match=r"Model refuses its values: size\.0: no number"):
        resolve_params("s", Model, [ParamLayer({"size": "bad"})])


def test_a_model_gets_what_its_types_do_not_take() -> None:
    class Strict(Model):
        model_fields: ClassVar = {"size": _ModelField(1)}

    assert resolve_params("s", Strict, [], [override("s.size=7", "size", stage="s")]).size == 7
    with pytest.raises(ParamError, match="refuses"):
        resolve_params("s", Strict, [], [override("s.size=bad", "size", stage="s")])


def test_a_parameter_without_any_value_is_named() -> None:
    with pytest.raises(ParamError, match="parameter 'size' of Needs has no value") as caught:
        resolve_params("train", Needs, [])

    assert "train.size=VALUE" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "train", "train=1", "train.rate", ".rate=1", "train.=1"])
def test_an_override_has_a_stage_a_name_and_a_value(text: str) -> None:
    with pytest.raises(ParamError, match="gives no parameter a value"):
        Override.parse(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("train.rate=1=2", ("rate",)),
        ("train.rate.x=1", ("rate", "x")),
        ("train@big.rate=1", ("rate",)),
        ("demo.train.rate=1", ("rate",)),
        ("demo.train@big.rate.x=1", ("rate", "x")),
        ("train.other=1", None),
        ("test.rate=1", None),
        ("train@small.rate=1", None),
        ("other.train.rate=1", None),
        ("demo.train=1", None),
    ],
)
def test_which_stage_an_override_means(text: str, path: tuple[str, ...] | None) -> None:
    assert Override.parse(text).path("demo", "train@big", ("rate",)) == path


def test_every_override_must_mean_something_and_one_thing() -> None:
    stages = [
        OverrideTarget("a", "train@x", ("rate",)),
        OverrideTarget("a", "train@y", ("rate",)),
        OverrideTarget("b", "test", ("rate",)),
    ]

    check([Override.parse("train.rate=1"), Override.parse("b.test.rate=1")], stages)
    with pytest.raises(ParamError, match=r"no stage has the parameter 'train\.rat'") as unknown:
        check([Override.parse("train.rat=1")], stages)
    with pytest.raises(ParamError, match="several") as several:
        check([Override.parse("train.rate=1")], [*stages, OverrideTarget("c", "train", ("rate",))])
    with pytest.raises(ParamError) as far:
        check([Override.parse("zzz.qqq=1")], stages)
    with pytest.raises(ParamError) as none:
        check([Override.parse("train.rate=1")], [OverrideTarget("a", "train", ())])

    assert "did you mean" in (unknown.value.hint or "")
    assert several.value.hint == "use an address: a.train@x, a.train@y, c.train"
    assert (far.value.hint or "").startswith("known parameters: train@x.rate")
    assert none.value.hint == "no stage here takes parameters"


def test_the_names_of_a_stage_in_a_file() -> None:
    assert base_name("train@big") == "train"
    assert names_for("demo", "train") == ("train", "demo.train")
    assert names_for("demo", "train@big") == ("train", "demo.train", "train@big", "demo.train@big")


# In a stage

type Written = Annotated[int, Out("out")]


def test_a_stage_is_called_with_its_parameters() -> None:
    def train(params: Train) -> Written:
        return int(params.rate)

    pipeline = Pipeline("demo")
    pipeline.register(train, params={"rate": 5})
    pipeline.register(train, name="other", params=Train(rate=6))
    stage = pipeline.stages["train"].with_params([ParamLayer({"layers": [1]})], [override("train.rate=7")])

    assert plain_call(stage, stage.values) == {"return": 7}
    assert pipeline.stages["other"].with_params().values["params"] == Train(rate=6)
    root = str(pathlib.Path(__file__).parent.parent)
    pipeline.register(train, name="wrong", params={"x": 1})
    with pytest.raises(ParamError, match=r"^tests/.*test_params\.py:\d+: stage 'wrong' has no parameter 'x'"):
        pipeline.stages["wrong"].with_params(root=root)


def test_a_stage_without_parameters_takes_none() -> None:
    def plain(number: int = 1) -> Written:
        return number

    pipeline = Pipeline("demo")
    pipeline.register(plain)

    assert pipeline.stages["plain"].with_params() is pipeline.stages["plain"]
    with pytest.raises(StageError, match="no parameter of its function takes any"):
        pipeline.register(plain, name="other", params={"number": 2})


def test_params_of_the_wrong_kind_are_refused() -> None:
    def train(params: Train) -> Written:
        return 1

    with pytest.raises(StageError, match="must be a mapping or an instance of Train, not int"):
        Pipeline("demo").register(train, params=3)


def test_a_default_in_the_signature_gives_the_values() -> None:
    def train(params: Optimizer = Optimizer(rate=7)) -> Written:  # noqa: B008
        return 1

    pipeline = Pipeline("demo")
    pipeline.register(train)

    assert pipeline.stages["train"].with_params().values == {"params": Optimizer(rate=7)}


def test_a_default_that_is_not_an_instance_of_parameters_stays() -> None:
    @dataclasses.dataclass
    class Tools:
        action: complex = 1j

    def both(tools: Tools = Tools(), other: Optimizer = None) -> Written:  # type: ignore[assignment]  # noqa: B008
        return 1

    pipeline = Pipeline("demo")
    pipeline.register(both)

    assert pipeline.stages["both"].params is None


def test_signatures_that_leave_parameters_open_are_refused() -> None:
    @dataclasses.dataclass
    class Tools:
        action: complex = 1j

    def two(one: Train, other: Optimizer) -> Written:
        return 1

    def positional(params: Train, /) -> Written:
        return 1

    def foreign(tools: Tools) -> Written:
        return 1

    for func, message in ((two, "both take"), (positional, "by name"), (foreign, "complex")):
        with pytest.raises(StageError, match=message):
            Pipeline("demo").register(func)


def test_the_objection_of_an_inner_class_is_reported() -> None:
    class Picky(StageParams):
        size: int = attrs.field(default=1, validator=attrs.validators.lt(5))

    class Outer(StageParams):
        inner: Picky = Picky()

    with pytest.raises(ParamError, match=r"parameter inner: refused: .*must be < 5"):
        resolve_params("train", Outer, [ParamLayer({"inner": {"size": 9}})])


def test_a_value_that_a_class_accepts_but_nobody_can_compare_is_refused() -> None:
    @attrs.frozen
    class Loose:
        tool: Any = attrs.field(factory=object)

    with pytest.raises(NotPlainError):
        classes.to_plain(Loose(), sealed)


def test_instances_of_one_class_with_equal_values_are_equal() -> None:
    class One(StageParams):
        rate: float = 0.1
        name: str = "a"

    class Other(One):
        pass

    assert One() == One(rate=0.1)
    assert hash(One()) == hash(One(name="a"))
    assert One() != One(rate=0.2)
    assert One() != Other()
    assert repr(One()).endswith("One(rate=0.1, name='a')")


def test_what_does_not_count_is_left_out_inside_the_values_of_others() -> None:
    class Inner(StageParams):
        size: int = 1
        jobs: Annotated[int, classes.Uncounted] = 2

    class Outer(StageParams):
        inner: Inner = Inner()
        jobs: Annotated[int | None, classes.Uncounted] = None

    assert [field.uncounted for field in classes.fields(Outer).values()] == [False, True]
    assert classes.to_plain(Outer(), lambda *_: "")["inner"].keys() == {"$class", "size"}


def test_variables_are_overrides_of_no_stage() -> None:
    variable = Override.parse("$train.rate=1=2")
    assert (variable.parts, variable.value, variable.variable) == (("train", "rate"), "1=2", True)
    assert variable.path("p", "train", ("rate",)) is None
    check([variable], [])
    check_variables([variable, Override.parse("a.b=1")], ["train"])
    for known, hint in ((["trail"], "did you mean trail?"), (["zzz"], "known variables: zzz"), ([], "no pivot.yaml")):
        with pytest.raises(ParamError, match=r"no pivot\.yaml here has the variable 'train'") as raised:
            check_variables([variable], known)
        assert hint in (raised.value.hint or "")
    for text in ("$train", "$=1", "$a..b=1"):
        with pytest.raises(ParamError, match="gives no variable a value"):
            Override.parse(text)
