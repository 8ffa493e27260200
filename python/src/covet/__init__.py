"""CovetPy: handlers in Python, served by an engine in Go.

from covet import App

app = App()

@app.get("/users/{id}")
async def get_user(id: int):
    return {"id": id}

if __name__ == "__main__":
    app.run()
"""

try:
    from covet import _bridge as _bridge
except ImportError as e:
    raise ImportError(
        f"the extension of covet cannot be loaded ({e}): install covetpy with the interpreter that is to run it"
    ) from None

from covet._app import App
from covet._cookies import Cookies, SameSite
from covet._errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    ExpectationFailed,
    Forbidden,
    Gone,
    HandlerTimeout,
    HeaderFieldsTooLarge,
    HTTPError,
    InternalError,
    LengthRequired,
    MethodNotAllowed,
    MisdirectedRequest,
    NotAcceptable,
    NotFound,
    NotSupported,
    PreconditionFailed,
    RangeNotSatisfiable,
    RequestTimeout,
    RouteError,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
    UpgradeRequired,
    URITooLong,
    ValidationError,
)
from covet._form import FormData, Multipart, Part, UploadFile
from covet._headers import Headers
from covet._json_response import JSONResponse
from covet._markers import Body, Cookie, Header, Path, Query
from covet._query import QueryParams
from covet._request import Request
from covet._response import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from covet._router import Router
from covet._state import State
from covet._url import URL, Address
from covet._version import __version__

__all__ = [
    "URL",
    "Address",
    "App",
    "BadRequest",
    "Body",
    "Conflict",
    "ContentTooLarge",
    "Cookie",
    "Cookies",
    "ExpectationFailed",
    "Forbidden",
    "FormData",
    "Gone",
    "HTMLResponse",
    "HTTPError",
    "HandlerTimeout",
    "Header",
    "HeaderFieldsTooLarge",
    "Headers",
    "InternalError",
    "JSONResponse",
    "LengthRequired",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "Multipart",
    "NotAcceptable",
    "NotFound",
    "NotSupported",
    "Part",
    "Path",
    "PlainTextResponse",
    "PreconditionFailed",
    "Query",
    "QueryParams",
    "RangeNotSatisfiable",
    "RedirectResponse",
    "Request",
    "RequestTimeout",
    "Response",
    "RouteError",
    "Router",
    "SameSite",
    "ServiceUnavailable",
    "State",
    "StreamingResponse",
    "TooManyRequests",
    "URITooLong",
    "Unauthorized",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "UploadFile",
    "ValidationError",
    "__version__",
]
