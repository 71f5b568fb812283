"""`python tools/missing_names.py`: writes `docs/missing-names.md`, PyTorch's public names that flambeau lacks, module by module.

PyTorch's names are those in `src/flambeau/core/torch_names.gz` (see `tools/torch_names.py`), so this needs no PyTorch.
"""

import importlib
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

import flambeau  # noqa: E402
from flambeau.core.missing import torch_names  # noqa: E402

MODULES = """
torch torch.Tensor torch.autograd torch.autograd.functional torch.autograd.graph torch.autograd.forward_ad torch.amp torch.func torch.nn
torch.nn.functional torch.nn.init torch.nn.attention torch.nn.parallel torch.nn.utils torch.nn.utils.rnn torch.nn.utils.parametrize
torch.nn.utils.parametrizations torch.nn.utils.prune torch.optim torch.optim.lr_scheduler torch.optim.swa_utils torch.linalg torch.fft
torch.special torch.distributions torch.utils torch.utils.data torch.utils.checkpoint torch.utils.dlpack torch.utils.hooks
torch.utils.tensorboard torch.utils.benchmark torch.serialization torch.storage torch.random torch.testing torch.overrides
torch.multiprocessing torch.jit torch.profiler torch.distributed torch.backends torch.cpu torch.cuda torch.mps torch.xpu torch.accelerator
torch.compiler torch.library torch.sparse torch.signal.windows torch.masked torch.nested torch.types torch.hub
""".split()
"""Those that programs import from. The modules below `torch.nn.modules`, `torch.optim` and their like, where the classes are defined, are
seen through these."""

INCIDENTAL = """
Tensor F T Size DType Any AVG common_args common_notes factory_common_args multi_dim_common convolution_notes reproducibility_notes
sparse_support_notes tf32_notes boolean_dispatch handle_torch_function has_torch_function has_torch_function_unary overload
has_torch_function_variadic is_tensor_like BroadcastingList1 BroadcastingList2 BroadcastingList3 GRID_SAMPLE_INTERPOLATION_MODES
GRID_SAMPLE_PADDING_MODES assert_int_or_pair classproperty HAS_NUMPY OpaqueBase is_opaque_reference_type is_traceable_wrapper_subclass
get_swap_module_params_on_conversion TorchDispatchMode Variable LoggingTensorMode capture_logs fx_traceback tree_map Text Storage
IS_WINDOWS INT_SIZE LONG_SIZE SHORT_SIZE MAP_PRIVATE MAP_SHARED STORAGE_KEY_SEPARATOR
DefaultDeviceType MappingProxyType get_source_lines_and_file
PYTORCH_RELEASES_CODE_CC DEVICE_REQUIREMENT common_types factory_kwargs typename DeviceType Optimizer bind itt is_fbcode Future dist
copy_method_params SAC_IGNORED_OPS m windows fwAD profiler_util register_optimizer_step_post_hook ContextProp PropModule inf builtins
AggregationType SUM
""".split()
"""Helpers and pieces of documentation that PyTorch's modules show and do not offer."""


def ours(owner: str) -> Any:
    """flambeau's module or class for PyTorch's, or None."""
    if owner == "torch.Tensor":
        return flambeau.Tensor
    try:
        return importlib.import_module("flambeau" + owner[len("torch") :])
    except ImportError:
        return None


def has(owner: str, name: str) -> bool:
    """Whether flambeau has `owner.name`, as an attribute or as a module of its own."""
    found = ours(owner)
    return found is not None and (hasattr(found, name) or ours(f"{owner}.{name}") is not None)


def offered(owner: str) -> list[str]:
    """What PyTorch offers under this module's name."""
    return sorted(name for name in torch_names().get(owner, ()) if name not in INCIDENTAL)


def page() -> str:
    """The text of the page."""
    rows, lists, absent = [], [], []
    total = there = 0
    for owner in MODULES:
        names = offered(owner)
        if not names:
            continue
        if ours(owner) is None:
            absent.append(f"`{owner}` ({len(names)})")
            continue
        missing = [name for name in names if not has(owner, name)]
        total, there = total + len(names), there + len(names) - len(missing)
        link = f"[{len(missing)}](#{owner.lower().replace('.', '')})" if missing else "0"
        rows.append(f"| `{owner}` | {len(names)} | {len(names) - len(missing)} | {link} |")
        if missing:
            lists.append(f"## {owner}\n\n" + wrapped(missing))
    others = sorted(owner for owner in torch_names() if owner.count(".") == 1 and owner not in MODULES and ours(owner) is None)
    return "\n".join([
        "# Names that are missing",
        "",
        "<!-- Written by tools/missing_names.py: run `make reference`. -->",
        "",
        f"PyTorch {flambeau.__version__.split('+')[0]}'s public names, and how many of them flambeau has. Using one that is missing raises",
        "`AttributeError`, which says that PyTorch has it and flambeau does not; `hasattr` answers False. That a name is there does not",
        "mean that everything behind it is: what is refused is listed on [What differs from PyTorch](differences.md). The counts include",
        "names that PyTorch shows in its namespace and does not document, such as the classes of TorchScript's compiler in `torch`.",
        "",
        "| module | in PyTorch | in flambeau | missing |",
        "| --- | ---: | ---: | ---: |",
        *rows,
        f"| all of these | {total} | {there} | {total - there} |",
        "",
        "Absent as a whole (with the number of PyTorch's names): " + (", ".join(absent) or "none") + ".",
        "",
        "Further modules of PyTorch that are not there: " + ", ".join(f"`{name}`" for name in others) + ".",
        "",
        "\n\n".join(lists),
        "",
    ])  # fmt: skip


def wrapped(names: list[str]) -> str:
    return textwrap.fill(", ".join(f"`{name}`" for name in names), 140, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    (ROOT / "docs" / "missing-names.md").write_text(page())
