"""Splitting tensors over devices and bringing them together again: over GPUs, of which there is none."""

from typing import Any

__all__ = ["gather", "scatter"]


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> Any:
    """Would split a tensor over GPUs. Raises RuntimeError: there is none."""
    raise RuntimeError("scatter: there is no CUDA device to spread a tensor over")


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """Would bring tensors of several GPUs together. Raises AssertionError: it is not there for CPU tensors."""
    raise AssertionError("Gather function not implemented for CPU tensors")
