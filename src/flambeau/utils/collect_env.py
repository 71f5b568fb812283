"""`torch.utils.collect_env`: what a report of an error needs. `python -m flambeau.utils.collect_env` prints it."""

from collections import namedtuple

SystemEnv = namedtuple(
    "SystemEnv",
    "torch_version is_debug_build cuda_compiled_version os python_version python_platform is_cuda_available cpu_info flambeau_version "
    "numpy_version ml_dtypes_version llvmlite_version",
)
SystemEnv.__module__ = "torch.utils.collect_env"


def _version_of(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def get_env_info() -> SystemEnv:
    """Versions, platform and processor, as a named tuple."""
    import platform
    import sys

    from .. import __version__, version
    from ..backends.cpu import get_cpu_capability

    return SystemEnv(
        torch_version=__version__,
        is_debug_build=str(version.debug),
        cuda_compiled_version="None",
        os=f"{platform.system()} {platform.release()} ({platform.machine()})",
        python_version=f"{sys.version.split()[0]} ({platform.architecture()[0]} runtime)",
        python_platform=platform.platform(),
        is_cuda_available="False",
        cpu_info=f"{platform.processor() or platform.machine()}, {get_cpu_capability()}",
        flambeau_version=version.__version__,
        numpy_version=_version_of("numpy"),
        ml_dtypes_version=_version_of("ml_dtypes"),
        llvmlite_version=_version_of("llvmlite"),
    )


def get_pretty_env_info() -> str:
    """The same as text."""
    info = get_env_info()
    return "\n".join((
        f"PyTorch version: {info.torch_version} (what flambeau implements)",
        f"flambeau version: {info.flambeau_version}",
        f"Is debug build: {info.is_debug_build}",
        f"CUDA used to build PyTorch: {info.cuda_compiled_version}",
        "",
        f"OS: {info.os}",
        f"Python version: {info.python_version}",
        f"Python platform: {info.python_platform}",
        f"Is CUDA available: {info.is_cuda_available}",
        "",
        f"CPU: {info.cpu_info}",
        "",
        "Versions of relevant libraries:",
        f"[pip3] numpy: {info.numpy_version}",
        f"[pip3] ml_dtypes: {info.ml_dtypes_version}",
        f"[pip3] llvmlite: {info.llvmlite_version}",
    ))  # fmt: skip


def main() -> None:
    """Prints the report."""
    print("Collecting environment information...")
    print(get_pretty_env_info())


if __name__ == "__main__":
    main()
