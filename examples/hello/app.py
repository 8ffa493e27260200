from covet import App

app = App(title="Hello")


@app.get("/")
async def hello():
    return {"hello": "world"}


@app.get("/users/{id}")
async def get_user(id: int):
    return {"id": id}


if __name__ == "__main__":
    app.run()
