"""The Python half: served below /py by main.go."""

from covet import App

app = App()


@app.get("/users/{id}")
async def get_user(id: int):
    return {"id": id, "from": "Python"}
