"""Work in several processes: the same results, few jobs under way, and a clear word when one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys

import pytest

from tinyclone.errors import AudioError
from tinyclone.worker_processes import THREAD_SETTINGS, WorkerError, available_cores, run_jobs


def squares(first: int, last: int):
    for number in range(first, last):
        yield number**2


def surroundings(_: int):
    yield {name: os.environ.get(name) for name in THREAD_SETTINGS}
    yield [name for name in ("keras", "tensorflow") if name in sys.modules]


def refuse(number: int):
    yield number
    if number == 1:
        raise AudioError("This is no recording.")
    if number == 2:
        raise KeyError("a fault of the program")
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        sys.exit(7)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    jobs = [(start, start + 3) for start in range(0, 30, 3)]
    assert sorted(run_jobs(squares, jobs, workers=workers)) == [number**2 for number in range(30)]
    assert list(run_jobs(squares, [], workers=workers)) == []


def test_no_more_jobs_are_taken_than_there_are_workers():
    taken = []

    def jobs():
        for start in range(20):
            taken.append(start)
            yield start, start + 1

    for done, _ in enumerate(run_jobs(squares, jobs(), workers=2), start=1):
        assert len(taken) <= done + 2
    assert len(taken) == 20


def test_workers_have_one_thread_and_no_keras_and_nothing_changes_here():
    before, main = dict(os.environ), sys.modules["__main__"]
    settings, heavy = run_jobs(surroundings, [(0,)], workers=2)
    assert set(settings.values()) == {"1"} and heavy == []
    assert dict(os.environ) == before and sys.modules["__main__"] is main


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (1, AudioError, "This is no recording"),
        (2, WorkerError, "KeyError: 'a fault of the program'"),
        (3, WorkerError, "killed by signal 9, as a system does when memory runs out, while it was at job 3"),
        (4, WorkerError, "ended with code 7 while it was at job 4.*run it again"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_told(number, error, words):
    results = run_jobs(refuse, [(number,)], workers=2, name=lambda job: f"job {job[0]}")
    assert next(results) == number
    with pytest.raises(error, match=f"(?s){words}"):
        list(results)
    assert multiprocessing.active_children() == []


def test_workers_end_when_nobody_wants_more_results():
    results = run_jobs(squares, [(0, 10**9), (0, 10**9)], workers=2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert multiprocessing.active_children() == []


def test_there_is_a_core():
    assert 1 <= available_cores() <= os.cpu_count()
