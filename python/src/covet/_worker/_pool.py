"""The threads for ``def`` handlers: a fixed number and a bounded queue; a stuck one cannot hold the exit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

__all__ = ["Pool", "PoolFullError"]

P = ParamSpec("P")
T = TypeVar("T")


class PoolFullError(RuntimeError):
    """Every thread is busy and the queue is full."""


class Pool(ThreadPoolExecutor):
    """Runs jobs. Threads start when they are first needed; at most ``waiting`` jobs queue.

    It is a ThreadPoolExecutor because event loops take nothing else for their default executor; the base's threads,
    which are not daemons, and its queue, which has no bound, are never used.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        super().__init__(threads)
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(waiting)
        self._limit = threads
        self._free = threading.Semaphore(0)
        self._started: list[threading.Thread] = []
        self._guard = threading.Lock()
        self._closed = False

    def run(self, job: Callable[[], object]) -> None:
        """Queues job; PoolFullError when there is no room. Any thread."""
        if self._closed:
            raise PoolFullError("the pool is closed")
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise PoolFullError("the pool's queue is full") from None
        if not self._free.acquire(blocking=False):
            self._grow()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The executor that the event loop uses by default: the same threads, the same bound."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as e:
                future.set_exception(e)
            else:
                future.set_result(result)

        self.run(job)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no new jobs. Waits for nothing: threads are daemons, and a drain has waited for what counts."""
        with self._guard:
            self._closed = True
            threads = len(self._started)
        for _ in range(threads):
            try:
                self._jobs.put_nowait(None)
            except queue.Full:
                break

    def _grow(self) -> None:
        with self._guard:
            if len(self._started) >= self._limit:
                return
            name = f"covet-{len(self._started) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._started.append(thread)
        thread.start()

    def _work(self) -> None:
        while True:
            try:
                job: Any = self._jobs.get_nowait()
            except queue.Empty:
                self._free.release()
                job = self._jobs.get()
            if job is None:
                return
            job()
            del job  # not to hold a request's objects while waiting for the next
