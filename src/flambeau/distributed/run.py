"""`python -m torch.distributed.run`, `torchrun`: runs a training script as the one process of its world.

    python -m flambeau.distributed.run --nproc_per_node=1 train.py --epochs 3

The script sees RANK=0, LOCAL_RANK=0, WORLD_SIZE=1, MASTER_ADDR and MASTER_PORT, and `import torch` gives it flambeau.
"""

import argparse
import os
import sys
import uuid

from .stores import LATER

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="torchrun", description="Runs a training script as the one process of its world.")
    option = parser.add_argument
    option("--nnodes", default="1", help="machines: 1, or 1:1")
    option("--nproc-per-node", "--nproc_per_node", default="1", help="processes on each machine: 1, auto or cpu")
    option("--node-rank", "--node_rank", type=int, default=0)
    option("--master-addr", "--master_addr", default="127.0.0.1")
    option("--master-port", "--master_port", type=int, default=29500)
    option("--standalone", action="store_true", help="one machine, which is all there is")
    for name in ("rdzv-backend", "rdzv-endpoint", "rdzv-id", "rdzv-conf", "max-restarts", "monitor-interval", "start-method", "role",
                 "log-dir", "redirects", "tee", "local-ranks-filter", "local-addr"):  # fmt: skip
        option(f"--{name}", f"--{name.replace('-', '_')}", help=argparse.SUPPRESS)
    option("-m", "--module", action="store_true", help="the script is a module's name, as for python -m")
    option("script", help="the script, or the module")
    option("arguments", nargs=argparse.REMAINDER, help="its arguments")
    return parser


def main(args: list[str] | None = None) -> int:
    """Runs the script; its exit status. Exits with a message where more than one process is asked for."""
    parser = _parser()
    given = parser.parse_args(args)
    if given.nnodes not in ("1", "1:1") or given.nproc_per_node not in ("1", "auto", "cpu") or given.node_rank != 0:
        parser.exit(1, f"torchrun: --nnodes {given.nnodes} --nproc-per-node {given.nproc_per_node}: {LATER}\n")
    one = {"RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK"}
    os.environ |= dict.fromkeys(one, "0") | dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"), "1")
    os.environ |= {"MASTER_ADDR": given.master_addr, "MASTER_PORT": str(given.master_port)}
    os.environ |= {"TORCHELASTIC_RUN_ID": given.rdzv_id or uuid.uuid4().hex, "TORCHELASTIC_RESTART_COUNT": "0"}
    from ..cli.run import run_module, run_script

    return run_module(given.script, given.arguments) if given.module else run_script(given.script, given.arguments)


if __name__ == "__main__":
    sys.exit(main())
