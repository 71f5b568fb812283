"""`python -m torch.distributed.launch`, the older name of `torch.distributed.run`."""

import sys
import warnings

from .run import main as run

__all__ = ["main"]


def main(args: list[str] | None = None) -> int:
    """Warns that it is deprecated and goes on as `torch.distributed.run`."""
    warnings.warn(
        "The module torch.distributed.launch is deprecated\nand will be removed in future. Use torchrun.\n",
        FutureWarning,
        stacklevel=2,
    )
    given = list(sys.argv[1:] if args is None else args)
    return run([argument for argument in given if argument not in ("--use-env", "--use_env")])


if __name__ == "__main__":
    sys.exit(main())
