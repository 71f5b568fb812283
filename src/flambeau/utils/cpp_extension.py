"""`torch.utils.cpp_extension`: extensions in C++ and CUDA, which flambeau cannot build or load: there is no C++ library to link with.

Operators of your own are Python (`torch.library.custom_op`, `torch.autograd.Function`).
"""

from collections.abc import Callable
from typing import Any, NoReturn

from ..core.missing import missing_name

CUDA_HOME = ROCM_HOME = SYCL_HOME = None


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"flambeau has no C++ library: torch.utils.cpp_extension.{name} is not supported. Write the operator in Python, with "
            "torch.library.custom_op or torch.autograd.Function"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises RuntimeError: there is no C++ library to build or load extensions with."
    return refuse


_REFUSED = (
    "check_compiler_ok_for_platform get_compiler_abi_compatibility_and_version CppExtension CUDAExtension SyclExtension include_paths "
    "library_paths load load_inline get_cxx_compiler check_compiler_is_gcc remove_extension_h_precompiler_headers"
).split()
globals().update({name: _refusing(name) for name in _REFUSED})

__all__ = ["BuildExtension", "get_default_build_root", "is_ninja_available", "verify_ninja_availability"]
__all__ += list(_REFUSED)


class BuildExtension:
    """The command of setuptools that builds extensions: making one raises RuntimeError."""

    __module__ = "torch.utils.cpp_extension"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refusing("BuildExtension")()

    @classmethod
    def with_options(cls, **options: Any) -> Any:
        """Raises RuntimeError: nothing is built."""
        _refusing("BuildExtension")()


def get_default_build_root() -> str:
    """The folder in which PyTorch builds extensions."""
    import os
    import tempfile

    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return os.path.realpath(os.path.join(cache if os.path.isdir(cache) else tempfile.gettempdir(), "torch_extensions"))


def is_ninja_available() -> bool:
    """Whether the program ninja can be called."""
    import shutil

    return shutil.which("ninja") is not None


def verify_ninja_availability() -> None:
    """Raises RuntimeError unless the program ninja can be called."""
    if not is_ninja_available():
        raise RuntimeError("Ninja is required to load C++ extensions (pip install ninja to get it)")


__getattr__ = missing_name(__name__)
