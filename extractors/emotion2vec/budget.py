"""How many tokens may run at once."""

from __future__ import annotations

import torch

CPU_TOKENS = 2048  # more make no product faster on a CPU, and cost memory
CUDA_MOST = 32_768  # more make no product faster on a GPU
CUDA_LEAST = 2048
CUDA_SHARE = 0.5  # of the free memory
VALUES = 32  # float32 values per token and dimension that live at the worst moment, attention and MLP included


def automatic_budget(device: torch.device, dim: int) -> int:
    """Tokens of a pack: a constant on the CPU, what fits into half of the free memory on CUDA.

    >>> automatic_budget(torch.device("cpu"), 1024)
    2048
    """
    if device.type != "cuda":
        return CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    return max(CUDA_LEAST, min(CUDA_MOST, int(free * CUDA_SHARE / (VALUES * dim * 4))))
