"""`torch.backends.cuda`: not there; its switches keep what they are set to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.missing import missing_name
from ..ops.attention import SWITCHES


class _Matmul:
    """How precise matrix products have to be."""

    def __init__(self) -> None:
        self.allow_tf32 = False
        self.allow_fp16_reduced_precision_reduction = True
        self.allow_bf16_reduced_precision_reduction = True
        self.allow_fp16_accumulation = False
        self.fp32_precision = "none"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError("Unknown attribute " + name)


matmul = _Matmul()
_switches = SWITCHES


def is_built() -> bool:
    """False: there is no CUDA."""
    return False


def is_flash_attention_available() -> bool:
    """False: there is no CUDA."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether flash attention may be chosen."""
    return _switches["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Whether flash attention may be chosen."""
    _switches["flash"] = enabled


def mem_efficient_sdp_enabled() -> bool:
    """Whether memory-efficient attention may be chosen."""
    return _switches["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Whether memory-efficient attention may be chosen."""
    _switches["mem_efficient"] = enabled


def math_sdp_enabled() -> bool:
    """Whether attention by matrix products may be chosen."""
    return _switches["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Whether attention by matrix products may be chosen."""
    _switches["math"] = enabled


def cudnn_sdp_enabled() -> bool:
    """Whether cuDNN's attention may be chosen."""
    return _switches["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Whether cuDNN's attention may be chosen."""
    _switches["cudnn"] = enabled


def fp16_bf16_reduction_math_sdp_allowed() -> bool:
    """Whether attention by matrix products may add in half precision."""
    return _switches["reduction"]


def allow_fp16_bf16_reduction_math_sdp(enabled: bool) -> None:
    """Whether attention by matrix products may add in half precision."""
    _switches["reduction"] = enabled


@contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[dict[str, Any]]:
    """A block with the four switches of attention set."""
    before = dict(_switches)
    _switches.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield {}
    finally:
        _switches.update(before)


__getattr__ = missing_name(__name__)
