"""Results as plain data, and the comparison of two of them. What a `Row` says about tolerances holds."""

import base64
import math
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from samples import BFLOAT16

if TYPE_CHECKING:
    from harness import Row

FULL = 256
"""Results of more elements than this are stored as samples and projections."""

TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class Incomparable(BaseException):
    """A row gives what cannot be compared: a mistake in the row, not an answer (so no `except Exception` takes it for one)."""


def is_tensor(candidate: Any) -> bool:
    return hasattr(candidate, "requires_grad") and hasattr(candidate, "grad_fn")


def flatten(entry: Any) -> list[Any]:
    if isinstance(entry, dict):
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        return [leaf for each in entry for leaf in flatten(each)]
    return [entry]


def clean(message: str) -> str:
    """A message without what differs from run to run."""
    message = message.split("\nException raised from")[0]
    message = re.sub(r" ?\(Triggered internally at .*\)", "", message)
    return re.sub(r"0x[0-9a-f]{4,}", "0x...", message).strip()


def to_numpy(tensor: Any) -> np.ndarray | None:
    """The tensor's numbers, copied; None where it has none (meta)."""
    if str(tensor.device) == "meta":
        return None
    if hasattr(tensor, "_array"):
        return np.array(tensor._array, order="C")
    if tensor.layout.__str__() != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.detach().clone().resolve_conj().resolve_neg().contiguous()
    import torch

    if tensor.dtype == torch.bfloat16:
        return np.array(tensor.view(torch.int16).numpy()).view(BFLOAT16)
    try:
        return np.array(tensor.numpy())
    except TypeError as error:
        raise Incomparable(f"PyTorch's answer is a {tensor.dtype} tensor, which NumPy has no dtype for") from error


def describe(entry: Any, row: "Row") -> Any:
    """A result as plain data: dicts with a `kind`; tensors with their numbers as arrays."""
    if entry is None or isinstance(entry, (bool, int, str)) and type(entry) in (bool, int, str):
        return entry
    if isinstance(entry, (float, complex)):
        return {"kind": type(entry).__name__, "number": str(entry)}
    if is_tensor(entry) and not isinstance(entry, type):
        tree: dict[str, Any] = {
            "kind": "tensor",
            "dtype": str(entry.dtype),
            "shape": list(entry.shape),
            "requires_grad": entry.requires_grad,
        }
        if type(entry).__name__ != "Tensor":
            tree["class"] = type(entry).__name__
        if str(entry.device) != "cpu":
            tree["device"] = str(entry.device)
        if row.grad_fn and entry.grad_fn is not None:
            tree["grad_fn"] = entry.grad_fn.name()
        if row.strides:
            tree["strides"] = [*entry.stride(), entry.storage_offset()]
        tree["array"] = to_numpy(entry)
        return tree
    if isinstance(entry, np.ndarray):
        return {"kind": "ndarray", "dtype": str(entry.dtype), "shape": list(entry.shape), "array": np.array(entry, order="C")}
    if isinstance(entry, np.generic):
        return {"kind": "numpy scalar", "dtype": str(entry.dtype), "shape": [], "array": np.array(entry)}
    if isinstance(entry, dict):
        items = [[describe(k, row), describe(v, row)] for k, v in entry.items()]
        return {"kind": "dict", "class": type(entry).__name__, "items": items}
    if isinstance(entry, (list, tuple, set, frozenset)):
        if isinstance(entry, (set, frozenset)):
            tree = {"kind": type(entry).__name__, "items": [describe(each, row) for each in sorted(entry)]}
        else:
            tree = {"kind": type(entry).__name__, "items": [describe(each, row) for each in entry]}
        fields = getattr(type(entry), "_fields", None) or getattr(type(entry), "__match_args__", None)
        if fields:
            tree["fields"] = list(fields)
        return tree
    if isinstance(entry, slice):
        return {"kind": "slice", "items": [describe(each, row) for each in (entry.start, entry.stop, entry.step)]}
    if isinstance(entry, BaseException):
        return {"kind": "exception", "items": [type(entry).__name__, clean(str(entry))]}
    if isinstance(entry, type):
        return {"kind": "class", "items": [f"{entry.__module__}.{entry.__qualname__}"]}
    if isinstance(entry, (bytes, bytearray)):
        return {"kind": type(entry).__name__, "items": [base64.b64encode(entry).decode()]}
    if type(entry).__module__.split(".")[0] == "torch" and type(entry).__name__ in (
        "dtype",
        "device",
        "layout",
        "memory_format",
        "TorchVersion",
    ):
        return {"kind": type(entry).__name__, "items": [str(entry)]}
    raise Incomparable(f"the harness cannot compare a {type(entry).__module__}.{type(entry).__qualname__}: return its parts")


def compare(ours: Any, expected: Any, row: "Row", where: str = "") -> None:
    """Fails unless flambeau's answer is PyTorch's, within the row's tolerances."""
    error = ours.pop("error", None) if isinstance(ours, dict) else None
    if isinstance(expected, dict) and "raises" in expected:
        if not (isinstance(ours, dict) and "raises" in ours):
            pytest.fail(f"{where}PyTorch raises {expected['raises']}: {expected['message']}\nflambeau gives {ours}", pytrace=False)
        if row.message is not None:
            assert re.search(row.message, expected["message"]), f"PyTorch's own message does not match: {expected['message']}"
        same = re.search(row.message, ours["message"]) if row.message is not None else ours["message"] == expected["message"]
        if ours["raises"] != expected["raises"] or not same:
            reference = f"PyTorch  {expected['raises']}: {expected['message']}"
            raise AssertionError(f"{where}the exceptions differ\n{reference}\nflambeau {ours['raises']}: {ours['message']}") from error
        if row.warns:
            match(ours.get("warnings"), expected.get("warnings"), row, f"{where}warnings")
        return
    if error is not None:
        raise error
    for part in sorted(expected, key=("result", "grads", "grads2", "warnings").index):
        match(ours.get(part), expected[part], row, f"{where}{part}")


def match(ours: Any, expected: Any, row: "Row", where: str) -> None:
    """Two described values agree; `where` is the way to them."""
    if not isinstance(expected, dict) or not isinstance(ours, dict):
        if isinstance(expected, list) and isinstance(ours, list):
            assert len(ours) == len(expected), f"{where}: flambeau gives {ours}, PyTorch {expected}"
            for number, (a, b) in enumerate(zip(ours, expected)):
                match(a, b, row, f"{where}[{number}]")
            return
        assert type(ours) is type(expected) and ours == expected, f"{where}: flambeau gives {ours!r}, PyTorch {expected!r}"
        return
    if "kind" not in expected:  # gradients by name
        assert sorted(ours) == sorted(expected), f"{where}: {list(ours)} against {list(expected)}"
        for name in expected:
            match(ours[name], expected[name], row, f"{where}.{name}")
        return
    for name in sorted({*ours, *expected} - {"array", "digest", "items", "number"}):
        assert ours.get(name) == expected.get(name), f"{where}: {name} is {ours.get(name)}, PyTorch's {expected.get(name)}"
    if "items" in expected:
        match(ours["items"], expected["items"], row, where)
    elif "number" in expected:
        a, b = complex(ours["number"]), complex(expected["number"])
        rtol, atol = row.tolerance("float32")
        numbers_match(np.array([a.real, a.imag]), np.array([b.real, b.imag]), rtol, atol, where)
    elif "digest" in expected:
        digest_matches(digest(ours["array"], row), expected["digest"], row, where, ours["dtype"])
    elif expected.get("array") is None:
        assert ours.get("array") is None, f"{where}: flambeau has numbers, PyTorch none"
    else:
        rtol, atol = row.tolerance(expected["dtype"].removeprefix("torch."))
        numbers_match(ours["array"], expected["array"], rtol, atol, where)


def numbers_match(ours: np.ndarray, expected: np.ndarray, rtol: float, atol: float, where: str) -> None:
    """Arrays of one shape are close, NaN equal to NaN; equal where the tolerances are zero."""
    if expected.dtype.kind in "biu" or rtol == 0 and atol == 0:
        same = (ours == expected) | ((ours != ours) & (expected != expected))
    else:
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        a, b = ours.astype(wide), expected.astype(wide)
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b)))
            if wide is np.complex128:
                same |= close_parts(a, b, rtol, atol)
    if not np.all(same):
        wrong = np.argwhere(~np.asarray(same))
        first = tuple(wrong[0])
        raise AssertionError(
            f"{where}: {len(wrong)} of {same.size} numbers differ, first at {list(map(int, first))}: "
            f"{ours[first]!r}, PyTorch {expected[first]!r} (rtol {rtol}, atol {atol})"
            + (f"\nflambeau {ours}\nPyTorch  {expected}" if same.size <= 40 else "")
        )


def close_parts(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Complex numbers with infinite or NaN parts: part by part."""

    def part(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x == y) | (np.isnan(x) & np.isnan(y)) | (np.isfinite(y) & (np.abs(x - y) <= atol + rtol * np.abs(y)))

    return part(a.real, b.real) & part(a.imag, b.imag)


def digest(array: np.ndarray, row: "Row") -> dict[str, Any]:
    """A large array in few numbers: some of its elements, its norm, and projections on random signs."""
    flat = array.reshape(-1)
    picked = np.linspace(0, flat.size - 1, 32).astype(int)
    result: dict[str, Any] = {"size": flat.size, "picked": flat[picked]}
    if row.exact or flat.dtype.kind in "biu":
        result["crc"] = zlib.crc32(np.ascontiguousarray(flat).tobytes())
        return result
    wide = flat.astype(np.complex128 if flat.dtype.kind == "c" else np.float64)
    finite = np.isfinite(wide)
    wide = np.where(finite, wide, 0)
    rng = np.random.RandomState(flat.size % 2**31)
    signs = [rng.randint(0, 2, flat.size) * 2 - 1 for _ in range(4)]
    result["finite"] = [int((finite * s).sum()) for s in signs]
    result["norm"] = float(np.sqrt((np.abs(wide) ** 2).sum()))
    result["projections"] = np.array([(wide * s).sum() for s in signs])
    return result


def digest_matches(ours: dict[str, Any], expected: dict[str, Any], row: "Row", where: str, dtype: str) -> None:
    rtol, atol = row.tolerance(dtype.removeprefix("torch."))
    numbers_match(ours["picked"], expected["picked"], rtol, atol, f"{where} (32 of its elements)")
    for name in ("size", "crc", "finite"):
        assert ours.get(name) == expected.get(name), f"{where}: {name} of the whole is {ours.get(name)}, PyTorch's {expected.get(name)}"
    if "norm" in expected:
        bound = rtol * expected["norm"] + atol * math.sqrt(expected["size"])
        numbers_match(ours["projections"], expected["projections"], 0.0, bound, f"{where} (projections of the whole)")


def pack(tree: Any, row: "Row") -> Any:
    """A described answer as JSON: arrays as base64, large ones as digests."""
    if isinstance(tree, dict):
        packed = {name: pack(each, row) for name, each in tree.items() if name != "error"}
        if isinstance(tree.get("array"), np.ndarray) and tree["array"].size > FULL and "kind" in tree:
            del packed["array"]
            packed["digest"] = pack(digest(tree["array"], row), row)
        return packed
    if isinstance(tree, list):
        return [pack(each, row) for each in tree]
    if isinstance(tree, np.ndarray):
        dtype = "bfloat16" if tree.dtype == BFLOAT16 else tree.dtype.newbyteorder("<").str
        return {"b64": base64.b64encode(np.ascontiguousarray(tree).tobytes()).decode(), "of": dtype, "as": list(tree.shape)}
    return tree


def unpack(tree: Any) -> Any:
    if isinstance(tree, dict):
        if "b64" in tree:
            dtype = BFLOAT16 if tree["of"] == "bfloat16" else np.dtype(tree["of"])
            return np.frombuffer(base64.b64decode(tree["b64"]), dtype).reshape(tree["as"])
        return {name: unpack(each) for name, each in tree.items()}
    if isinstance(tree, list):
        return [unpack(each) for each in tree]
    return tree
