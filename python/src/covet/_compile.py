"""From a handler's signature to a RoutePlan. Runs once a route, at start-up; nothing here runs for a request."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_origin

import msgspec

from covet._body import BodyParameter, is_body_type, prepare_of
from covet._convert import Conversion, Shape, conversion_of, shape_of
from covet._errors import RouteError
from covet._markers import Body, Cookie, Header, Marker, Path, Query
from covet._pattern import Parameter, Pattern
from covet._plan import MISSING, Convert, Mode, ParamPlan, RoutePlan, Source
from covet._request import Request
from covet._router import Route

__all__ = ["compile_route", "compile_routes"]

_SUPPORTED = (
    "str, int, float, bool, UUID, Decimal, date, datetime, time, an Enum or a Literal; "
    "a dataclass, TypedDict, Struct, model or dict for a JSON body; Request"
)


def compile_routes(routes: Iterable[tuple[str, Route]]) -> list[RoutePlan]:
    """Plans for all routes, each with the path it has in the application; RouteError for the first bad one."""
    plans: list[RoutePlan] = []
    taken: dict[tuple[str, str], RoutePlan] = {}
    for path, route in routes:
        plan = compile_route(len(plans), path, route)
        key = Pattern.parse(plan.path).key
        for method in plan.methods:
            other = taken.setdefault((method, key), plan)
            if other is not plan:
                raise RouteError(
                    f"two routes answer {method} {plan.path}: {_described(other)} and {_described(plan)}",
                    "change the method or the path of one of them",
                )
        plans.append(plan)
    return plans


def _described(plan: RoutePlan) -> str:
    return f"{plan.qualname} ({plan.file}:{plan.line}, path {plan.path!r})"


def compile_route(id: int, path: str, route: Route) -> RoutePlan:
    """The plan of one route."""
    try:
        pattern = Pattern.parse(path)
    except ValueError as e:
        raise RouteError(f"{route.where}: the path {path!r} is wrong: {e}") from None
    signature = _Signature(route, pattern)
    for parameter in _parameters(route):
        signature.add(parameter)
    signature.finish()
    return RoutePlan(
        id=id,
        methods=route.methods,
        path=path,
        handler=route.handler,
        mode=_mode(route.handler),
        params=tuple(signature.params),
        status=route.status_code if route.status_code is not None else 200,
        name=route.name,
        qualname=route.qualname,
        file=route.file,
        line=route.line,
        prepare=signature.prepare(),
    )


def _mode(handler: Callable[..., Any]) -> Mode:
    function = handler
    while True:
        for candidate in (function, getattr(function, "__call__", None)):  # noqa: B004 - an instance's own method
            if inspect.iscoroutinefunction(candidate):
                return Mode.ASYNC
            if inspect.isasyncgenfunction(candidate):
                return Mode.ASYNC_ITERATOR
            if inspect.isgeneratorfunction(candidate):
                return Mode.SYNC_ITERATOR
        # A plain function that wraps a coroutine function hands its coroutine on.
        wrapped = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if wrapped is None:
            return Mode.SYNC
        function = wrapped


def _parameters(route: Route) -> list[inspect.Parameter]:
    """The parameters with resolved annotations."""
    try:
        signature = inspect.signature(route.handler)
    except (TypeError, ValueError, NameError) as e:
        raise RouteError(f"{route.where}: its signature cannot be read: {e}") from None
    function = inspect.unwrap(route.handler)
    while hasattr(function, "func"):  # functools.partial
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    names = getattr(function, "__globals__", {})
    parameters = []
    for parameter in signature.parameters.values():
        annotation = parameter.annotation
        if annotation is not inspect.Parameter.empty:
            annotation = _resolve(annotation, names, route, parameter.name)
        parameters.append(parameter.replace(annotation=annotation))
    return parameters


def _resolve(annotation: Any, names: dict[str, Any], route: Route, name: str) -> Any:
    def holder() -> None: ...

    # One at a time: an annotation that only type checkers can see must be named, and the result's does not matter.
    holder.__annotations__ = {name: annotation}
    try:
        return typing.get_type_hints(holder, names, include_extras=True)[name]
    except Exception as e:  # evaluating an annotation runs any code
        raise RouteError(
            f"{route.where}: the annotation of {name!r} cannot be resolved: {e}",
            "names in annotations must exist in the module when the application starts, not only for type checkers",
        ) from e


@dataclass(slots=True)
class _Argument:
    """A parameter on its way into the plan."""

    name: str
    annotation: Any
    shape: Shape
    default: Any
    marker: Marker | Body | None


class _Signature:
    """Collects what a handler's parameters become."""

    def __init__(self, route: Route, pattern: Pattern) -> None:
        self.route = route
        self.places = {parameter.name: i for i, parameter in enumerate(pattern.parameters)}
        self.kinds = {parameter.name: parameter for parameter in pattern.parameters}
        self.unused = set(self.places)
        self.params: list[ParamPlan] = []
        self.bodies: list[BodyParameter] = []
        self.embed = False
        self.marked = False
        self.has_request = False

    def refuse(self, name: str, what: str, hint: str = "") -> RouteError:
        return RouteError(f"{self.route.where}: the parameter {name!r} {what}", hint)

    def add(self, parameter: inspect.Parameter) -> None:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise self.refuse(f"*{name}", "takes anything", "name every parameter, or take a Request")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self.refuse(name, "is positional-only", "arguments are passed by name: remove the '/'")
        default = MISSING if parameter.default is parameter.empty else parameter.default
        if isinstance(default, (Marker, Body)):
            kind = type(default).__name__
            raise self.refuse(name, f"has {kind}(…) as its default", f"write {name}: Annotated[int, {kind}(…)] = 10")
        annotation = parameter.annotation
        if annotation is parameter.empty:
            if name == "request":
                raise self.refuse(name, "has no annotation", "write request: Request")
            if default is not MISSING and not isinstance(default, (str, type(None))):
                raise self.refuse(name, "has no annotation", f"write {name}: {type(default).__name__} = {default!r}")
            annotation = str
        if isinstance(annotation, type) and issubclass(annotation, Request):
            self.has_request = True
            self.params.append(ParamPlan(name, Source.REQUEST, ""))
            return
        argument = self.argument(name, annotation, default)
        if name in self.places:
            self.add_path(argument)
        elif isinstance(argument.marker, Path):
            raise self.refuse(name, "is marked Path, but is not in the path", f"write {{{name}}} in the path")
        elif isinstance(argument.marker, Body) or (argument.marker is None and is_body_type(annotation)):
            self.add_body(argument)
        else:
            self.add_text(argument)

    def argument(self, name: str, annotation: Any, default: Any) -> _Argument:
        shape = shape_of(annotation)
        markers = [m for m in map(_instance, shape.metadata) if isinstance(m, (Marker, Body))]
        if len(markers) > 1:
            raise self.refuse(name, f"has {len(markers)} markers", "one of Path, Query, Header, Cookie, Body")
        if default is MISSING and shape.optional:
            # Text cannot say None: the only way to give it is to give nothing.
            default = None
        return _Argument(name, annotation, shape, default, markers[0] if markers else None)

    def conversion(self, argument: _Argument) -> Conversion:
        constraints = [m for m in argument.shape.metadata if isinstance(m, (Marker, msgspec.Meta))]
        try:
            found = conversion_of(argument.shape.scalar, constraints)
        except ValueError as e:
            raise self.refuse(argument.name, f"has a constraint that cannot hold: {e}") from None
        if found is None:
            raise self.refuse(
                argument.name, f"has the type {_shown(argument.shape.scalar)}, which is not supported", _SUPPORTED
            )
        return found

    def add_path(self, argument: _Argument) -> None:
        name, marker = argument.name, argument.marker
        if marker is not None and not isinstance(marker, Path):
            raise self.refuse(name, f"is in the path and marked {type(marker).__name__}")
        if marker is not None and marker.alias not in (None, name):
            raise self.refuse(name, "has an alias", "a path parameter has the name that it has in the path")
        if argument.shape.multiple:
            raise self.refuse(name, "is in the path and a list", "the path gives one text a parameter")
        found = self.conversion(argument)
        self.check_kind(self.kinds[name], found)
        self.unused.discard(name)
        self.append(argument, Source.PATH, name, found, index=self.places[name])

    def check_kind(self, parameter: Parameter, found: Conversion) -> None:
        allowed = {
            "int": ("int", "float", "decimal", "str"),
            "uuid": ("uuid", "str"),
            "float": ("float", "decimal", "str"),
        }
        if parameter.kind in allowed and found.kind not in (*allowed[parameter.kind], "enum", "literal"):
            raise self.refuse(parameter.name, f"is {parameter.kind} in the path and {found.kind} in the signature")

    def add_text(self, argument: _Argument) -> None:
        name, marker = argument.name, argument.marker
        found = self.conversion(argument)
        if isinstance(marker, (Header, Cookie)) and argument.shape.multiple:
            raise self.refuse(name, "is a list", "take request: Request and use request.headers.get_list(…)")
        match marker:
            case Header():
                key = marker.alias or (name.replace("_", "-") if marker.convert_underscores else name)
                self.append(argument, Source.HEADER, key.lower(), found)
            case Cookie():
                self.append(argument, Source.COOKIE, marker.alias or name, found)
            case Query():
                self.append(argument, Source.QUERY, marker.alias or name, found)
            case _:
                self.append(argument, Source.QUERY, name, found)

    def append(self, argument: _Argument, source: Source, key: str, found: Conversion, index: int = 0) -> None:
        self.params.append(
            ParamPlan(
                name=argument.name,
                source=source,
                key=key,
                index=index,
                convert=found.convert,
                call=found.call,
                multiple=argument.shape.multiple,
                # A part of the path is always there.
                default=MISSING if source is Source.PATH else argument.default,
                # The extension has words of its own for the conversions it makes itself.
                reason=found.reason if found.convert is Convert.CALL else "",
                kind=found.kind,
            )
        )

    def add_body(self, argument: _Argument) -> None:
        marker = argument.marker
        key = argument.name
        if isinstance(marker, Body):
            self.marked = True
            self.embed = self.embed or marker.embed
            key = marker.alias or key
        # Our markers mean nothing to the decoder, msgspec.Meta and pydantic's fields do.
        annotation = bytes if argument.shape.scalar is bytes else _without_markers(argument.annotation)
        self.bodies.append(BodyParameter(argument.name, key, annotation, argument.default))
        self.params.append(ParamPlan(argument.name, Source.PREPARED, argument.name))

    def finish(self) -> None:
        if self.unused and not self.has_request:
            first = next(name for name in self.places if name in self.unused)
            raise RouteError(
                f"{self.route.where}: the path has {{{first}}}, but the handler has no parameter {first!r}",
                f"add {first}: str to its signature, or request: Request",
            )
        if not self.bodies:
            return
        if not self.marked and set(self.route.methods) & {"GET", "HEAD"}:
            # RFC 9110 section 9.3.1: content in a GET has no defined meaning, so this is a mistake unless said twice.
            raise self.refuse(
                self.bodies[0].name,
                "is a body, which a GET does not have",
                "use another method, or Annotated[…, Body()]",
            )
        if len(self.bodies) > 1 and any(body.annotation is bytes for body in self.bodies):
            raise self.refuse(
                self.bodies[1].name, "is a second body", "bytes takes the whole body: no other can be made"
            )

    def prepare(self) -> Callable[[Any], Awaitable[Mapping[str, Any]]] | None:
        if not self.bodies:
            return None
        try:
            return prepare_of(self.bodies, embed=self.embed)
        except Exception as e:  # pydantic and msgspec raise what they like for types they do not know
            names = ", ".join(body.name for body in self.bodies)
            raise self.refuse(names, f"cannot be decoded from JSON: {e}", _SUPPORTED) from e


def _instance(metadata: Any) -> Any:
    # Annotated[int, Query] instead of Query(): what was meant is clear.
    return metadata() if isinstance(metadata, type) and issubclass(metadata, (Marker, Body)) else metadata


def _without_markers(annotation: Any) -> Any:
    if get_origin(annotation) is not Annotated:
        return annotation
    inner, *metadata = typing.get_args(annotation)
    kept = [m for m in metadata if not isinstance(_instance(m), (Marker, Body))]
    for m in kept:
        inner = Annotated[inner, m]
    return inner


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
