"""multipart/form-data and urlencoded text, parsed without I/O: bytes in, events out (RFC 7578, RFC 2046 section 5.1).

The twin of the engine's parser: one corpus of cases tests both, and what is strict there is strict here. The search for
boundaries is ``bytes.find``, so that data costs what it costs to look at every byte once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from covet._fields import TOKEN

__all__ = [
    "Data",
    "FormError",
    "Limits",
    "MultipartParser",
    "PartEnd",
    "PartHead",
    "boundary_of",
    "parse_pairs",
    "split_media_type",
]

Reason = Literal[
    "boundary",
    "preamble",
    "delimiter",
    "header",
    "disposition",
    "name",
    "encoding",
    "text",
    "truncated",
    "epilogue",
    "parts",
    "fields",
    "files",
    "field_bytes",
    "fields_bytes",
    "file_bytes",
    "size",
    "head_bytes",
    "head_lines",
]
"""What can be wrong with a form. The names are shared with the engine's parser and with the corpus."""

# White space that transports may add to the line of a boundary (RFC 2046 section 5.1.1): HTTP adds none.
_MAX_PADDING: Final = 64
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
# RFC 9110 section 5.5: what a field value may hold, as Latin-1.
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")
_UNESCAPE: Final = re.compile(r'\\(["\\])')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"')
# WHATWG HTML section 4.10.21.8: these are escaped in names, and "%" itself is not: nothing else may be decoded.
_NAME_ESCAPE: Final = re.compile(r"%(22|0[DdAa])")
_NAME_ESCAPES: Final = {"22": '"', "0d": "\r", "0a": "\n"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class FormError(ValueError):
    """A form is malformed, or over one of its limits."""

    def __init__(self, reason: Reason, message: str, *, limit: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a form, sizes in bytes; None is no bound of its own: the engine's limit on bodies holds."""

    parts: int = 1000
    """Fields and files together."""
    fields: int = 1000
    files: int = 100
    field_bytes: int = 1 << 20
    """The data of one field."""
    fields_bytes: int = 2 << 20
    """Names and data of all fields together, which are kept in memory."""
    file_bytes: int | None = None
    size: int | None = None
    """The whole body."""
    head_bytes: int = 8 << 10
    """The head of one part."""
    head_lines: int = 16
    preamble: int = 1 << 10
    epilogue: int = 1 << 10


class PartHead:
    """The head of a part: an event."""

    __slots__ = ("content_type", "headers", "is_file", "name", "raw_filename")

    def __init__(
        self, name: str, raw_filename: str, is_file: bool, content_type: str, headers: list[tuple[str, str]]
    ) -> None:
        self.name = name
        self.raw_filename = raw_filename
        """As the client wrote it, which may be a path."""
        self.is_file = is_file
        """There is a filename, be it empty: a form field for a file without one chosen."""
        self.content_type = content_type
        """As it came, or ``""``."""
        self.headers = headers
        """All fields in order, names in lower case."""

    @property
    def filename(self) -> str:
        """The last component of ``raw_filename`` without control characters; "" when nothing remains to name a file."""
        name = _CONTROL.sub("", self.raw_filename[max(map(self.raw_filename.rfind, "/\\")) + 1 :])
        return name if name.strip(". ") else ""


class PartEnd:
    """The end of a part: an event."""

    __slots__ = ()


Data = bytes
"""A piece of a part, never empty: an event."""

Event = PartHead | PartEnd | Data

_PART_END: Final = PartEnd()


class MultipartParser:
    """The state of one body."""

    # preamble → delimiter → head → first → data → delimiter → … → epilogue → over
    __slots__ = (
        "_buffer",
        "_dash",
        "_delimiter",
        "_fields",
        "_fields_bytes",
        "_file",
        "_files",
        "_limits",
        "_part_bytes",
        "_parts",
        "_scanned",
        "_size",
        "_skipped",
        "_state",
    )

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        """``boundary`` is a valid one: see ``boundary_of``."""
        self._dash: Final = b"--" + boundary
        self._delimiter: Final = b"\r\n" + self._dash
        self._limits = limits
        self._state = "start"
        self._buffer = b""
        self._scanned = self._skipped = 0
        self._parts = self._fields = self._files = 0
        self._size = self._fields_bytes = self._part_bytes = 0
        self._file = False

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Events of the next piece of the body, in order. The iterator must be used up before the next call.

        FormError ends the body.
        """
        self._size += len(piece)
        if self._limits.size is not None and self._size > self._limits.size:
            raise _over("size", f"the form is over {self._limits.size} bytes")
        buffer = self._buffer + piece if self._buffer else piece
        at = 0
        while True:
            state = self._state
            if state == "data":
                # The hot one: everything up to the next boundary.
                end = buffer.find(self._delimiter, at)
                if end < 0:
                    end = self._held(buffer, at)
                    if end > at:
                        self._count(end - at)
                        yield buffer[at:end]
                    at = end
                    break
                if end > at:
                    self._count(end - at)
                    yield buffer[at:end]
                at = end + len(self._delimiter)
                self._state = "delimiter"
                yield _PART_END
            elif state == "delimiter":
                after = self._delimiter_line(buffer, at)
                if after < 0:
                    break
                at = after
            elif state == "head":
                end, after = self._head_end(buffer, at)
                if end < 0:
                    break
                yield self._begin(buffer[at:end])
                at = after
            elif state in ("start", "first"):
                # No CRLF of its own precedes a boundary at the very beginning: of the body, or of a part whose head is
                # followed by the next boundary (RFC 2046 section 5.1.1: that CRLF belongs to the boundary).
                if len(buffer) - at < len(self._dash) and self._dash.startswith(buffer[at:]):
                    break
                if not buffer.startswith(self._dash, at):
                    self._state = "preamble" if state == "start" else "data"
                    continue
                at += len(self._dash)
                self._state = "delimiter"
                if state == "first":
                    yield _PART_END
            elif state == "preamble":
                end = buffer.find(self._delimiter, at)
                found = end >= 0
                if not found:
                    end = self._held(buffer, at)
                self._skipped += end - at
                if self._skipped > self._limits.preamble:
                    raise _over("preamble", f"no boundary within the first {self._limits.preamble} bytes")
                at = end
                if not found:
                    break
                at += len(self._delimiter)
                self._state = "delimiter"
            else:
                self._skipped += len(buffer) - at
                if self._skipped > self._limits.epilogue:
                    raise _over("epilogue", f"more than {self._limits.epilogue} bytes follow the last boundary")
                at = len(buffer)
                break
        self._buffer = buffer[at:]

    def end(self) -> None:
        """The body is over. FormError when its last boundary did not come."""
        if self._state != "epilogue":
            raise FormError("truncated", "the form ends before its last boundary")

    def _held(self, buffer: bytes, at: int) -> int:
        """Where a boundary may begin that is not complete, else the end. Its one CR is its first byte."""
        cr = buffer.rfind(b"\r", max(at, len(buffer) - len(self._delimiter) + 1))
        return cr if cr >= 0 and self._delimiter.startswith(buffer[cr:]) else len(buffer)

    def _count(self, n: int) -> None:
        limits = self._limits
        self._part_bytes += n
        if self._file:
            if limits.file_bytes is not None and self._part_bytes > limits.file_bytes:
                raise _over("file_bytes", f"a file of the form is over {limits.file_bytes} bytes")
            return
        if self._part_bytes > limits.field_bytes:
            raise _over("field_bytes", f"a field of the form is over {limits.field_bytes} bytes")
        self._count_fields(n)

    def _count_fields(self, n: int) -> None:
        self._fields_bytes += n
        if self._fields_bytes > self._limits.fields_bytes:
            raise _over("fields_bytes", f"the fields of the form are over {self._limits.fields_bytes} bytes together")

    def _delimiter_line(self, buffer: bytes, at: int) -> int:
        """Where what follows a boundary ends; -1: more is needed.

        RFC 2046 section 5.1.1 forbids data that begins with a boundary at the start of a line, so what is neither
        "--" nor the end of the line is an error: other parsers take it for data, or for a boundary.
        """
        rest = buffer[at : at + _MAX_PADDING + 2]
        if rest.startswith(b"--"):
            self._state, self._skipped = "epilogue", 0
            return at + 2
        if rest in (b"", b"-"):
            return -1
        line = rest.lstrip(b" \t")
        padding = len(rest) - len(line)
        if padding <= _MAX_PADDING:
            if line.startswith(b"\r\n"):
                self._state, self._scanned = "head", 0
                return at + padding + 2
            if line in (b"", b"\r"):
                return -1
        raise FormError("delimiter", "a boundary is followed by something else")

    def _head_end(self, buffer: bytes, at: int) -> tuple[int, int]:
        """Where the lines of a head end, and what follows them begins; -1: more is needed."""
        limit = self._limits.head_bytes
        if buffer.startswith(b"\r\n", at):
            return at, at + 2
        found = buffer.find(b"\r\n\r\n", at + max(0, self._scanned - 3), at + limit + 2)
        if found >= 0:
            return found + 2, found + 4
        if len(buffer) - at > limit + 2:
            raise _over("head_bytes", f"the head of a part is over {limit} bytes")
        # Looked at once: a head that comes byte by byte costs no more than one that comes whole.
        self._scanned = len(buffer) - at
        return -1, -1

    def _begin(self, head: bytes) -> PartHead:
        limits = self._limits
        self._parts += 1
        if self._parts > limits.parts:
            raise _over("parts", f"the form has more than {limits.parts} parts")
        part = _parse_head(head, limits.head_lines)
        self._state, self._part_bytes, self._file = "first", 0, part.is_file
        if part.is_file:
            self._files += 1
            if self._files > limits.files:
                raise _over("files", f"the form has more than {limits.files} files")
            return part
        self._fields += 1
        if self._fields > limits.fields:
            raise _over("fields", f"the form has more than {limits.fields} fields")
        self._count_fields(len(part.name.encode()))
        return part


def _over(reason: Reason, message: str) -> FormError:
    return FormError(reason, message, limit=True)


def _parse_head(head: bytes, max_lines: int) -> PartHead:
    # Latin-1 keeps every byte; the names become UTF-8 below.
    lines = head.decode("latin-1").split("\r\n", max_lines)
    if lines.pop():  # each line ends with CRLF: what is left is what is over the limit
        raise _over("head_lines", f"the head of a part has more than {max_lines} lines")
    headers: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        # A folded line begins with white space, which no name does. Values have no controls and no CR or LF alone,
        # which other parsers might take for the end of a line.
        if not colon or not TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise FormError("header", "a part has a malformed header line")
        name = name.lower()
        headers.append((name, value))
        if name == "content-disposition" and name in seen:
            raise FormError("disposition", "a part has two Content-Dispositions")
        if name == "content-type" and name in seen:
            raise FormError("header", "a part has two Content-Types")
        if name == "content-transfer-encoding" and name in seen:
            raise FormError("encoding", "a part has two Content-Transfer-Encodings")
        seen[name] = value
    # RFC 7578 section 4.7: deprecated; only encodings that change nothing can be taken as they are.
    if seen.get("content-transfer-encoding", "binary").lower() not in ("7bit", "8bit", "binary"):
        raise FormError("encoding", "a part has a Content-Transfer-Encoding")
    if "content-disposition" not in seen:
        raise FormError("disposition", "a part has no Content-Disposition")  # RFC 7578 section 4.2
    kind, rest = split_media_type(seen["content-disposition"])
    if kind.lower() != "form-data":
        raise FormError("disposition", "a part is not form-data")
    name_text: str | None = None
    filename: str | None = None
    for key, text in _parameters(rest, "disposition", "a Content-Disposition is malformed"):
        if key == "name":
            if name_text is not None:
                raise FormError("disposition", "a part has two names")
            name_text = text
        elif key == "filename":
            if filename is not None:
                raise FormError("disposition", "a part has two filenames")
            filename = text
        # RFC 7578 section 4.2 forbids "filename*"; what it says could differ from filename.
    if name_text is None:
        raise FormError("name", "a part has no name")
    return PartHead(
        _name(name_text), _name(filename or ""), filename is not None, seen.get("content-type", ""), headers
    )


def _name(text: str) -> str:
    if "%" in text:
        text = _NAME_ESCAPE.sub(lambda m: _NAME_ESCAPES[m[1].lower()], text)
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise FormError("text", "a name in the form is not UTF-8") from None


def split_media_type(content_type: str) -> tuple[str, str]:
    """The type without outer white space, in its own case, and what follows the first semicolon."""
    media, _, parameters = content_type.partition(";")
    return media.strip(" \t"), parameters


def boundary_of(parameters: str) -> bytes:
    """The boundary of multipart/form-data, given the parameters of Content-Type. FormError when there is none."""
    boundary: str | None = None
    for name, value in _parameters(parameters, "boundary", "the parameters of Content-Type are malformed"):
        if name == "boundary":
            if boundary is not None:
                raise FormError("boundary", "Content-Type has two boundaries")
            boundary = value
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise FormError("boundary", "Content-Type has no valid boundary")
    return boundary.encode()


def _parameters(rest: str, reason: Reason, message: str) -> Iterator[tuple[str, str]]:
    """Names in lower case, and values.

    In quoted strings a backslash escapes a quote or a backslash and is itself anywhere else: browsers do not escape
    backslashes, older clients escape just these. Values that are no tokens though not quoted are taken up to the next
    semicolon: some clients do not quote boundaries.
    """
    while rest := rest.lstrip(" \t;"):
        name, equals, rest = rest.partition("=")
        name = name.rstrip(" \t")
        if not equals or not TOKEN.fullmatch(name):
            raise FormError(reason, message)
        if rest.startswith('"'):
            quoted = _QUOTED.match(rest)
            if quoted is None:
                raise FormError(reason, message)
            value = _UNESCAPE.sub(r"\1", quoted[1])
            rest = rest[quoted.end() :].lstrip(" \t")
            if rest and rest[0] != ";":
                raise FormError(reason, message)
        else:
            value, _, rest = rest.partition(";")
            value = value.rstrip(" \t")
            if '"' in value:
                raise FormError(reason, message)
        yield name.lower(), value


def parse_pairs(text: bytes, limit: int) -> list[tuple[str, str]]:
    """The pairs of application/x-www-form-urlencoded text, in order (WHATWG URL section 5.1).

    A "%" without two hex digits stands for itself. FormError for more than ``limit`` pairs, before any is made, and for
    text that is not UTF-8.
    """
    # Counted before anything is made of it: empty pieces are none.
    if text.count(b"&") >= limit and sum(map(bool, text.split(b"&"))) > limit:
        raise _over("fields", f"the form has more than {limit} fields")
    pairs: list[tuple[str, str]] = []
    try:
        for piece in text.split(b"&"):
            if piece:
                name, _, value = piece.partition(b"=")
                pairs.append((_decoded(name), _decoded(value)))
    except UnicodeDecodeError:
        raise FormError("text", "a name or value in the form is not UTF-8") from None
    return pairs


def _decoded(text: bytes) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = unquote_to_bytes(text)
    return text.decode()
