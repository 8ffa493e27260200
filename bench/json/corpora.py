"""The documents of the JSON benchmarks: made, not stored, and the same on every run.

``python corpora.py DIRECTORY`` writes those that both languages measure as files.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "apps"))
from items import answer

WORDS = [
    "the",
    "a",
    "release",
    "of",
    "our",
    "engine",
    "is",
    "here",
    "now",
    "with",
    "faster",
    "numbers",
    "and",
    "shorter",
    "strings",
    "for",
    "everyone",
    "who",
    "waited",
]
KANA = "".join(map(chr, range(0x3042, 0x3094)))
KANJI = "日本語東京大阪新聞速報今日明日天気電車遅延写真公開募集開始最新情報詳細続報会社製品発売予定価格無料限定"
EMOJI = "😀🎉🚀🐍✨👍"


def _sentence(r: random.Random) -> str:
    kind = r.random()
    if kind < 0.55:  # as in the well-known file, most of which is Japanese
        text = "".join(r.choice(KANA if r.random() < 0.6 else KANJI) for _ in range(r.randint(25, 110)))
    else:
        text = " ".join(r.choice(WORDS) for _ in range(r.randint(6, 20)))
    if r.random() < 0.15:
        text += " " + r.choice(EMOJI)
    if r.random() < 0.3:
        text = f'"{text}"'
    if r.random() < 0.35:
        text += "\n" + "http://t.co/" + "".join(r.choices("abcdefghijkmnpqrstuvwxyzABCDEF0123456789", k=10))
    return text


def _user(r: random.Random) -> dict[str, Any]:
    number = r.randint(10**6, 3 * 10**9)
    image = f"http://pbs.twimg.example/profile_images/{r.randint(10**17, 10**18)}/photo_normal.jpeg"
    return {
        "id": number,
        "id_str": str(number),
        "name": "".join(r.choice(KANA) for _ in range(r.randint(3, 10))) if r.random() < 0.7 else r.choice(WORDS),
        "screen_name": "".join(r.choices("abcdefghijklmnopqrstuvwxyz_0123456789", k=r.randint(5, 15))),
        "location": r.choice(["", "東京", "Osaka", "Zürich", "São Paulo"]),
        "description": _sentence(r),
        "url": None,
        "entities": {"description": {"urls": []}},
        "protected": False,
        "followers_count": r.randint(0, 100_000),
        "friends_count": r.randint(0, 5000),
        "listed_count": r.randint(0, 100),
        "created_at": "Sun Aug 31 00:29:15 +0000 2014",
        "favourites_count": r.randint(0, 50_000),
        "utc_offset": r.choice([None, 32400, -7200]),
        "time_zone": r.choice([None, "Tokyo"]),
        "geo_enabled": r.random() < 0.3,
        "verified": False,
        "statuses_count": r.randint(1, 90_000),
        "lang": "ja",
        "profile_background_color": "C0DEED",
        "profile_background_image_url": "http://abs.twimg.example/images/themes/theme1/bg.png",
        "profile_background_tile": False,
        "profile_image_url": image,
        "profile_image_url_https": image.replace("http:", "https:"),
        "profile_link_color": "0084B4",
        "profile_text_color": "333333",
        "default_profile": True,
        "following": False,
    }


def _status(r: random.Random, nested: bool = True) -> dict[str, Any]:
    number = r.randint(10**17, 6 * 10**17)
    status: dict[str, Any] = {
        "metadata": {"result_type": "recent", "iso_language_code": "ja"},
        "created_at": "Sun Aug 31 00:29:15 +0000 2014",
        "id": number,
        "id_str": str(number),
        "text": _sentence(r),
        "source": '<a href="http://twitter.example/download/iphone" rel="nofollow">Client for "iPhone"</a>',
        "truncated": False,
        "in_reply_to_status_id": None,
        "in_reply_to_user_id": None,
        "user": _user(r),
        "geo": {"type": "Point", "coordinates": [r.uniform(-90, 90), r.uniform(-180, 180)]}
        if r.random() < 0.1
        else None,
        "place": None,
        "retweet_count": r.randint(0, 300),
        "favorite_count": r.randint(0, 300),
        "entities": {
            "hashtags": [{"text": r.choice(WORDS), "indices": [1, 9]} for _ in range(r.randint(0, 2))],
            "symbols": [],
            "urls": [],
            "user_mentions": [
                {"screen_name": r.choice(WORDS), "id": r.randint(1, 10**9), "indices": [0, 12]}
                for _ in range(r.randint(0, 2))
            ],
        },
        "favorited": False,
        "retweeted": False,
        "lang": "ja",
    }
    if nested and r.random() < 0.4:
        status["retweeted_status"] = _status(r, nested=False)
    return status


def twitter(count: int) -> dict[str, Any]:
    """A search result of so many messages: texts in three alphabets, escapes, nesting, nulls."""
    r = random.Random(13)
    metadata = {"completed_in": 0.087, "max_id": 505874924095815681, "query": "%E4%B8%80", "count": count}
    return {"statuses": [_status(r) for _ in range(count)], "search_metadata": metadata}


def canada(points: int) -> dict[str, Any]:
    """A border: nearly nothing but floats of 15 to 17 digits."""
    r = random.Random(7)
    rings = [[[r.uniform(-141, -52), r.uniform(41, 83)] for _ in range(100)] for _ in range(points // 100)]
    geometry = {"type": "Polygon", "coordinates": rings}
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": geometry}]}


def prices(count: int) -> list[float]:
    """Short floats: two digits after the point."""
    r = random.Random(5)
    return [r.randint(1, 10**6) / 100 for _ in range(count)]


def escapes(count: int) -> list[str]:
    """Source text as JSON strings: an escape every few bytes."""
    line = 'if (a == "b\\n") {\n\tprintf("%s \\"%d\\"\\r\\n", "C:\\\\dir\\\\file", x);\n}\n'
    return [line * 4 for _ in range(count)]


SMALL = {"id": 42, "name": "somebody", "email": "somebody@example.test", "age": 33, "active": True, "score": 1.25}


class User(msgspec.Struct):
    id: int
    name: str
    email: str
    age: int
    active: bool
    score: float
    tags: list[str]


@dataclass
class Account:
    id: int
    name: str
    email: str
    age: int
    active: bool
    score: float
    tags: list[str]


@dataclass(slots=True)
class Slotted:
    id: int
    name: str
    email: str
    age: int
    active: bool
    score: float
    tags: list[str]


def _users(make: Callable[..., Any], count: int = 20) -> list[Any]:
    return [
        make(i, f"user {i}", f"user{i}@example.test", 20 + i, i % 3 > 0, i * 1.25, ["new", "sale"])
        for i in range(count)
    ]


def rows(count: int) -> list[dict[str, Any]]:
    """Rows of a table as a database driver gives them: keys, times, plain columns."""
    r = random.Random(3)
    begin = dt.datetime(2026, 1, 1, 12, 30, tzinfo=dt.UTC)
    return [
        {
            "id": uuid.UUID(int=r.getrandbits(128)),
            "created_at": begin + dt.timedelta(seconds=i * 977, microseconds=i % 2 * 1234),
            "day": dt.date(2026, 1 + i % 12, 1 + i % 28),
            "name": f"row {i}",
        }
        for i in range(count)
    ]


def documents() -> dict[str, Any]:
    """Name to value; the plain ones first, then those of rich types."""
    return {
        "small": SMALL,
        "items50": answer(50, 6),
        "items5": answer(5, 7),
        "twitter": twitter(230),
        "twitter10k": twitter(3),
        "canada": canada(5000),
        "prices": prices(1000),
        "integers": [i * 7919 % 1_000_003 for i in range(1000)],
        "escapes": escapes(50),
        "ascii64k": "The quick brown fox jumps over the lazy dog. " * 1456,
        "struct20": _users(User),
        "dataclass20": _users(Account),
        "slots20": _users(Slotted),
        "rows20": rows(20),
    }


PLAIN = ("small", "items50", "items5", "twitter", "twitter10k", "canada", "prices", "integers", "escapes", "ascii64k")


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    values = documents()
    for name in PLAIN:
        text = json.dumps(values[name], ensure_ascii=False, separators=(",", ":"))
        (directory / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
