"""Small tensors on their way to the device that computes."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """`x` of the CPU, there. On CUDA the copy is queued: from memory that is not pinned it would wait for all work before it.

    >>> to_device(torch.ones(2), torch.device("cpu")).tolist()
    [1.0, 1.0]
    """
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
