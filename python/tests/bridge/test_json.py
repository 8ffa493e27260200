"""The encoder against json.dumps."""

from __future__ import annotations

import collections
import enum
import json
import math
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covet._bridge import EncodeError, dumps


def reference(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Color(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    A = "a"


class Real(float):
    pass


Point = namedtuple("Point", "x y")

CORPUS: list[Any] = [
    {},
    [],
    (),
    "",
    0,
    -1,
    1.0,
    -0.0,
    0.1,
    1e15,
    1e16,
    1e17,
    123456789.125,
    9007199254740991.0,
    9007199254740993.0,
    5e-324,
    1.7976931348623157e308,
    2**31,
    2**53,
    2**63 - 1,
    -(2**63),
    2**63,
    2**64,
    10**50,
    -(10**50),
    99,
    100,
    101,
    12345678901234567,
    True,
    False,
    None,
    '"\\/\b\f\n\r\t\x00\x01\x1f\x7f',
    "é",
    "€",
    "😀",
    'aé€😀\n"',
    "x" * 15 + '"',
    "x" * 16 + "\n",
    "x" * 100_000,
    '"' * 5000,
    "\x01" * 3000,
    "é" * 70,
    "é\n" * 100,
    [[[[]]]],
    {"a": {"b": {"c": [1, {"d": None}]}}},
    {7: 2, 1.5: 3, True: 4, None: 5, "k": 6},
    OrderedDict([("z", 1), ("a", 2)]),
    Point(1, "y"),
    Color.RED,
    Word.A,
    [Color.RED],
    {Color.RED: 1},
    Real(2.5),
    {"k" * 200: "v" * 300},
    [float(i) / 7 for i in range(200)],
    list(range(-500, 500)),
    [10**i for i in range(25)],
]


@pytest.mark.parametrize("value", CORPUS, ids=lambda v: repr(v)[:40])
def test_corpus(value: Any) -> None:
    got = dumps(value)
    if isinstance(value, dict) and any(isinstance(k, enum.IntEnum) for k in value):
        assert json.loads(got) == json.loads(reference(value))
    else:
        assert got == reference(value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
KEYS = TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=400, deadline=None)
@given(st.recursive(LEAVES, lambda v: st.lists(v) | st.dictionaries(KEYS, v) | st.tuples(v, v), max_leaves=30))
def test_like_the_reference(value: Any) -> None:
    assert dumps(value) == reference(value)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 40), TEXT, st.integers(0, 40))
def test_strings_at_every_alignment(before: int, text: str, after: int) -> None:
    value = "a" * before + text + "b" * after
    assert dumps([value, value]) == reference([value, value])


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_and_cycles() -> None:
    assert dumps(nest(200)) == reference(nest(200))
    cycle: list[Any] = []
    cycle.append(cycle)
    loop: dict[str, Any] = {}
    loop["self"] = loop
    for value in (nest(201), cycle, loop):
        with pytest.raises(EncodeError, match="nested"):
            dumps(value)


@pytest.mark.parametrize(
    ("value", "path", "type_name"),
    [
        (math.nan, "$", "float"),
        ({"a": [0, math.inf]}, "$.a[1]", "float"),
        ({"a": {"b-c": b""}}, "$.a['b-c']", "bytes"),
        (["ok", "\udfff"], "$[1]", "str"),
        ({"\ud800": 1}, "$['\\ud800']", "str"),
        ({b"k": 1}, "$[b'k']", "bytes"),
        ([[], [{"x": object}]], "$[1][0].x", "type"),
        ({1: {2: 3j}}, "$[1][2]", "complex"),
    ],
)
def test_errors_say_where(value: Any, path: str, type_name: str) -> None:
    with pytest.raises(EncodeError) as e:
        dumps(value)
    assert (e.value.path, e.value.type_name) == (path, type_name)
    assert path in str(e.value)
    assert isinstance(e.value, TypeError)


def test_an_integer_with_too_many_digits() -> None:
    with pytest.raises(EncodeError, match="digits"):
        dumps([10**5000])


def test_default() -> None:
    def default(value: Any) -> Any:
        if isinstance(value, set):
            return sorted(value)
        if isinstance(value, complex):
            return {"re": value.real, "s": {1}}
        if isinstance(value, bytes):
            raise ZeroDivisionError("of its own")
        raise TypeError("no")

    assert dumps([{2, 1}, 1j], default) == b'[[1,2],{"re":0.0,"s":[1]}]'
    with pytest.raises(EncodeError) as e:
        dumps({"a": [object()]}, default)
    assert (e.value.path, e.value.type_name) == ("$.a[0]", "object")
    with pytest.raises(ZeroDivisionError, match="of its own"):
        dumps([b""], default)
    with pytest.raises(EncodeError, match="nested"):
        dumps(object(), lambda v: v)


def test_a_default_that_changes_what_is_being_written() -> None:
    items: list[Any] = [object() for _ in range(50)]

    def shrink(_: Any) -> int:
        del items[len(items) // 2 :]
        return 0

    dumps(items, shrink)
    table: dict[Any, Any] = {i: object() for i in range(50)}

    def churn(_: Any) -> int:
        table.clear()
        table.update(dict.fromkeys(range(100, 120), 1))
        return 0

    with pytest.raises(RuntimeError, match="changed size"):  # as json.dumps
        dumps(table, churn)


def test_subclasses_of_dict_say_themselves_what_they_hold() -> None:
    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")

    class Other(dict[str, int]):
        def items(self) -> Any:
            return [("z", 1)]

    class Wrong(dict[str, int]):
        def items(self) -> Any:
            return [1]

    for value in (ordered, Other(a=1), collections.defaultdict(int, a=1), collections.Counter("aab")):
        assert dumps([value]) == json.dumps([value], separators=(",", ":")).encode()
    with pytest.raises(EncodeError, match="not pairs"):
        dumps(Wrong(a=1))


def test_a_dict_that_grows_while_it_is_written() -> None:
    value: dict[str, Any] = {"a": {1}}

    def default(v: Any) -> Any:
        value[f"k{len(value)}"] = {1}
        return 1

    with pytest.raises(RuntimeError, match="changed size"):
        dumps(value, default)
