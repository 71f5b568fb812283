"""Copies of a module on several devices."""

from typing import Any

__all__ = ["replicate"]


def replicate(network: Any, devices: Any, detach: bool = False) -> list[Any]:
    """Copies of a module without parameters. Raises AssertionError for one with parameters: they are only sent to GPUs."""
    if any(True for _ in network.parameters()) or any(True for _ in network.buffers()):
        raise AssertionError("Broadcast function not implemented for CPU tensors")
    import copy

    return [copy.deepcopy(network) for _ in devices]
