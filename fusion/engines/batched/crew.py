"""Workers on all cores, each a process with a stack of its own."""

from __future__ import annotations

import multiprocessing
import queue
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from itertools import count
from typing import Any

import torch

from fusion.engines.base import Job
from fusion.engines.batched.outcome import Outcome
from fusion.engines.batched.worker import Epoch, Worker

PATIENCE = 1.0  # seconds between two looks whether the workers are still there


def train_here(worker: Worker, jobs: Sequence[Job], tell: Callable[[Epoch], None]) -> Generator[Outcome]:
    """All jobs in this process, as they end."""
    places = count()

    def take() -> int | None:
        place = next(places)
        return place if place < len(jobs) else None

    yield from worker.train(jobs, take, tell)


def can_fork() -> bool:
    """Whether workers can begin as copies of this process, with its table in memory and without importing anything.

    As torch's DataLoader begins its workers on Linux. Not on macOS, whose libraries do not survive it, nor where the copy
    would hold a GPU.
    """
    return sys.platform == "linux" and not torch.cuda.is_initialized()


def train_in_processes(worker: Worker, jobs: Sequence[Job], tell: Callable[[Epoch], None]) -> Generator[Outcome]:
    """All jobs in `worker.workers` processes of one thread each, as they end.

    Processes, not threads: a step is some hundred short operations, and waiting for Python's lock before each of them
    cost two threads a third of their time.

    Raises what a worker raised, and ChildProcessError where one was killed.
    """
    context = multiprocessing.get_context("fork")
    told: Any = context.Queue()
    begun: Any = context.Value("q", 0)  # how many jobs have been taken
    processes = [
        context.Process(target=_work, args=(worker, jobs, begun, told), name=f"stack-{number}", daemon=True)
        for number in range(worker.workers)
    ]
    try:
        for process in processes:
            process.start()
        missing = len(jobs)
        while missing:
            try:
                found = told.get(timeout=PATIENCE)
            except queue.Empty:
                killed = [process for process in processes if process.exitcode]
                if killed:
                    raise ChildProcessError(
                        f"{killed[0].name} ended with {killed[0].exitcode}; was it killed for memory? "
                        "engine=sequential needs the least."
                    ) from None
                continue
            if isinstance(found, Epoch):
                tell(found)
            elif isinstance(found, Outcome):
                missing -= 1
                yield found
            else:
                raise found
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join()


def _work(worker: Worker, jobs: Sequence[Job], begun: Any, told: Any) -> None:
    torch.set_num_threads(1)

    def take() -> int | None:
        with begun.get_lock():
            place = begun.value
            begun.value += 1
        return place if place < len(jobs) else None

    try:
        for outcome in worker.train(jobs, take, told.put):
            told.put(outcome)
    except KeyboardInterrupt:
        pass  # the parent has heard it too
    except Exception as error:
        error.add_note("in a worker:\n" + traceback.format_exc())
        told.put(error)
