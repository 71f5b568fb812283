"""`torch.backends.cpu`: what the processor can do."""

from ..core.missing import missing_name


def get_cpu_capability() -> str:
    """The vector instructions that NumPy finds: `"AVX512"`, `"AVX2"`, `"DEFAULT"`..."""
    from numpy._core._multiarray_umath import __cpu_features__ as found  # type: ignore[import-not-found]  # not in its stubs

    for feature, name in (("AVX512F", "AVX512"), ("AVX2", "AVX2"), ("SVE", "SVE256"), ("VSX4", "VSX"), ("VX", "Z VECTOR")):
        if found.get(feature):
            return name
    return "DEFAULT"


__getattr__ = missing_name(__name__)
