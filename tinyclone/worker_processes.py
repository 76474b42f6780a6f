"""Work for several processor cores, each in a process of its own, and what to say when one dies."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tinyclone.errors import TinycloneError

# Libraries for matrices start a thread for each core unless they are told; here each core has a process.
THREAD_SETTINGS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


class WorkerError(TinycloneError, RuntimeError):
    """A process that was given a part of the work has died or failed."""


def available_cores() -> int:
    """Return how many processor cores this process may use.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(
    work: Callable[..., Iterable[Any]],
    jobs: Iterable[tuple],
    *,
    workers: int,
    name: Callable[[tuple], str] = str,
) -> Iterator[Any]:
    """Yield what ``work(*job)`` yields for every job, as it comes, from several processes or from this one.

    A process gets its next job when it has finished the one before, so that of any number of jobs no
    more than `workers` are under way.

    Parameters
    ----------
    work : function of a module
        Yields results; it runs in fresh processes that import its module.
    jobs : iterable of tuple
        Its arguments.
    workers : int
        Processes; with 1 the work is done here, in order.
    name : function from a job to str
        What to call a job in an error.

    Yields
    ------
    object
        The order between jobs is not fixed.

    Raises
    ------
    WorkerError
        If a process dies; the message names its job. The others are stopped.
    Exception
        A `TinycloneError` that `work` raises.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if workers < 2:
        for job in jobs:
            yield from work(*job)
        return
    jobs = iter(jobs)
    busy: dict[Connection, tuple[BaseProcess, str]] = {}
    processes: list[BaseProcess] = []
    try:
        with _lean_start():
            for job in itertools.islice(jobs, workers):
                connection, process = _start_worker(work)
                processes.append(process)
                busy[connection] = (process, name(job))
                _send(connection, job)
        while busy:
            for connection in wait(list(busy)):
                process, doing = busy[connection]
                try:
                    kind, content = connection.recv()
                except (EOFError, OSError):
                    process.join()
                    raise WorkerError(_obituary(process.exitcode, doing)) from None
                if kind == "result":
                    yield content
                elif kind == "error":
                    raise content
                elif (job := next(jobs, None)) is None:
                    busy.pop(connection)
                    connection.close()
                else:
                    busy[connection] = (process, name(job))
                    _send(connection, job)
    finally:
        for connection in busy:
            connection.close()
        for process in processes:
            if busy:
                process.terminate()
            process.join()


def _start_worker(work: Callable[..., Iterable[Any]]) -> tuple[Connection, BaseProcess]:
    # Spawned: a fork of a process in which the threads of TensorFlow or JAX run may never return.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(work, there), daemon=True)
    process.start()
    there.close()
    return here, process


@contextlib.contextmanager
def _lean_start() -> Iterator[None]:
    """Let processes start with one thread each and without running the main script once more.

    A script that trains would load its Keras in every worker, and one that does not guard its last
    lines with ``if __name__ == "__main__"`` would start itself without end.
    """
    main, settings = sys.modules["__main__"], {name: os.environ.get(name) for name in THREAD_SETTINGS}
    sys.modules["__main__"] = types.ModuleType("__main__")
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in settings.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _send(connection: Connection, job: tuple) -> None:
    # A process that has died is noticed, and named, when its answer is read.
    with contextlib.suppress(OSError):
        connection.send(job)


def _serve(work: Callable[..., Iterable[Any]], connection: Connection) -> None:
    """Do jobs until the connection ends, which it does when the process at its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            for result in work(*job):
                connection.send(("result", result))
            connection.send(("done", None))
        except (BrokenPipeError, ConnectionError):
            return
        except TinycloneError as error:
            connection.send(("error", error))
        except Exception:
            connection.send(("error", WorkerError(f"A worker process failed: {traceback.format_exc()}")))


def _obituary(exit_code: int | None, doing: str) -> str:
    how = f"ended with code {exit_code}"
    if exit_code is not None and exit_code < 0:
        how = f"was killed by signal {-exit_code}"
        if exit_code == -9:
            how += ", as a system does when memory runs out,"
    return (
        f"A worker process {how} while it was at {doing}. What was finished before is kept: run it again "
        "and it goes on there, with fewer workers if memory was short."
    )
