"""`python tools/torch_names.py src/flambeau/core/torch_names.gz`: writes PyTorch's public names, for `core/missing.py`.

It needs the reference PyTorch.
"""

import gzip
import importlib
import re
import sys
import types
import warnings

EXTRA = (
    "ao.quantization export func futures hub library masked monitor multiprocessing nested onnx overrides package profiler "
    "quantization signal sparse testing utils.benchmark utils.checkpoint utils.cpp_extension utils.data utils.dlpack "
    "utils.mobile_optimizer utils.model_zoo utils.module_tracker utils.tensorboard distributed distributed.rpc nn.attention "
    "distributed.optim distributed.pipelining distributed.fsdp distributed.tensor distributed.checkpoint amp compiler cpu mps xpu mtia"
).split()
LEFT_OUT = re.compile(r".*\._|torch\.(ops|classes|ao\.|fx\.(experimental|passes)|onnx\.|quantization\.|utils\.cpp_extension)")


def main(path: str) -> None:
    warnings.simplefilter("ignore")
    import torch

    for name in EXTRA:
        try:
            importlib.import_module(f"torch.{name}")
        except ImportError:
            pass
    lines = []
    for name, module in sorted(sys.modules.items()):
        if isinstance(module, types.ModuleType) and name.split(".")[0] == "torch" and not LEFT_OUT.match(name):
            lines.append(f"{name}: {' '.join(public_names(module))}")
    lines.append(f"torch.Tensor: {' '.join(sorted(n for n in dir(torch.Tensor) if not n.startswith('_')))}")
    with open(path, "wb") as file:
        file.write(gzip.compress("\n".join([torch.__version__, *lines]).encode(), 9, mtime=0))


def public_names(module: types.ModuleType) -> list[str]:
    """What the module says is public, and what of its other names is PyTorch's own."""
    exported = vars(module).get("__all__", ())
    names = {n for n in exported if isinstance(n, str)}
    for name, member in vars(module).items():
        home = member.__name__ if isinstance(member, types.ModuleType) else getattr(member, "__module__", None)
        own = home is None or str(home).split(".")[0] in ("torch", "builtins")
        if own and not name.startswith("_") and name not in ("torch", "TYPE_CHECKING"):
            names.add(name)
    return sorted(names)


if __name__ == "__main__":
    main(sys.argv[1])
