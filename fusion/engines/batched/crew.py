"""Workers on all cores, each a process with a stack of its own."""

from __future__ import annotations

import gc
import multiprocessing
import queue
import sys
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from typing import Any

import torch

from fusion.engines.base import Job
from fusion.engines.batched.memory import keep_freed_memory
from fusion.engines.batched.outcome import Outcome
from fusion.engines.batched.worker import Epoch, Worker

PATIENCE = 1.0  # seconds between two looks whether the workers are still there


def train_here(worker: Worker, jobs: Sequence[Job], tell: Callable[[Epoch], None]) -> Generator[Outcome]:
    """All jobs in this process, as they end."""
    yield from worker.train(jobs, range(len(jobs)), tell)


def can_fork() -> bool:
    """Whether workers can begin as copies of this process, with its table in memory and without importing anything.

    As torch's DataLoader begins its workers on Linux. Not on macOS, whose libraries do not survive it, nor where the copy
    would hold a GPU.
    """
    return sys.platform == "linux" and not torch.cuda.is_initialized()


def train_in_processes(worker: Worker, jobs: Sequence[Job], tell: Callable[[Epoch], None]) -> Generator[Outcome]:
    """All jobs in `worker.workers` processes of one thread each, as they end.

    Processes, not threads: a step is some hundred short operations, and waiting for Python's lock before each of them
    cost two threads a third of their time. Each has its jobs from the beginning: which models stand in a stack together decides
    the last bits of their sums, and a run that is repeated shall end in the same ones.

    Raises what a worker raised, and ChildProcessError where one was killed.
    """
    context = multiprocessing.get_context("fork")
    told: Any = context.Queue()
    ends = [number * len(jobs) // worker.workers for number in range(worker.workers + 1)]
    processes = [
        context.Process(target=_work, args=(worker, jobs, range(*span), told), name=f"stack-{number}", daemon=True)
        for number, span in enumerate(pairwise(ends))
    ]
    try:
        with warnings.catch_warnings():
            # LanceDB says so wherever it has been imported; a worker touches no store
            warnings.filterwarnings("ignore", ".*not fork-safe.*")
            for process in processes:
                process.start()
        missing = len(jobs)
        while missing:
            try:
                found = told.get(timeout=PATIENCE)
            except queue.Empty:
                killed = [process for process in processes if process.exitcode]
                if killed or not any(process.is_alive() for process in processes):
                    raise ChildProcessError(
                        f"{(killed or processes)[0].name} ended with {(killed or processes)[0].exitcode} and left fits undone;"
                        " was it killed for memory? engine=sequential needs the least."
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


def _work(worker: Worker, jobs: Sequence[Job], places: range, told: Any) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    gc.freeze()  # what the parent had made is not this process's to search through, nor to copy by touching it
    try:
        for outcome in worker.train(jobs, places, told.put):
            told.put(outcome)
    except KeyboardInterrupt:
        pass  # the parent has heard it too
    except Exception as error:
        error.add_note("in a worker:\n" + traceback.format_exc())
        told.put(error)
