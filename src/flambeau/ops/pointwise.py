"""Arithmetic, comparison and mathematical functions, element by element."""

from __future__ import annotations

from typing import Any

from ..kernels import elementwise as k
from ..kernels.memory import sum_to
from .definition import Array, Number, formula_function, operator, tensors


def conj_array(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


# What the engine and the formulas need in both forms. Over Tensors the names resolve when they are called.
formula_function("sum_to", sum_to, lambda x, shape: tensors.sum_to_size(x, shape))
formula_function("cast", lambda x, dtype: k.cast(x.real if x.dtype.kind == "c" and dtype.kind != "c" else x, dtype), lambda x, d: tensors.to_dtype(x, d))
formula_function("conj", lambda x: conj_array(x) if hasattr(x, "dtype") else x, lambda x: tensors.conj(x) if hasattr(x, "_array") else x)


@operator("torch.add", "Tensor.add", "Tensor.add_", "Tensor.__add__", "Tensor.__radd__", "Tensor.__iadd__", promote="arithmetic")
def add(input: Array, other: Array | Number, *, alpha: Any = 1, out: Any = None) -> Array:
    """`input + alpha * other`, broadcast."""
    return k.add(input, other if alpha == 1 else other * alpha, out)


add.derivative(input=lambda F, grad: grad, other=lambda F, grad, alpha: grad if alpha == 1 else grad * F.conj(alpha))


@operator("torch.mul", "torch.multiply", "Tensor.mul", "Tensor.multiply", "Tensor.mul_", "Tensor.multiply_", "Tensor.__mul__", "Tensor.__rmul__", "Tensor.__imul__", promote="arithmetic")  # fmt: skip
def mul(input: Array, other: Array | Number, out: Any = None) -> Array:
    """`input * other`, broadcast."""
    return k.multiply(input, other, out)


mul.derivative(input=lambda F, grad, other: grad * F.conj(other), other=lambda F, grad, input: grad * F.conj(input))
