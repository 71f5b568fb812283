"""`torch.__config__`: what this build is made of."""


def show() -> str:
    """A few lines about the build."""
    import numpy

    from .backends.cpu import get_cpu_capability
    from .version import __version__

    parts = (f"flambeau {__version__}", f"NumPy {numpy.__version__}", f"CPU capability usage: {get_cpu_capability()}")
    return "PyTorch built with:\n" + "".join(f"  - {part}\n" for part in parts)


def parallel_info() -> str:
    """How many threads there are."""
    from ._settings import get_num_interop_threads, get_num_threads

    return f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
