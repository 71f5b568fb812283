"""`python tools/signatures.py src/flambeau/ops/signatures.gz`: writes PyTorch's overloads, for `ops/arguments.py`.

It needs the reference PyTorch. A line holds one function: `where name`, then its overloads as the parser of arguments reads them, and
`/` before those that are deprecated. In the rows of functions `self` is called `input`; methods have rows of their own. `nn` stands for
the functions behind those of `F`, which are written in Python; rows are left out where the public function is written in Python.
"""

import gzip
import re
import sys
import types
from pathlib import Path
from typing import Any

HAND_WRITTEN = {
    "torch": (
        "range(Scalar start, Scalar end, Scalar step=1, *, Tensor out=None, ScalarType dtype=None, Layout layout=None, "
        "Device device=None, bool pin_memory=False, bool requires_grad=False)",
        "nonzero(Tensor input, *, bool as_tuple=False, Tensor out=None)",
        "numel(Tensor input)",
        "tensor(PyObject* data, *, ScalarType? dtype=None, Device? device=None, bool pin_memory=False, bool requires_grad=False)",
        "as_tensor(PyObject* data, *, ScalarType? dtype=None, Device? device=None)",
    ),
}
"""Functions that PyTorch does not generate from its table of operators."""


def main(path: str) -> None:
    from torchgen.packaged.autograd import gen_python_functions as generator

    root = Path(generator.__file__).parent
    native = root.parent / "ATen" / "native"
    parsed = generator.parse_native_yaml(str(native / "native_functions.yaml"), str(native / "tags.yaml")).native_functions
    chosen = [f for f in parsed if generator.should_generate_py_binding(f)]
    functions = generator.load_signatures(chosen, str(root / "deprecated.yaml"), method=False)
    methods = generator.load_signatures(chosen, str(root / "deprecated.yaml"), method=True)
    rows: dict[str, list[str]] = {}
    for where, pairs, belongs in (
        ("torch", functions, generator.is_py_torch_function),
        ("F", functions, generator.is_py_nn_function),
        ("fft", functions, generator.is_py_fft_function),
        ("linalg", functions, generator.is_py_linalg_function),
        ("special", functions, generator.is_py_special_function),
        ("Tensor", methods, generator.is_py_variable_method),
    ):
        for name, overloads in generator.group_filter_overloads(pairs, belongs).items():
            rows[f"{'nn' if where == 'F' else where} {name}"] = [
                ("/" if o.signature.deprecated else "") + arguments_of(str(o.signature.signature_str(symint=True)))
                for o in generator.group_overloads(overloads, symint=True)
            ]
    for where, signatures in {**HAND_WRITTEN, "Tensor": written_by_hand(root)}.items():
        found: dict[str, list[str]] = {}
        for signature in signatures:
            found.setdefault(f"{where} {signature.partition('(')[0]}", []).append(arguments_of(signature))
        rows |= found
    import torch

    for key in list(rows):
        where, _, name = key.partition(" ")
        home = {"torch": torch, "Tensor": torch.Tensor}.get(where)
        if isinstance(getattr(home, str(name), None), types.FunctionType):
            rows[f"inner {name}"] = rows.pop(key)
        if isinstance(getattr(torch.nn.functional, str(name), None), types.BuiltinFunctionType):
            rows[f"F {name}"] = rows.get(f"nn {name}") or rows[f"torch {name}"]
    text = "\n".join(f"{key}\t" + "\t".join(overloads) for key, overloads in sorted(rows.items()))
    Path(path).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def arguments_of(signature: str) -> str:
    """What stands between the brackets."""
    signature = signature.removesuffix("|deprecated")
    return (
        signature[signature.index("(") + 1 : signature.rindex(")")]
        .replace("c10::string_view", "str")
        .replace("SymInt", "int64_t")
        .replace("int64_tArrayRef", "IntArrayRef")
    )


def written_by_hand(root: Any) -> list[str]:
    """The signatures of the methods whose parsers stand in the template."""
    text = (root / "templates" / "python_variable_methods.cpp").read_text()
    return re.findall(r'^\s+"(\w+\(.*\))"', text, re.MULTILINE)


if __name__ == "__main__":
    main(sys.argv[1])
