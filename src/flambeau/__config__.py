"""`torch.__config__`: what this build is made of."""


def show() -> str:
    """A few lines about the build."""
    import numpy

    from .backends.cpu import get_cpu_capability
    from .version import __version__

    return f"PyTorch built with:\n  - flambeau {__version__}\n  - NumPy {numpy.__version__}\n  - CPU capability usage: {get_cpu_capability()}\n"


def parallel_info() -> str:
    """How many threads there are."""
    from ._settings import get_num_interop_threads, get_num_threads

    return f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
