from covet._plan import Convert, Source
from harness import Harness, param, route


async def get_user(id: int):
    return {"id": id}


def test_smoke():
    with Harness(route(get_user, param("id", Source.PATH, Convert.INT))) as h:
        a = h.ask(path="/users/42", params=["42"])
        assert (a.type, a.status, a.content, a.body) == ("RESPONSE", 200, 1, b'{"id":42}')
        a = h.ask(path="/users/x", params=["x"])
        assert a.details == b'[["path.id","must be an integer","int"]]'
