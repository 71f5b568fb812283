"""The command `flambeau`, which is also `python -m flambeau`."""

import sys

from ..version import TORCH, __version__

USAGE = """\
usage: flambeau run SCRIPT [ARGUMENT ...]     run a PyTorch script with flambeau as torch
       flambeau run -m MODULE [ARGUMENT ...]  the same for a module
       flambeau profile SCRIPT [ARGUMENT ...] run it, then print the time of each operator, forward and backward
       flambeau profile -m MODULE [ARGUMENT ...]
       flambeau cache clear                   remove the compiled kernels that are kept on disk
       flambeau --version
       flambeau --help
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the exit status. `arguments` are those of the process unless given."""
    given = sys.argv[1:] if arguments is None else arguments
    match given:
        case ["run", "-m", module, *rest]:
            from .run import run_module

            return run_module(module, rest)
        case ["run", script, *rest] if not script.startswith("-"):
            from .run import run_script

            return run_script(script, rest)
        case ["profile", "-m", module, *rest]:
            from .profile import profile_module

            return profile_module(module, rest)
        case ["profile", script, *rest] if not script.startswith("-"):
            from .profile import profile_script

            return profile_script(script, rest)
        case ["cache", "clear"]:
            from ..kernels.compiler import cache

            print(f"removed {cache.clear()} compiled kernels from {cache.folder()}")
            return 0
        case ["--version" | "-V"]:
            print(f"flambeau {__version__} (PyTorch {TORCH})")
            return 0
        case ["--help" | "-h" | "help"] | ["run" | "profile", "--help" | "-h"]:
            print(USAGE, end="")
            return 0
    print(USAGE, end="", file=sys.stderr)
    return 2
