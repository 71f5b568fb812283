"""Random streams against PyTorch's: what a call gives, and the generator's state after it, bit for bit.

A test file lists its calls by a key and computes each twice: with flambeau's kernels and, where PyTorch is installed,
with PyTorch. `Stored` keeps what PyTorch gave as one compressed file, rewritten with FLAMBEAU_WRITE_EXPECTATIONS=1.
"""

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any, Callable

import ml_dtypes
import numpy as np

from flambeau.core.generator import Generator
from harness import VERSION, WRITE, Expectations, real_torch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SMALL = 64
"""Results of up to this many elements are stored whole, larger ones as a hash."""


def numpy_dtype(name: str) -> np.dtype:
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def to_numpy(tensor: Any) -> np.ndarray:
    if str(tensor.dtype) == "torch.bfloat16":
        import torch

        return np.array(tensor.contiguous().view(torch.int16).numpy()).view(BFLOAT16)
    return np.array(tensor.numpy(), order="C")


def to_torch(array: np.ndarray) -> Any:
    import torch

    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def state_of(generator: Any) -> np.ndarray:
    return generator.state_array() if isinstance(generator, Generator) else generator.get_state().numpy()


def outcome(call: Callable[[Any], Any], generator: Any) -> dict[str, Any]:
    """What the call gives, as plain data: an array or an error, and the state after it."""
    try:
        result = call(generator)
    except Exception as error:
        answer: dict[str, Any] = {"error": [type(error).__name__, str(error).split("\nException raised from")[0]]}
    else:
        array = np.array(result, order="C") if isinstance(result, np.ndarray) else to_numpy(result)
        answer = {"dtype": str(array.dtype), "shape": list(array.shape), "hash": short_hash(array)}
        if array.size <= SMALL:
            answer["bytes"] = base64.b64encode(array.tobytes()).decode()
    answer["state"] = short_hash(state_of(generator))
    return answer


def short_hash(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def assert_same(ours: dict[str, Any], theirs: dict[str, Any], last_bits: bool = False) -> None:
    """Equal; with `last_bits`, floating-point results that hang on the machine's C library may differ by 4 in the last place."""
    if last_bits and "bytes" in theirs and ours["hash"] != theirs["hash"]:
        dtype = np.dtype(theirs["dtype"])
        real = np.float64 if dtype.kind == "c" else dtype
        numbers = [np.frombuffer(base64.b64decode(each["bytes"]), real) for each in (ours, theirs)]
        np.testing.assert_array_max_ulp(*numbers, maxulp=4)
        ours = ours | {"hash": theirs["hash"], "bytes": theirs["bytes"]}
    assert ours == theirs


class Stored:
    """The stored answers that belong to a test file."""

    def __init__(self, test_file: str) -> None:
        self.path = Path(test_file).parent / "expected" / (Path(test_file).stem + ".json.gz")
        self.answers: dict[str, Any] = {}
        if not Expectations.fresh and self.path.exists():
            self.answers = json.loads(gzip.decompress(self.path.read_bytes()))["answers"]

    def check(self, key: str, ours: Callable[[], dict[str, Any]], theirs: Callable[[Any], dict[str, Any]], last_bits: bool = False) -> None:
        """Compares flambeau with what is stored and with PyTorch itself, if that is there."""
        torch = real_torch()
        if torch is not None:
            live = theirs(torch)
            if WRITE:
                self.answers[key] = live
            else:
                assert_same(live, self.answers[key], last_bits)
            assert_same(ours(), live)
        else:
            assert_same(ours(), self.answers[key], last_bits)

    def save(self) -> None:
        """At the end of a run that writes."""
        if WRITE:
            content = json.dumps({"torch": VERSION, "answers": self.answers}, sort_keys=True).encode()
            self.path.parent.mkdir(exist_ok=True)
            self.path.write_bytes(gzip.compress(content, 9, mtime=0))
