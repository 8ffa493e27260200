"""Runs an application on FastPySGI: application, port, workers."""

import importlib
import sys

import fastpysgi

if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    app = getattr(importlib.import_module(module), name)
    fastpysgi.server.max_content_length = 32 << 20
    fastpysgi.run(app, host="127.0.0.1", port=int(sys.argv[2]), workers=int(sys.argv[3]), loglevel=0)
