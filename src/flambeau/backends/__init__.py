"""`torch.backends`: which libraries are there, and their switches. The switches are kept; none changes a result here."""

from typing import Any

__all__ = ["cpu", "cuda", "cudnn", "cusparselt", "kleidiai", "mha", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum", "quantized"]

fp32_precision = "none"


def __getattr__(name: str) -> Any:
    if name in __all__:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    from ..core.missing import missing_name

    return missing_name(__name__)(name)
