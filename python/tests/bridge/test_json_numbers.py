"""Numbers as the encoder writes them, against int.__repr__ and float.__repr__."""

from __future__ import annotations

import importlib.util
import math
import os
import random
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covet._bridge import dumps, encode_to

COUNT = int(os.environ.get("COVET_FLOATS", "300000"))
"""How many random doubles; ten millions of each kind take three minutes."""


def check(values: Iterable[float]) -> None:
    batch: list[float] = []
    for value in values:
        batch.append(value)
        if len(batch) == 50_000:
            compare(batch)
            batch = []
    compare(batch)


def compare(batch: list[float]) -> None:
    if dumps(batch).decode() != "[" + ",".join(map(repr, batch)) + "]":
        wrong = [v for v in batch if dumps(v).decode() != repr(v)]
        pytest.fail(f"{len(wrong)} of {len(batch)}, such as {wrong[0]!r}: {dumps(wrong[0])!r}")


def double(bits: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits & (1 << 64) - 1))
    return float(value)


def finite(values: Iterable[float]) -> Iterator[float]:
    return (v for v in values if math.isfinite(v))


def test_every_power_of_two_and_its_neighbours() -> None:
    # Where the rounding interval is narrower below.
    check(finite(double((e << 52) + d) for e in range(2048) for d in range(-3, 4)))
    check(finite(double((1 << 63) + (e << 52) + d) for e in range(2047) for d in range(-1, 2)))


def test_every_power_of_ten_times_small_numbers_and_their_neighbours() -> None:
    def values() -> Iterator[float]:
        for e in range(-324, 309):
            for m in range(1, 30):
                v = float(f"{m}e{e}")
                yield from (v, math.nextafter(v, math.inf), math.nextafter(v, 0.0))

    check(finite(values()))


def test_the_least_and_the_greatest() -> None:
    check(double(i) for i in range(5000))  # subnormal
    check(double((1 << 52) - 1 - i) for i in range(5000))
    check(double((0x7FF << 52) - 1 - i) for i in range(5000))
    check([sys.float_info.max, sys.float_info.min, sys.float_info.epsilon, 5e-324, -0.0, 0.0])


def test_where_the_form_changes() -> None:
    places = [1e-5, 1e-4, 1e-3, 0.1, 1.0, 1e9, 1e15, 1e16, 1e17, 1e22, 1e23, 9007199254740992.0, 9007199254740993.0]
    for v in places:
        near = [v, -v]
        for _ in range(200):
            near += [math.nextafter(near[-2], 0.0), math.nextafter(near[-1], -math.inf)]
        check(near)


def test_random_bits() -> None:
    r = random.Random(1)
    check(finite(double(r.getrandbits(64)) for _ in range(COUNT)))


def test_random_in_a_range() -> None:
    r = random.Random(2)
    check(r.uniform(-180, 180) for _ in range(COUNT // 2))
    check(r.random() for _ in range(COUNT // 2))


def test_random_short_decimals() -> None:
    # The way for at most six digits after the point, what it must leave alone, and its ends.
    r = random.Random(3)
    check(r.randrange(10 ** r.randint(1, 17)) / 10 ** r.randint(0, 12) for _ in range(COUNT))
    check(float(f"{r.randrange(10**9)}.{r.randrange(10**6):06}") for _ in range(COUNT // 4))
    check(math.nextafter(r.randrange(10**8) / 100, math.inf) for _ in range(COUNT // 4))


def test_random_integral() -> None:
    r = random.Random(4)
    check(float(r.getrandbits(r.randint(1, 80))) for _ in range(COUNT // 2))


@settings(max_examples=2000, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float(value: float) -> None:
    assert dumps(value).decode() == repr(value)
    assert dumps({value: value}).decode() == f'{{"{value!r}":{value!r}}}'


def test_integers() -> None:
    edges = [10**n + d for n in range(25) for d in (-1, 0, 1)] + [2**n + d for n in range(130) for d in (-1, 0, 1)]
    values = [*range(-11_000, 11_000), *edges, *(-v for v in edges)]
    assert dumps(values).decode() == "[" + ",".join(map(repr, values)) + "]"
    r = random.Random(5)
    values = [r.getrandbits(r.randint(1, 70)) * r.choice([1, -1]) for _ in range(100_000)]
    assert dumps(values).decode() == "[" + ",".join(map(repr, values)) + "]"


class Whole(int):
    def __repr__(self) -> str:
        return "not this"


@pytest.mark.parametrize("value", [0, 1, -1, 2**29, 2**30, 2**31, 2**60, 2**63, -(2**63), 2**100])
def test_subclasses_of_int_are_their_numbers(value: int) -> None:
    assert dumps([Whole(value)]).decode() == f"[{value}]"


@pytest.mark.parametrize("value", [0, -7, 12345678, 2**63, 10**40, 1.5, -0.1, 1e300, math.pi, 5e-324])
def test_at_the_end_of_the_room(value: float) -> None:
    text = dumps([value, value])
    for size in range(120):
        room = bytearray(b"#" * 160)
        got = encode_to([value, value], memoryview(room)[:size])
        assert room[size:] == b"#" * (160 - size)
        assert (bytes(room[:got]) if isinstance(got, int) else got) == text


def test_the_powers_are_what_their_program_makes() -> None:
    source = Path(__file__).parents[2] / "csrc" / "power.py"
    spec = importlib.util.spec_from_file_location("power", source)
    assert spec is not None
    assert spec.loader is not None
    power = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(power)
    assert source.with_name("power_gen.h").read_text() == power.header()
    for k in range(power.FIRST, power.LAST + 1):
        g = power.power(k)
        assert g.bit_length() == 128
        shift = k * 1741647 // (1 << 19) - 127  # floor(log2(10**k)), as float.c has it
        # g is the least integer with g * 2**shift >= 10**k.
        left, right = (g * 2 ** max(shift, 0)) * 10 ** max(-k, 0), 10 ** max(k, 0) * 2 ** max(-shift, 0)
        assert left >= right
        assert left - 2 ** max(shift, 0) * 10 ** max(-k, 0) < right
