"""Strings as the encoder writes them: every alignment, every width of character, every place for an escape."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covet._bridge import EncodeError, dumps, encode_to


def reference(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


FILLERS = {"ascii": "a", "latin": "é", "two": "ß€", "three": "語", "four": "😀", "mixed": "a語é😀"}
SPECIAL = [
    '"',
    "\\",
    "\n",
    "\x00",
    "\x1f",
    "\x7f",
    " ",
    "\x80",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U0010ffff",
]


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS.keys())
@pytest.mark.parametrize("special", SPECIAL, ids=ascii)
def test_one_special_character_anywhere(filler: str, special: str) -> None:
    for length in range(70):
        text = (filler * length)[:length]
        for at in {0, 1, length // 2, max(length - 17, 0), max(length - 16, 0), max(length - 1, 0), length}:
            value = text[:at] + special + text[at:]
            assert dumps(value) == reference(value)


def test_every_byte_at_every_place_of_a_block() -> None:
    for byte in range(128):
        for length in (*range(1, 20), 31, 32, 33, 47, 48, 49):
            for at in range(length):
                value = "x" * at + chr(byte) + "y" * (length - at - 1)
                assert dumps(value) == reference(value)


def test_every_pair_of_escapes_in_two_blocks() -> None:
    for first in range(33):
        for second in range(33):
            value = list("z" * 34)
            value[first], value[second] = '"', "\n"
            text = "".join(value)
            assert dumps(text) == reference(text)


def test_every_character() -> None:
    plain = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    for begin in range(0, len(plain), 997):
        piece = plain[begin : begin + 997]
        assert dumps(piece) == reference(piece)
        text = "".join(piece)
        assert dumps(text) == reference(text)


@pytest.mark.parametrize("surrogate", [*map(chr, (0xD800, 0xDBFF, 0xDC00, 0xDFFF))], ids=ascii)
@pytest.mark.parametrize("filler", ["a", "é", "語", "😀"])
def test_a_lone_surrogate_anywhere(surrogate: str, filler: str) -> None:
    for length in range(40):
        for at in range(length + 1):
            with pytest.raises(EncodeError, match="lone surrogate"):
                dumps(filler * at + surrogate + filler * (length - at))


ALPHABET = st.sampled_from([*SPECIAL, *"abcXYZ019 /<>&'", "é", "ü", "語", "東", "京", "😀"])


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=200), max_size=6))
def test_mixtures(value: list[str]) -> None:
    assert dumps(value) == reference(value)
    assert dumps({k: v for v, k in enumerate(value)}) == reference({k: v for v, k in enumerate(value)})


@pytest.mark.parametrize(
    "text", ["", "a", "a" * 15, "a" * 40, '"' * 9, '"' * 20, "a\n" * 20, "é" * 17, "語" * 19, "😀" * 5]
)
def test_at_the_end_of_the_room(text: str) -> None:
    """What does not fit moves to the heap; nothing is written behind the room, wherever it ends."""
    for value in (text, [text, text], {text: text}, {"k": [text]}):
        want = dumps(value)
        for size in range(len(want) + 150):
            room = bytearray(b"#" * (size + 64))
            got = encode_to(value, memoryview(room)[:size])
            assert room[size:] == b"#" * 64
            assert (bytes(room[:got]) if isinstance(got, int) else got) == want


def test_brackets_at_the_end_of_the_room() -> None:
    value: Any = []
    for _ in range(60):
        value = [value, {"": value}] if len(dumps(value)) < 200 else [value]
    want = reference(value)
    for size in range(len(want) + 40):
        room = bytearray(b"#" * (size + 64))
        got = encode_to(value, memoryview(room)[:size])
        assert room[size:] == b"#" * 64
        assert (bytes(room[:got]) if isinstance(got, int) else got) == want


def test_great_texts() -> None:
    r = random.Random(1)
    for alphabet in ("abc", 'ab"\n', "aé", "a語", "a語😀\n"):
        value = "".join(r.choices(alphabet, k=300_000))
        assert dumps(value) == reference(value)


def test_keys_that_are_remembered() -> None:
    """Interned keys, short and long, with and without escapes, more than there are places for; twice each."""
    keys = [sys.intern(f"{c}{'k' * (i % 35)}{i}") for i in range(1500) for c in ("", '"', "\n", "é", "\\")]
    for _ in range(2):
        for begin in range(0, len(keys), 100):
            value = dict.fromkeys(keys[begin : begin + 100], 1)
            assert dumps([value, value]) == reference([value, value])
    for key in map(sys.intern, ['"', '""', "\\", "\\\\", '\\"', '"\\', '"\\"\\', 'x"y"', '\\"\\"', ""]):
        for _ in range(3):
            assert dumps({key: {key: 1}}) == reference({key: {key: 1}})
