"""The worker process: ``python -m covet._worker``, started by the engine. See docs/internals/worker-protocol.md."""
