"""Running sums, products and extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.layout import normalize_dim, row_major
from ..core.number_info import finfo
from ..core.return_types import return_type
from ..kernels import memory
from ..kernels import sorting as k
from ..tensor import PLAIN, wrap
from .definition import Array, composite, formula_function, operator, tensors, write_out
from .making import numpy_dtype
from .running import ndarray, refuse

_INT64 = np.dtype(np.int64)


def _target(input: Array, dtype: Any, name: str) -> Any:
    if dtype is not None:
        target = numpy_dtype(dtype)
        if target.kind == "b":
            refuse(memory.empty((), target), name)
        return target
    return _INT64 if input.dtype.kind in "iub" else input.dtype


formula_function("reverse_cumsum", k.reverse_cumsum, lambda x, dim: tensors.cumsum(x.flip([dim]), dim).flip([dim]))


@operator("torch.cumsum", "Tensor.cumsum", "Tensor.cumsum_")
def cumsum(input: Array, dim: int, *, dtype: Any = None, into: Any = None) -> Array:
    """Running sums along `dim`; integers and bools sum in int64."""
    axis = normalize_dim(dim, input.ndim)
    target = _target(input, dtype, "cumsum_out_cpu")
    return k.cumsum(input, axis, target, into) if input.ndim else input.astype(target)


cumsum.derivative(input=lambda F, grad, dim: F.reverse_cumsum(grad, dim) if len(grad.shape) else grad)


@operator("torch.cumprod", "Tensor.cumprod", "Tensor.cumprod_")
def cumprod(input: Array, dim: int, *, dtype: Any = None, into: Any = None) -> Array:
    """Running products along `dim`; integers and bools multiply in int64."""
    axis = normalize_dim(dim, input.ndim)
    target = _target(input, dtype, "cumprod_out_cpu")
    return k.cumprod(input, axis, target, into) if input.ndim else input.astype(target)


def _cumprod_derivative(F: Any, grad: Any, input: Any, result: Any, dim: Any) -> Any:
    if not len(input.shape):
        return grad
    return F.cumprod_backward(grad, input, result, dim)


def _cumprod_backward_arrays(grad: Any, x: Any, result: Any, dim: int) -> Any:
    """sum over j >= i of grad[j] * (the product of x[:j + 1] without x[i]); the quick form where there is no zero."""
    if (x != 0).all():
        return k.reverse_cumsum(grad * result.conj(), dim) / x.conj()
    return _cumprod_steps(grad, x, dim, np.moveaxis, lambda parts, axis: memory.stack(parts, axis), np.ones_like)


def _cumprod_backward_tensors(grad: Any, x: Any, result: Any, dim: int) -> Any:
    if bool((x != 0).all()):
        return tensors.reverse_cumsum(grad * tensors.conj(result), dim) / tensors.conj(x)
    return _cumprod_steps(grad, x, dim, tensors.movedim, lambda parts, axis: tensors.stack(parts, axis), tensors.ones_like)


def _cumprod_steps(grad: Any, x: Any, dim: int, move: Any, stack: Any, ones_like: Any) -> Any:
    x, grad = move(x, dim, 0), move(grad, dim, 0)
    parts, before = [], ones_like(x[0])
    for i in range(x.shape[0]):
        product, total = before, 0
        for j in range(i, x.shape[0]):
            if j > i:
                product = product * x[j]
            total = total + grad[j] * (product.conj() if hasattr(product, "conj") else product)
        parts.append(total)
        before = before * x[i]
    return stack(parts, dim)


formula_function("cumprod_backward", _cumprod_backward_arrays, _cumprod_backward_tensors)
cumprod.derivative(input=_cumprod_derivative)


def _running(name: str, largest: bool) -> None:
    def forward(input: Array, dim: int) -> Array:
        axis = normalize_dim(dim, input.ndim)
        if not input.ndim or not input.size:
            return input.copy(), memory.no_index(input)
        if input.dtype.kind == "c":
            refuse(input, f"{name}_cpu")
        values, indices = k.running_extreme(input, axis, largest)
        return row_major(input, values), row_major(input, indices)

    forward.__name__ = name
    forward.__doc__ = f"The {'largest' if largest else 'smallest'} element so far along `dim`, and its index."
    forward.__annotations__ = {"input": "Array"}
    op = operator(f"torch.{name}", f"Tensor.{name}", outputs=2, result_type=return_type(name, "values", "indices"))(forward)
    op.joint("input")(lambda F, grads, result1, input_shape, dim: (F.scatter_sum(grads[0], result1, input_shape, dim),))


formula_function(
    "scatter_sum",
    k.scatter_sum,
    lambda grad, indices, shape, dim: grad.new_zeros(shape).scatter_add(dim, indices, grad) if grad.dim() else grad,
)
_running("cummax", True)
_running("cummin", False)


@operator("torch.logcumsumexp", "Tensor.logcumsumexp")
def logcumsumexp(input: Array, dim: int) -> Array:
    """The logarithm of running sums of exp(input) along `dim`."""
    if input.dtype.kind in "iub":
        from .activation import unimplemented

        raise unimplemented("logcumsumexp_out_cpu", input)
    axis = normalize_dim(dim, input.ndim)
    return row_major(input, k.logcumsumexp(input, axis)) if input.ndim else input.copy()


def _logcumsumexp_backward_tensors(grad: Any, x: Any, result: Any, dim: int) -> Any:
    """The kernel's formula in operators: parts of either sign, in logarithms."""
    total: Any = 0
    lowest = finfo(x.dtype).min
    for sign in (1, -1):
        positive = grad * sign > 0
        logs = tensors.where(positive, tensors.log(tensors.where(positive, grad * sign, 1.0)), lowest) - result
        total = total + sign * tensors.exp(tensors.logcumsumexp(logs.flip([dim]), dim).flip([dim]) + x)
    return total


formula_function("logcumsumexp_backward", k.logcumsumexp_backward, _logcumsumexp_backward_tensors)
logcumsumexp.derivative(
    input=lambda F, grad, input, result, dim: F.logcumsumexp_backward(grad, input, result, dim) if len(input.shape) else grad
)


def _check_integrand(name: str, y: Any, x: Any, dx: Any) -> None:
    """Raises RuntimeError for booleans and complex distances."""
    if y.dtype.kind == 0 or x is not None and x.dtype.kind == 0:
        raise RuntimeError(f"{name}: received a bool input for {'`y`' if x is None else '`x` or `y`'}, but bool is not supported")
    if isinstance(dx, complex):
        raise RuntimeError(f"{name}: Currently, we only support dx as a real number.")


@composite("torch.trapezoid", "torch.trapz")
def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The integral of y along `dim` by the trapezoidal rule, over points x or at distance dx."""
    _check_integrand("trapezoid", y, x, dx)
    n = y.shape[dim]
    left, right = y.narrow(dim, 0, max(n - 1, 0)), y.narrow(dim, min(1, n), max(n - 1, 0))
    if x is None:
        return (left + right).sum(dim) * (dx / 2)
    if x.dim() == 1:
        shape = [1] * y.dim()
        shape[dim] = x.shape[0]
        x = x.reshape(shape)
    step = x.narrow(dim, 1, x.shape[dim] - 1) - x.narrow(dim, 0, x.shape[dim] - 1)
    return ((left + right) * step).sum(dim) / 2


@composite("torch.cumulative_trapezoid")
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The running integral of y along `dim` by the trapezoidal rule."""
    _check_integrand("cumulative_trapezoid", y, x, dx)
    n = y.shape[dim]
    sums = y.narrow(dim, 0, n - 1) + y.narrow(dim, 1, n - 1)
    if x is None:
        return cumsum.function(sums, dim) * (dx / 2)
    if x.dim() == 1:
        shape = [1] * y.dim()
        shape[dim] = x.shape[0]
        x = x.reshape(shape)
    step = x.narrow(dim, 1, x.shape[dim] - 1) - x.narrow(dim, 0, x.shape[dim] - 1)
    return cumsum.function(sums * step, dim) / 2


def _check_beside(input: Any, beside: Any, dim: int) -> None:
    if beside.dim() != input.dim():
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    axis = normalize_dim(dim, input.dim())
    for d, (n, m) in enumerate(zip(input.shape, beside.shape)):
        if n != m and d != axis:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the differencing dimension; "
                f"input.size({d}) = {n}, but got tensor.size({d}) = {m}"
            )


@composite("torch.diff", "Tensor.diff")
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None, *, out: Any = None) -> Any:
    """The n-th differences of neighbours along `dim`."""
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    for beside in (prepend, append):
        if beside is not None:
            _check_beside(input, beside, dim)
    if n == 0:
        return input.clone() if out is None else write_out(input, out)
    parts = [p for p in (prepend, input, append) if p is not None]
    x = tensors.cat(parts, dim) if len(parts) > 1 else input
    if not x.shape[dim]:
        x = x.clone()
    plain = type(x) in PLAIN and not x.requires_grad and x._array.__class__ is ndarray and x._array.size
    if n == 1 and out is None and plain and x.dtype.name != "bool":
        return wrap(k.differences(x._array, normalize_dim(dim, x.dim())))
    for _ in range(min(n, x.shape[dim])):
        size = x.shape[dim]
        after, before = x.narrow(dim, 1, size - 1), x.narrow(dim, 0, size - 1)
        x = tensors.logical_xor(after, before) if x.dtype.name == "bool" else after - before
    return x if out is None else write_out(x, out)


def _steps(input: Any, spacing: Any, dim: Any, edge_order: int) -> tuple[list[int], list[Any]]:
    """The dimensions that `gradient` goes along, and the step or the coordinates along each; RuntimeError where they do not fit."""
    ndim = input.dim()
    dims = [dim] if isinstance(dim, int) else list(range(ndim)) if dim is None else list(dim)
    dims = [normalize_dim(d, max(ndim, 1)) for d in dims]
    given: list[Any] = [spacing] * len(dims) if spacing is None or not isinstance(spacing, (list, tuple)) else list(spacing)
    if input.dtype.name == "uint8":
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if len(given) != len(dims):
        if dim is None:
            raise RuntimeError(
                f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = {ndim}', since "
                f"dim argument was not given, but got a list of length {len(given)}"
            )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same length, but "
            f"got a spacing argument of length {len(given)} and a dim argument of length {len(dims)}."
        )
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(input.shape[d] < edge_order + 1 for d in dims):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    if isinstance(spacing, (list, tuple)):
        for step in given:
            if hasattr(step, "dim") and step.dim() != 1:
                raise RuntimeError(
                    "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                    f"{step.dim()} dimensions!"
                )
    return dims, [1 if step is None else step for step in given]


def _evenly(x: Any, step: Any, dim: int, edge_order: int) -> Any:
    """Slopes along `dim` from central differences, for coordinates `step` apart."""
    n = x.shape[dim]
    inner = (x.narrow(dim, 2, n - 2) - x.narrow(dim, 0, n - 2)) / 2
    if edge_order == 1:
        first, last = x.narrow(dim, 1, 1) - x.narrow(dim, 0, 1), x.narrow(dim, n - 1, 1) - x.narrow(dim, n - 2, 1)
    else:
        first = x.narrow(dim, 1, 1) * 2 - x.narrow(dim, 0, 1) * 1.5 - x.narrow(dim, 2, 1) * 0.5
        last = x.narrow(dim, n - 1, 1) * 1.5 - x.narrow(dim, n - 2, 1) * 2 + x.narrow(dim, n - 3, 1) * 0.5
    return tensors.cat([first / step, inner / step, last / step], dim)


def _unevenly(x: Any, coordinates: Any, dim: int, edge_order: int) -> Any:
    """Slopes along `dim` from the parabolas through three neighbours each."""
    n = x.shape[dim]
    line = [1] * x.dim()
    line[dim] = -1
    gaps = diff(coordinates).reshape(line)
    last_gap = gaps.shape[dim] - 1
    before, after = gaps.narrow(dim, 0, last_gap), gaps.narrow(dim, 1, last_gap)
    both = before + after
    at = [x.narrow(dim, i, n - 2) for i in range(3)]
    inner = at[0] * (-after / (before * both)) + at[1] * ((after - before) / (before * after)) + at[2] * (before / (after * both))
    if edge_order == 1:
        first = (x.narrow(dim, 1, 1) - x.narrow(dim, 0, 1)) / gaps.narrow(dim, 0, 1)
        last = (x.narrow(dim, n - 1, 1) - x.narrow(dim, n - 2, 1)) / gaps.narrow(dim, last_gap, 1)
    else:
        p, q, r = (t.narrow(dim, 0, 1) for t in (before, after, both))
        a, b, c = (x.narrow(dim, i, 1) for i in range(3))
        first = a * (-(p + r) / (p * r)) + b * (r / (p * q)) - c * (p / (q * r))
        p, q, r = (t.narrow(dim, last_gap - 1, 1) for t in (before, after, both))
        a, b, c = (x.narrow(dim, n - 3 + i, 1) for i in range(3))
        last = a * (q / (p * r)) - b * (r / (p * q)) + c * ((q + r) / (q * r))
    return tensors.cat([first, inner, last], dim)


@composite("torch.gradient")
def gradient(input: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Any, ...]:
    """The slopes of sampled values along each of `dim` (all by default), from central differences.

    `spacing`: one step for all, or per dimension a step or the samples' coordinates. `edge_order`: of the differences at the two ends.
    Raises RuntimeError where the arguments do not fit the shape.
    """
    dims, steps = _steps(input, spacing, dim, edge_order)
    along = [(_unevenly if hasattr(step, "dim") and step.dim() else _evenly) for step in steps]
    return tuple(function(input, step, d, edge_order) for function, step, d in zip(along, steps, dims))
