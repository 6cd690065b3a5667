"""One training in several processes: who writes, who waits, who is silent.

`torchrun` and `accelerate launch` start the same command once a GPU and name each process in the environment. The first
one, the main process, locks the corpus, writes every file and prints; the others compute along. All run on one machine:
they read what the main process wrote.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from nlp_study.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import torch

Shared = TypeVar("Shared")

_PATIENCE = timedelta(hours=12)
"""How long a process waits for the others. Import or reading may take the main process long; one that died is noticed at
once by the program that started all."""


@contextmanager
def joined_processes() -> Iterator[None]:
    """Join the processes that `torchrun` or `accelerate launch` started; alone, this does nothing.

    Inside, all but the main process print only errors. At the end they wait for each other, so that none ends while
    another still needs it.

    Raises
    ------
    ModelError : there are more processes than GPUs.
    """
    if not _is_launched():
        yield
        return
    import torch
    from torch import distributed

    cuda = torch.cuda.is_available()
    if cuda:
        local, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= n_gpus:
            raise ModelError(
                f"process {local + 1} has no GPU: {n_gpus} are visible",
                remedy=f"start {n_gpus}: make train GPUS={n_gpus}",
            )
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    with nullcontext() if is_main() else _silence():
        yield
        wait_for_all()
    distributed.destroy_process_group()


def require_one_process(command: str) -> None:
    """Refuse to run under `torchrun`.

    Raises
    ------
    ConfigError : several processes were started.
    """
    if _is_launched():
        raise ConfigError(f"{command} runs in one process", remedy=f"start it without torchrun: nlp-study {command}")


def n_processes() -> int:
    """Return how many processes train together; 1 outside of `joined_processes`."""
    from torch import distributed

    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_main() -> bool:
    """Say whether this process writes and prints."""
    from torch import distributed

    return n_processes() == 1 or distributed.get_rank() == 0


def wait_for_all() -> None:
    """Return when every process has come here."""
    import torch
    from torch import distributed

    if n_processes() > 1:
        distributed.barrier(device_ids=[torch.cuda.current_device()] if torch.cuda.is_available() else None)


def share(value: Shared) -> Shared:
    """Return the main process's value in every process; it must be picklable."""
    from torch import distributed

    if n_processes() == 1:
        return value
    values: list[Any] = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def share_tensors(tensors: Iterable[torch.Tensor]) -> None:
    """Give tensors the main process's values, in place."""
    from torch import distributed

    if n_processes() > 1:
        for tensor in tensors:
            distributed.broadcast(tensor.detach(), src=0)


def require_equal(digest: str) -> None:
    """Compare what each process has come to.

    Raises
    ------
    ModelError : the processes differ; their models would be another one in each.
    """
    from torch import distributed

    if n_processes() == 1:
        return
    digests: list[str] = [""] * n_processes()
    distributed.all_gather_object(digests, digest)
    if len(set(digests)) > 1:
        raise ModelError(
            f"{n_processes()} processes trained {len(set(digests))} different models", remedy="train with one GPU"
        )


@contextmanager
def shared_scratch() -> Iterator[Path]:
    """Yield a folder that all processes see and that goes when all are done with it."""
    scratch = TemporaryDirectory(prefix="nlp-study-") if is_main() else None
    try:
        yield Path(share(scratch.name if scratch else ""))
        wait_for_all()
    finally:
        if scratch:
            scratch.cleanup()


def _is_launched() -> bool:
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on stdout, errors on stderr, and no bars, which are drawn on terminals only."""
    import sys

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(_NoTerminal(sys.stderr)):
            yield
    finally:
        logging.root.setLevel(level)


class _NoTerminal(io.TextIOBase):
    """A stream that says it is no terminal."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False
