"""A client for the tests of content codings, with the decoders that Python programs use.

decode.py get URL CODING            prints the decoded body of a response, as bytes
decode.py events URL GO-ON CODING   reads a stream of events; asks for each next one when it has decoded the last
decode.py post URL CODING SIZE WAY  sends a coded body, whole, or in pieces of unknown length; prints status and answer
"""

import gzip
import http.client
import random
import sys
import urllib.request
import zlib
from urllib.parse import urlsplit

import brotli
import zstandard


def decoder(coding):
    match coding:
        case "gzip":
            return zlib.decompressobj(31).decompress
        case "br":
            return brotli.Decompressor().process
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress


def encode(coding, data):
    match coding:
        case "gzip":
            return gzip.compress(data)
        case "deflate":
            return zlib.compress(data)
        case "br":
            return brotli.compress(data, quality=4)
        case "zstd":
            return zstandard.compress(data)


def ask(url, coding):
    request = urllib.request.Request(url, headers={"Accept-Encoding": coding})
    response = urllib.request.urlopen(request, timeout=30)
    got = response.headers["Content-Encoding"]
    if got != coding:
        sys.exit(f"asked for {coding}, got {got}")
    return response


match sys.argv[1:]:
    case "get", url, coding:
        decode = decoder(coding)
        with ask(url, coding) as response:
            while piece := response.read(999):
                sys.stdout.buffer.write(decode(piece))
    case "events", url, next_one, coding:
        decode, text, seen = decoder(coding), b"", 0
        with ask(url, coding) as response:
            while piece := response.read1(65536):
                text += decode(piece)
                while (event := f"data: event {seen}\n\n".encode()) in text:
                    seen += 1
                    urllib.request.urlopen(next_one, data=b"", timeout=30).close()
        print(seen)
    case "post", url, coding, size, way:
        data = random.Random(1).randbytes(int(size) // 2).hex().encode()
        coded = encode(coding, data)
        where = urlsplit(url)
        connection = http.client.HTTPConnection(where.netloc, timeout=30)
        body = iter([coded[:100], coded[100:]]) if way == "pieces" else coded
        connection.request("POST", where.path, body, {"Content-Encoding": coding}, encode_chunked=way == "pieces")
        response = connection.getresponse()
        print(response.status, len(data), zlib.crc32(data), response.read().decode())
