"""The profiles as Django views (ASGI): no sessions, no templates, no database; pydantic where a body is validated."""

import asyncio
import os
from typing import Annotated

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="django_app",
    SECRET_KEY="of the benchmarks only",
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"] if "BENCH_COMPRESS" in os.environ else [],
    APPEND_SLASH=False,
    LOGGING_CONFIG=None,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)

from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from items import answer  # noqa: E402
from pydantic import BaseModel, Field, ValidationError  # noqa: E402


class NewUser(BaseModel):
    name: str
    email: str
    age: Annotated[int, Field(ge=0, le=150)]
    city: str
    country: str
    phone: str
    newsletter: bool
    score: float
    tags: list[str]
    referrer: str | None = None


def text(value):
    return HttpResponse(value, content_type="text/plain; charset=utf-8")


def refused(field):
    return JsonResponse({"error": field}, status=422)


async def baseline(request):
    try:
        total = int(request.GET["a"]) + int(request.GET["b"])
        if request.method == "POST":
            total += int(request.body)
    except (KeyError, ValueError):
        return refused("query")
    return text(str(total))


async def pipeline(request):
    return text("ok")


async def plaintext(request):
    return text("Hello, World!")


async def sleep(request):
    await asyncio.sleep(0.01)
    return text("ok")


async def json_profile(request, count):
    try:
        return JsonResponse(answer(count, int(request.GET.get("m", 1))))
    except ValueError:
        return refused("m")


async def get_user(request, id):
    try:
        return JsonResponse(
            {
                "id": int(id),
                "q": request.GET.get("q", ""),
                "limit": int(request.GET.get("limit", 10)),
                "tenant": request.headers.get("X-Tenant", "none"),
                "active": True,
            }
        )
    except ValueError:
        return refused("path.id")


async def create_user(request):
    try:
        user = NewUser.model_validate_json(request.body)
    except ValidationError as e:
        return HttpResponse(e.json(), status=422, content_type="application/json")
    return HttpResponse(user.model_dump_json(), status=201, content_type="application/json")


async def upload(request):
    size = 0
    while piece := request.read(64 << 10):
        size += len(piece)
    return text(str(size))


async def small(request, id):
    return JsonResponse({"id": id})


urlpatterns = [
    path("baseline11", baseline),
    path("pipeline", pipeline),
    path("plaintext", plaintext),
    path("sleep", sleep),
    path("json/<int:count>", json_profile),
    path("users/<str:id>", get_user),
    path("users", create_user),
    path("upload", upload),
    path("small/<int:id>", small),
]

app = get_asgi_application()
