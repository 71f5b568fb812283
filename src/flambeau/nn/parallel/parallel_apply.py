"""Several modules at once, each on a device of its own."""

from typing import Any

__all__ = ["parallel_apply"]


def parallel_apply(modules: Any, inputs: Any, kwargs_tup: Any = None, devices: Any = None) -> list[Any]:
    """Would run each module on its input, on the device that it lies on. Raises RuntimeError: there is no accelerator."""
    if len(modules) != len(inputs):
        raise AssertionError(f"The number of modules {len(modules)} is not equal to the number of inputs {len(inputs)}")
    raise RuntimeError("Cannot access accelerator device when none is available.")
