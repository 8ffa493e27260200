"""Structs, dataclasses, enums, points in time and UUIDs: as msgspec writes them, and who is asked when."""

from __future__ import annotations

import abc
import dataclasses
import datetime as dt
import enum
import gc
import uuid
import weakref
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pydantic
import pytest
from harness import Harness, route
from hypothesis import given, settings
from hypothesis import strategies as st

from covet._bridge import EncodeError, dumps
from covet._render import known

UTC = dt.UTC


class Plain(msgspec.Struct):
    a: Any
    b: Any = None


class Renamed(msgspec.Struct, rename="camel", tag_field='ki"nd', tag="né\n", frozen=True):
    first_name: Any
    né: Any = 1


class Numbered(msgspec.Struct, tag=7):
    x: Any = msgspec.UNSET
    y: Any = msgspec.UNSET


class Empty(msgspec.Struct):
    pass


class EmptyTagged(msgspec.Struct, tag=True):
    pass


class Derived(Plain, kw_only=True):
    c: Any


class Listed(msgspec.Struct, array_like=True):
    a: int = 1


class Sparse(msgspec.Struct, omit_defaults=True):
    a: int = 1
    b: int = 2


@dataclasses.dataclass
class Data:
    x: Any
    _hidden: int = 2
    shared: ClassVar[int] = 3
    given: dataclasses.InitVar[int] = 4
    unset: Any = msgspec.UNSET


@dataclasses.dataclass(slots=True, frozen=True)
class Slots:
    x: Any
    y: Any = "ü"


@dataclasses.dataclass(frozen=True)
class HalfSlots(Slots):
    z: Any = 1.5


@dataclasses.dataclass
class Abstract(abc.ABC):
    x: int = 1

    @abc.abstractmethod
    def area(self) -> int: ...


class Concrete(Abstract):
    def area(self) -> int:
        return 1


T = TypeVar("T")


@dataclasses.dataclass
class Of(Generic[T]):
    value: T


class Word(enum.Enum):
    A = "a\n"


class Number(enum.Enum):
    ONE = 1


class Flag(enum.Flag):
    A = 1
    B = 2


@pydantic.dataclasses.dataclass
class Checked:
    x: int = 1


IST = dt.timezone(dt.timedelta(hours=5, minutes=30))


class Zone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=-9, minutes=-30)


RICH: list[Any] = [
    Plain(1),
    Plain([Plain("x")], {"k": Plain(None)}),
    Renamed("x"),
    Numbered(),
    Numbered(1),
    Numbered(y=2),
    Empty(),
    EmptyTagged(),
    Derived(1, c=2),
    Listed(),
    Sparse(),
    Sparse(b=3),
    Data(1),
    Data(Data(2)),
    Slots(1),
    HalfSlots(1, 2, 3),
    Concrete(),
    Of[int](5),
    Of("ab"),
    Word.A,
    Number.ONE,
    Flag.A | Flag.B,
    dt.datetime(2026, 11, 24, 3, 4, 5),
    dt.datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=IST),
    dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(0))),
    dt.datetime(2026, 1, 1, tzinfo=dt.timezone(-dt.timedelta(hours=3, minutes=30, seconds=29))),
    dt.datetime(2026, 1, 1, tzinfo=Zone()),
    dt.date(5, 6, 7),
    dt.time(1, 2, 3),
    dt.time(1, 2, 3, 40),
    dt.time(1, 2, 3, tzinfo=UTC),
    dt.timedelta(days=1, seconds=2),
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
    {1, 2},
]


@pytest.mark.parametrize("value", RICH, ids=lambda v: repr(v)[:50])
def test_as_msgspec(value: Any) -> None:
    want = msgspec.json.encode(value)
    for _ in range(2):  # asked about its class, and from the table
        assert dumps(value, known) == want
        assert dumps([value, {"k": value}], known) == b"[" + want + b',{"k":' + want + b"}]"


ANY = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(IST)) | st.dates() | st.times() | st.uuids()
    | st.sampled_from([Word.A, Number.ONE]),
    lambda v: st.lists(v) | st.builds(Plain, v, v) | st.builds(Renamed, v) | st.builds(Data, v) | st.builds(Slots, v, v)
    | st.builds(Derived, v, c=v) | st.dictionaries(st.text("abc"), v),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(ANY)
def test_any_rich_value(value: Any) -> None:
    assert dumps(value, known) == msgspec.json.encode(value)


def test_pydantic_is_asked_itself() -> None:
    class Model(pydantic.BaseModel):
        x: int = 1
        when: dt.date = dt.date(2026, 1, 2)

        @pydantic.field_serializer("x")
        def double(self, x: int) -> int:
            return 2 * x

    assert dumps(Model(), known) == b'{"x":2,"when":"2026-01-02"}'
    assert dumps([Checked()], known) == b'[{"x":1}]'


def test_members_that_are_missing_are_left_out() -> None:
    data = Data(1)
    del data.x
    assert dumps(data, known) == b'{"_hidden":2}'
    assert dumps(Slots.__new__(Slots), known) == b"{}"
    plain = Plain(1)
    del plain.a
    assert dumps(plain, known) == b'{"b":null}'


@pytest.mark.parametrize(
    ("value", "path", "type_name"),
    [
        (Plain([object()]), "$.a[0]", "object"),
        (Renamed({"k": 1j}), "$.firstName.k", "complex"),
        (Data(Slots(b := object())), "$.x.x", "object"),
        (Slots(float("nan")), "$.x", "float"),
        ([Plain(1, "\udfff")], "$[0].b", "str"),
    ],
)
def test_errors_say_where(value: Any, path: str, type_name: str) -> None:
    with pytest.raises(EncodeError) as e:
        dumps(value, known)
    assert (e.value.path, e.value.type_name) == (path, type_name)


def test_depth_and_cycles() -> None:
    for value in (Plain(1), Data(1)):
        setattr(value, "a" if isinstance(value, Plain) else "x", [value])
        with pytest.raises(EncodeError, match="nested"):
            dumps(value, known)


def test_errors_of_attributes_pass() -> None:
    @dataclasses.dataclass
    class Bad:
        x: int = 1

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                raise ZeroDivisionError("of its own")
            return super().__getattribute__(name)

    with pytest.raises(ZeroDivisionError, match="of its own"):
        dumps([Bad()], known)


def test_offsets_that_time_cannot_say() -> None:
    class Odd(dt.tzinfo):
        def utcoffset(self, when: dt.datetime | None) -> Any:
            raise ZeroDivisionError("of its own")

    with pytest.raises(ZeroDivisionError):
        dumps(dt.datetime(2026, 1, 1, tzinfo=Odd()), known)


def test_an_uuid_that_was_tampered_with() -> None:
    value = uuid.UUID(int=1)
    for wrong in (-1, 2**128, "x"):
        object.__setattr__(value, "int", wrong)
        with pytest.raises((EncodeError, ValueError, TypeError, OverflowError)):
            dumps([value], None)


def test_classes_come_and_go() -> None:
    """More classes than the table has places: none is mistaken for another, and few are kept."""
    seen: list[weakref.ref[type]] = []
    for i in range(2000):
        cls = dataclasses.make_dataclass(f"C{i}", [(f"f{i % 7}", int)])
        seen.append(weakref.ref(cls))
        value = cls(i)
        assert dumps([value, value], known).decode() == f'[{{"f{i % 7}":{i}}},{{"f{i % 7}":{i}}}]'
        del cls, value
    gc.collect()
    assert sum(r() is not None for r in seen) <= 256


def test_a_class_that_is_displaced_while_it_is_written() -> None:
    @dataclasses.dataclass
    class Outer:
        first: Any
        second: int = 2

    class Crowd:
        pass

    def default(v: Any) -> Any:
        for i in range(1000):  # takes every place of the table
            dumps(dataclasses.make_dataclass(f"D{i}", [("x", int)])(1))
        return 1

    assert dumps(Outer(Crowd()), default) == b'{"first":1,"second":2}'


def test_as_results() -> None:
    async def struct() -> Plain:
        return Plain(1, [Slots("x")])

    async def data() -> list[Data]:
        return [Data(1)]

    async def moment() -> dt.date:
        return dt.date(2026, 1, 2)

    with Harness(route(struct), route(data), route(moment)) as h:
        assert h.ask(0).body == b'{"a":1,"b":[{"x":"x","y":"\xc3\xbc"}]}'
        assert h.ask(1).body == b'[{"x":1,"_hidden":2}]'
        assert h.ask(2).status == 500  # no object: the render hook is asked what it is as a whole, and knows no dates
