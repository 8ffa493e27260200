"""The data of the json profile: 50 items, the same for every server."""

ITEMS = [
    {
        "id": i,
        "name": f"Item {i}",
        "category": ("books", "games", "garden", "kitchen", "tools")[i % 5],
        "price": 10 + i * 3,
        "quantity": 1 + i % 7,
        "active": i % 3 != 0,
        "tags": ["new", "sale"] if i % 2 else ["classic"],
        "rating": {"score": (i * 7) % 50, "count": i * 11},
    }
    for i in range(50)
]


def answer(count: int, m: int) -> dict[str, object]:
    """What GET /json/{count}?m={m} says."""
    items = [{**item, "total": item["price"] * item["quantity"] * m} for item in ITEMS[:count]]  # type: ignore[operator]
    return {"items": items, "count": len(items)}
