"""Matrix products and what is made of them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import broadcast_shapes, normalize_dim
from ..core.promotion import promote_types, rounded
from ..kernels import matmul as k
from ..kernels.elementwise import F32, add, cast, multiply, scaled_sum
from ..kernels.elementwise import outer as outer_kernel
from ..kernels.pointwise import LOW
from ..kernels.reduction import sum as sum_kernel
from ..tensor import PLAIN, Tensor
from .definition import Array, composite, operator, tensors, write_out
from .halves import halves
from .outputs import C_NAMES
from .running import no_such_number, same_scalar_type


def check_dtypes(a: Array, b: Array, words: str = "expected m1 and m2 to have the same dtype, but got: {} != {}") -> None:
    """Raises RuntimeError where two factors differ in dtype: products do not promote."""
    if a.dtype != b.dtype:
        first, second = (SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (a, b))
        if words.startswith("expected m1"):
            first, second = C_NAMES.get(first, first), C_NAMES.get(second, second)
        raise RuntimeError(words.format(first, second))


def _linear_node(input: Array, weight: Array, bias: Array | None) -> str:
    """PyTorch's name for the last step of the computation, which depends on the shapes."""
    if weight.ndim == 1:
        return "MvBackward0" if bias is None else "AddBackward0"
    if input.ndim == 2:
        return "MmBackward0" if bias is None else "AddmmBackward0"
    if bias is None:
        return "UnsafeViewBackward0" if input.ndim > 2 else "SqueezeBackward4"
    return "ViewBackward0"


@operator("F.linear", node=_linear_node, out=False)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """`input @ weight.T + bias`.

    input: (..., in); weight: (out, in) or (in); bias: (out) or none. Returns (..., out).
    Raises RuntimeError where the inner sizes differ.
    """
    shape, wide = input.shape, weight.shape
    if not shape or not 0 < len(wide) < 3 or shape[-1] != wide[-1]:
        if not shape or not wide:
            raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are {len(shape)}D and {len(wide)}D")
        if len(wide) > 2:
            raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {len(wide)}D")
        rows = 1
        for n in shape[:-1]:
            rows *= n
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{shape[-1]} and {wide[-1]}x{wide[0]})")
    if input.dtype is not weight.dtype and input.dtype != weight.dtype:
        if bias is None:
            check_dtypes(input, weight)
        names = (SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (input, weight))
        raise RuntimeError("mat1 and mat2 must have the same dtype, but got {} and {}".format(*names))
    if bias is None:
        return k.linear(input, weight, None)
    if bias.dtype is not weight.dtype:
        check_dtypes(bias, weight, "self and mat2 must have the same dtype, but got {} and {}")
    if bias.shape != wide[:-1]:
        broadcast_to_product(bias, k.linear(input, weight, None))
    return k.linear(input, weight, bias)


@linear.joint("input", "weight", "bias")
def _linear_gradients(F: Any, grad: Any, needs: Any, input: Any, weight: Any) -> Any:
    if len(weight.shape) == 1 or weight.dtype.kind in _COMPLEX:
        return _odd_linear_gradients(F, grad, needs, input, weight)
    return (
        F.linear_input_gradient(grad, weight) if needs[0] else None,
        F.linear_weight_gradient(grad, input) if needs[1] else None,
        F.linear_bias_gradient(grad) if needs[2] else None,
    )


_COMPLEX = ("c", 3)  # the kind of NumPy's complex dtypes, and of ours


def _odd_linear_gradients(F: Any, grad: Any, needs: Any, input: Any, weight: Any) -> Any:
    """The gradients where the weight is a vector, or complex."""
    input, weight = F.conj(input), F.conj(weight)
    if len(weight.shape) > 1:
        return (
            F.linear_input_gradient(grad, weight) if needs[0] else None,
            F.linear_weight_gradient(grad, input) if needs[1] else None,
            F.linear_bias_gradient(grad) if needs[2] else None,
        )
    column = grad[..., None]
    return (
        column * weight if needs[0] else None,
        F.sum_to(column * input, tuple(weight.shape)) if needs[1] else None,
        F.sum(grad, None, False) if needs[2] else None,
    )


@operator(node="ReluBackward0", out=False)
def linear_relu(input: Array, weight: Array, bias: Array | None) -> Array:
    """`relu(linear(input, weight, bias))` in one pass, for arguments that `linear` takes, the weight a matrix."""
    return k.linear_relu(input, weight, bias)


@linear_relu.joint("input", "weight", "bias")
def _linear_relu_gradients(F: Any, grad: Any, needs: Any, input: Any, weight: Any, result: Any) -> Any:
    return _linear_gradients(F, F.threshold_backward(grad, result, 0), needs, input, weight)


@operator(out=False)
def linear_input_gradient(grad_output: Array, weight: Array) -> Array:
    """The gradient of `input` in `linear`."""
    return k.matmul(grad_output, weight)


linear_input_gradient.derivative(
    grad_output=lambda F, grad, weight: F.linear(grad, weight, None),
    weight=lambda F, grad, grad_output: F.linear_weight_gradient(grad_output, grad),
)


@operator(out=False)
def linear_weight_gradient(grad_output: Array, input: Array) -> Array:
    """The gradient of `weight` in `linear`: (out, in)."""
    return k.linear_weight_gradient(grad_output, input)


linear_weight_gradient.derivative(
    grad_output=lambda F, grad, input: F.linear(input, grad, None),
    input=lambda F, grad, grad_output: F.linear_input_gradient(grad_output, grad),
)


@operator(out=False)
def linear_bias_gradient(grad_output: Array) -> Array:
    """The gradient of `bias` in `linear`: the sum over all rows."""
    return sum_kernel(grad_output.reshape(-1, grad_output.shape[-1]), (0,))


linear_bias_gradient.derivative(grad_output=lambda F, grad, grad_output_shape: F.expand(grad, grad_output_shape))


# --- products ----------------------------------------------------------------------------------------------------


def _transposed(F: Any, x: Any) -> Any:
    """The conjugate transpose of the last two dimensions."""
    return F.conj(F.transpose(x, -2, -1))


@operator("torch.mm", "Tensor.mm")
def mm(input: Array, mat2: Array, into: Any = None) -> Array:
    """The product of two matrices: (n, k) @ (k, m)."""
    if input.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    check_dtypes(input, mat2)
    if input.shape[1] != mat2.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({input.shape[0]}x{input.shape[1]} and {mat2.shape[0]}x{mat2.shape[1]})"
        )
    return k.matmul(input, mat2, into)


mm.derivative(input=lambda F, grad, mat2: F.mm(grad, _transposed(F, mat2)), mat2=lambda F, grad, input: F.mm(_transposed(F, input), grad))


@operator("torch.bmm", "Tensor.bmm")
def bmm(input: Array, mat2: Array, into: Any = None) -> Array:
    """The products of two batches of matrices: (b, n, k) @ (b, k, m)."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError(f"{'batch1' if input.ndim != 3 else 'batch2'} must be a 3D tensor")
    same_scalar_type(input, mat2)
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{input.shape[0]}, {input.shape[2]}] but got: "
            f"[{mat2.shape[0]}, {mat2.shape[1]}]."
        )
    return k.matmul(input, mat2, into)


bmm.derivative(
    input=lambda F, grad, mat2: F.bmm(grad, _transposed(F, mat2)), mat2=lambda F, grad, input: F.bmm(_transposed(F, input), grad)
)


@operator("torch.mv", "Tensor.mv")
def mv(input: Array, vec: Array) -> Array:
    """Matrix times vector: (n, m) @ (m)."""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {input.ndim and 1}, {input.ndim}, {vec.ndim}")
    check_dtypes(vec, input, "addmv input tensors must have the same dtype, but got {0}, {1}, and {0}")
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x{input.shape[1]}), vec ({vec.shape[0]})")
    return k.matmul(input, vec)


mv.derivative(input=lambda F, grad, vec: F.outer(grad, F.conj(vec)), vec=lambda F, grad, input: F.mv(_transposed(F, input), grad))


@operator("torch.dot", "Tensor.dot")
def dot(input: Array, tensor: Array) -> Array:
    """The sum of the products of two vectors of one length."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.dtype != tensor.dtype:
        check_dtypes(input, tensor, "dot : expected both vectors to have same dtype, but found {} and {}")
    if input.shape != tensor.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{input.shape[0]}] and src [{tensor.shape[0]}] to have the same number of "
            f"elements, but got {input.shape[0]} and {tensor.shape[0]} elements respectively"
        )
    return k.inner(input, tensor)


dot.derivative(input=lambda F, grad, tensor: grad * F.conj(tensor), tensor=lambda F, grad, input: grad * F.conj(input))


@operator("torch.vdot", "Tensor.vdot")
def vdot(input: Array, other: Array) -> Array:
    """`dot` with the first vector conjugated."""
    if input.dtype != other.dtype:
        check_dtypes(input, other, "dot : expected both vectors to have same dtype, but found {} and {}")
    if input.ndim != 1 or other.ndim != 1 or input.shape != other.shape:
        return dot.forward(input, other)
    return k.inner(input.conj() if input.dtype.kind == "c" else input, other)


vdot.derivative(input=lambda F, grad, other: F.conj(grad) * other, other=lambda F, grad, input: grad * input)


@operator("torch.outer", "torch.ger", "Tensor.outer", "Tensor.ger", promote="arithmetic", node="MulBackward0")
def outer(input: Array, vec2: Array, into: Any = None) -> Array:
    """Every product of an element of `input` (n) with one of `vec2` (m): (n, m)."""
    if input.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument self, but got {input.ndim}-D")
    if vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument vec2, but got {vec2.ndim}-D")
    return outer_kernel(input, vec2, into)


def _outer_gradient(F: Any, grad: Any, other: Any, first: bool) -> Any:
    """What a product's gradient sums up to; half precision rounds the products."""
    if F is halves:
        return F.sum(grad * (other if first else F.unsqueeze(other, 1)), (1,) if first else (0,))
    return F.mv(grad if first else F.transpose(grad, 0, 1), F.conj(other))


outer.derivative(
    input=lambda F, grad, vec2: _outer_gradient(F, grad, vec2, True), vec2=lambda F, grad, input: _outer_gradient(F, grad, input, False)
)


def _matmul_node(input: Array, other: Array) -> str:
    """PyTorch's name for the last step of a product, which depends on the shapes."""
    a, b = input.ndim, other.ndim
    if a == 1 and b == 1:
        return "DotBackward0"
    if a == 2 and b == 1:
        return "MvBackward0"
    if a == 1 and b == 2:
        return "SqueezeBackward4"
    if a == 2 and b == 2:
        return "MmBackward0"
    return "UnsafeViewBackward0"


@operator("torch.matmul", "Tensor.matmul", "Tensor.__matmul__", node=_matmul_node)
def matmul(input: Array, other: Array, into: Any = None) -> Array:
    """The matrix product: of vectors, matrices, or batches of matrices that broadcast.

    Raises RuntimeError where the inner sizes differ, naming the shapes.
    """
    a, b = input.ndim, other.ndim
    if not a or not b:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D")
    if input.dtype is not other.dtype and input.dtype != other.dtype:
        _dtypes_differ(input, other)
    if input.shape[-1] != other.shape[-2 if b > 1 else 0]:
        _shapes_differ(input.shape, other.shape)
    if a == 1 and b == 1:
        return k.inner(input, other)
    try:
        return k.matmul(input, other, into)
    except ValueError:
        broadcast_shapes(input.shape[:-2], other.shape[:-2])
        raise


def _dtypes_differ(a: Array, b: Array) -> None:
    """Raises the error of the product that PyTorch would have called."""
    if a.ndim == 1 == b.ndim:
        check_dtypes(a, b, "dot : expected both vectors to have same dtype, but found {} and {}")
    elif b.ndim == 1:
        check_dtypes(b, a, "addmv input tensors must have the same dtype, but got {0}, {1}, and {0}")
    elif b.ndim > 2:
        check_dtypes(a, b, "expected scalar type {} but found {}")
    check_dtypes(a, b)


def _shapes_differ(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Raises the error of the product that PyTorch would have called."""
    if len(a) == 1 and len(b) == 1:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a[0]}] and src [{b[0]}] to have the same number of elements, but got {a[0]} and "
            f"{b[0]} elements respectively"
        )
    if len(b) == 1 and len(a) == 2:
        raise RuntimeError(f"size mismatch, got input ({a[0]}), mat ({a[0]}x{a[1]}), vec ({b[0]})")
    if len(a) <= 2 and len(b) == 2 or len(b) <= 2:
        rows = 1
        for n in a[:-1]:
            rows *= n
        columns = b[1] if len(b) == 2 else 1
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a[-1]} and {b[0]}x{columns})")
    batch = broadcast_shapes(a[:-2], b[:-2])
    count = 1
    for n in batch:
        count *= n
    raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: [{count}, {a[-1]}] but got: [{count}, {b[-2]}].")


def _matmul_input_gradient(F: Any, grad: Any, other: Any, input_shape: Any) -> Any:
    dims = len(input_shape)
    if len(other.shape) == 1:
        if dims == 1:
            return grad * F.conj(other)
        return F.outer(grad, F.conj(other)) if dims == 2 else grad[..., None] * F.conj(other)
    if dims == 1:
        result = F.matmul(grad[..., None, :], _transposed(F, other))
        return F.sum_to(result, (1, input_shape[0])).reshape(input_shape)
    return F.sum_to(F.matmul(grad, _transposed(F, other)), input_shape)


def _matmul_other_gradient(F: Any, grad: Any, input: Any, other_shape: Any, other_strides: Any) -> Any:
    dims = len(input.shape)
    if len(other_shape) == 1:
        if dims == 1:
            return grad * F.conj(input)
        return F.sum_to((grad[..., None] * F.conj(input)), other_shape)
    if dims == 1:
        return F.sum_to(F.conj(input)[:, None] * grad[..., None, :], other_shape)
    if dims > 2 and len(other_shape) == 2:
        rows = 1
        for n in input.shape[:-1]:
            rows *= n
        return F.mm(_transposed(F, input.reshape(rows, input.shape[-1])), grad.reshape(rows, grad.shape[-1]))
    if dims > 2 and other_strides[-2] < other_strides[-1] and other_shape[-1] > 16 < other_shape[-2]:
        # what came transposed gets its gradient so: turning it back, which follows, then costs no copy
        return F.sum_to(_transposed(F, F.matmul(_transposed(F, grad), input)), other_shape)
    return F.sum_to(F.matmul(_transposed(F, input), grad), other_shape)


matmul.derivative(input=_matmul_input_gradient, other=_matmul_other_gradient)


@composite("Tensor.__rmatmul__")
def rmatmul(self: Any, other: Any) -> Any:
    """`other @ self`."""
    return matmul.function(other, self)


@operator("torch.addmm", "Tensor.addmm", "Tensor.addmm_")
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: Any = 1, alpha: Any = 1, into: Any = None) -> Array:
    """`beta * input + alpha * (mat1 @ mat2)`."""
    if mat1.ndim != 2 or mat2.ndim != 2:
        name, wrong = ("mat1", mat1) if mat1.ndim != 2 else ("mat2", mat2)
        raise RuntimeError(f"{name} must be a matrix, got {wrong.ndim}-D tensor")
    if input.dtype is not mat2.dtype or mat1.dtype is not mat2.dtype:
        check_dtypes(input, mat2, "self and mat2 must have the same dtype, but got {} and {}")
        check_dtypes(mat1, mat2, "mat1 and mat2 must have the same dtype, but got {} and {}")
    if input.ndim < 3 and beta != 0 and (result := k.added(input, mat1, mat2, into, beta, alpha)) is not None:
        return result
    return _combined(input, mm.forward, mat1, mat2, beta, alpha)


def _combined(input: Array, factor: Any, a: Array, b: Array, beta: Any, alpha: Any) -> Array:
    """`beta * input + alpha * factor(a, b)`; in half precision the product and the sum are rounded together."""
    if alpha.__class__ is not int or beta.__class__ is not int:
        _check_scales(input.dtype, beta, alpha)
    low = input.dtype.char in LOW and (alpha != 1 or beta != 1)
    product = factor(cast(a, F32), cast(b, F32)) if low else factor(a, b)
    broadcast_to_product(input, product)
    if low:
        return scaled_sum(product, alpha, input, beta, input.dtype, factor is mv.forward)
    if product.dtype.kind in "iu":  # whole numbers are scaled by whole numbers
        alpha, beta = int(alpha), int(beta)
    if alpha != 1:
        product = multiply(product, alpha).astype(product.dtype, copy=False)
    if beta == 0:
        return product
    return add(product, input if beta == 1 else multiply(input, beta)).astype(product.dtype, copy=False)


def _check_scales(dtype: Any, *scales: Any) -> None:
    """Raises RuntimeError for a complex number where the product is real."""
    for scale in scales:
        if scale.__class__ is complex and scale.imag and dtype.kind not in "cb":
            raise no_such_number(dtype)


def broadcast_to_product(input: Array, product: Array) -> None:
    """Raises RuntimeError where the summand does not broadcast to the product."""
    shape, target = input.shape, product.shape
    if len(shape) > len(target):
        kind = SCALAR_NAMES[OF_NUMPY[input.dtype]]
        raise RuntimeError(
            f"expand(torch.{kind}Tensor{{{list(shape)}}}, size={list(target)}): the number of sizes provided ({len(target)}) must be "
            f"greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    for d in range(len(target) - 1, len(target) - len(shape) - 1, -1):
        n = shape[d - len(target)]
        if n not in (1, target[d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({target[d]}) must match the existing size ({n}) at non-singleton dimension {d}.  "
                f"Target sizes: {list(target)}.  Tensor sizes: {list(shape)}"
            )


def _scaled(x: Any, by: Any) -> Any:
    return x if by == 1 else x * by


addmm.derivative(
    input=lambda F, grad, beta: _scaled(grad, beta),
    mat1=lambda F, grad, mat2, alpha: _scaled(F.mm(grad, _transposed(F, mat2)), alpha),
    mat2=lambda F, grad, mat1, alpha: _scaled(F.mm(_transposed(F, mat1), grad), alpha),
)


def _check_addmv(input: Array, mat: Array, vec: Array) -> None:
    if not input.dtype == mat.dtype == vec.dtype:
        first, second, third = (SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (input, mat, vec))
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {first}, {second}, and {third}")


@operator("torch.addmv", "Tensor.addmv", "Tensor.addmv_")
def addmv(input: Array, mat: Array, vec: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """`beta * input + alpha * (mat @ vec)`."""
    if input.dtype is not mat.dtype or mat.dtype is not vec.dtype:
        _check_addmv(input, mat, vec)
    return _combined(input, mv.forward, mat, vec, beta, alpha)


addmv.derivative(
    input=lambda F, grad, beta: _scaled(grad, beta),
    mat=lambda F, grad, vec, alpha: _scaled(F.outer(grad, F.conj(vec)), alpha),
    vec=lambda F, grad, mat, alpha: _scaled(F.mv(_transposed(F, mat), grad), alpha),
)


@operator("torch.addr", "Tensor.addr", "Tensor.addr_")
def addr(input: Array, vec1: Array, vec2: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    if not input.dtype is vec1.dtype is vec2.dtype:
        common = promote_types(promote_types(OF_NUMPY[input.dtype], OF_NUMPY[vec1.dtype]), OF_NUMPY[vec2.dtype]).numpy
        input, vec1, vec2 = (cast(x, common) for x in (input, vec1, vec2))
    for name, number in (("beta", beta), ("alpha", alpha)):
        if number.__class__ is bool and input.dtype.kind != "b":
            raise RuntimeError(f"Boolean {name} only supported for Boolean results.")
        if number.__class__ is float and input.dtype.kind in "iub":
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    if input.dtype.char in LOW and (alpha != 1 or beta != 1):
        product = outer.forward(multiply(vec1, rounded(alpha, input.dtype)), vec2)
        broadcast_to_product(input, product)
        return product if beta == 0 else add(multiply(input, rounded(beta, input.dtype)), product)
    return _combined(input, outer.forward, vec1, vec2, beta, alpha)


addr.derivative(
    input=lambda F, grad, beta: _scaled(grad, beta),
    vec1=lambda F, grad, vec2, alpha: _scaled(F.mv(grad, F.conj(vec2)), alpha),
    vec2=lambda F, grad, vec1, alpha: _scaled(F.mv(F.transpose(grad, 0, 1), F.conj(vec1)), alpha),
)


@operator("torch.baddbmm", "Tensor.baddbmm", "Tensor.baddbmm_")
def baddbmm(input: Array, batch1: Array, batch2: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """`beta * input + alpha * (batch1 @ batch2)`, for batches of matrices."""
    if not input.dtype == batch1.dtype == batch2.dtype:
        words = "Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}"
        raise RuntimeError(words.format(*(C_NAMES[SCALAR_NAMES[OF_NUMPY[x.dtype]]] for x in (input, batch1, batch2))))
    if batch1.ndim == 3 == batch2.ndim and batch1.shape[0] == batch2.shape[0] and input.ndim < 4 and beta != 0:
        result = k.added(input, batch1, batch2, None, beta, alpha)
        if result is not None:
            return result
    return _combined(input, bmm.forward, batch1, batch2, beta, alpha)


baddbmm.derivative(
    input=lambda F, grad, beta: _scaled(grad, beta),
    batch1=lambda F, grad, batch2, alpha: _scaled(F.bmm(grad, _transposed(F, batch2)), alpha),
    batch2=lambda F, grad, batch1, alpha: _scaled(F.bmm(_transposed(F, batch1), grad), alpha),
)


@operator("torch.addbmm", "Tensor.addbmm", "Tensor.addbmm_")
def addbmm(input: Array, batch1: Array, batch2: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """`beta * input + alpha * (the sum of batch1[i] @ batch2[i])`."""
    if input.dtype != batch1.dtype:
        names = [SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (input, batch1)]
        raise RuntimeError("self and mat2 must have the same dtype, but got {} and {}".format(*names))
    if len(batch1) == len(batch2) > 0 and input.ndim < 3 and input.dtype.kind in "fV":
        for a, b in zip(batch1, batch2):
            input, beta = addmm.forward(input, a, b, beta=beta, alpha=alpha), 1
        return input
    return _combined(input, lambda a, b: sum_kernel(bmm.forward(a, b), (0,)), batch1, batch2, beta, alpha)


def _batched(F: Any, grad: Any, like: Any) -> Any:
    return F.expand(grad, (like.shape[0], *grad.shape))


addbmm.derivative(
    input=lambda F, grad, beta: _scaled(grad, beta),
    batch1=lambda F, grad, batch2, alpha: _scaled(F.bmm(_batched(F, grad, batch2), _transposed(F, batch2)), alpha),
    batch2=lambda F, grad, batch1, alpha: _scaled(F.bmm(_transposed(F, batch1), _batched(F, grad, batch1)), alpha),
)


@composite("torch.inner", "Tensor.inner")
def inner(input: Any, other: Any, *, out: Any = None) -> Any:
    """The sum of products over the last dimension of both."""
    if input.dim() == 0 or other.dim() == 0:
        return input * other if out is None else write_out(input * other, out)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]), out)


@composite("torch.tensordot")
def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """The sum of products over several dimensions: the last `dims` of `a` and first of `b`, or two lists of dimensions."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims_a, dims_b = list(range(-dims, 0)), list(range(dims))
    else:
        dims_a, dims_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    named = list(zip(dims_a, dims_b))
    dims_a, dims_b = [normalize_dim(d, a.dim()) for d in dims_a], [normalize_dim(d, b.dim()) for d in dims_b]
    given = list(zip(dims_a, dims_b))
    for i, j in zip(dims_a, dims_b):
        if a.shape[i] == 1:  # a dimension of one broadcasts: the other is summed
            b = b.sum(j, True)
        elif b.shape[j] == 1:
            a = a.sum(i, True)
        elif a.shape[i] != b.shape[j]:
            at = given.index((i, j))
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {named[at][0]} and second has size "
                f"{b.shape[j]} in dim {named[at][1]}"
            )
    free_a = [d for d in range(a.dim()) if d not in dims_a]
    free_b = [d for d in range(b.dim()) if d not in dims_b]
    if not free_a and not free_b and a.dtype is b.dtype:
        result = _whole_product(a.permute(dims_a), b.permute(dims_b)).reshape([])
        return result if out is None else write_out(result, out)
    size = 1
    for d in dims_a:
        size *= a.shape[d]
    left = a.permute(*free_a, *dims_a).reshape(-1, size) if size else a.permute(*free_a, *dims_a).reshape(_product(a, free_a), 0)
    right = b.permute(*dims_b, *free_b).reshape(size, -1) if size else b.permute(*dims_b, *free_b).reshape(0, _product(b, free_b))
    result = mm.function(left, right).reshape([a.shape[d] for d in free_a] + [b.shape[d] for d in free_b])
    return result if out is None else write_out(result, out)


def _whole_product(a: Any, b: Any) -> Any:
    """The sum of the products of all elements of two tensors of one shape."""
    if a.is_contiguous() and b.is_contiguous():
        return dot.function(*[x if x.dim() == 1 else x.reshape(-1) for x in (a, b)])
    return (a.squeeze() * b.squeeze()).sum()


def _product(x: Any, dims: list[int]) -> int:
    result = 1
    for d in dims:
        result *= x.shape[d]
    return result


@composite("torch.kron", "Tensor.kron")
def kron(input: Any, other: Any, *, out: Any = None) -> Any:
    """The Kronecker product: every element of `input` times the whole of `other`, dimension by dimension."""
    n = max(input.dim(), other.dim())
    a, b = [1] * (n - input.dim()) + list(input.shape), [1] * (n - other.dim()) + list(other.shape)
    left = input.reshape([s for m in a for s in (m, 1)])
    right = other.reshape([s for m in b for s in (1, m)])
    result = (left * right).reshape([p * q for p, q in zip(a, b)])
    return result if out is None else write_out(result, out)


@composite("torch.chain_matmul")
def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """The product of several matrices, in the order that costs least."""
    return tensors.multi_dot(list(matrices))


@composite("F.bilinear", "torch.bilinear")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """`input1 @ weight_k @ input2` for each k: inputs (..., in1) and (..., in2), weight (out, in1, in2)."""
    _check_bilinear(input1.shape, input2.shape, weight.shape, None if bias is None else bias.shape)
    if input1.dtype is not weight.dtype or input2.dtype is not weight.dtype or (bias is not None and bias.dtype is not weight.dtype):
        given = {"input1": input1, "input2": input2, "weight": weight, **({} if bias is None else {"bias": bias})}
        names = (f"{name}: {C_NAMES[SCALAR_NAMES[x.dtype]]}" for name, x in given.items())
        raise RuntimeError(f"All tensors must have the same dtype, got {', '.join(names)}")
    flat1, flat2 = input1.reshape(-1, input1.shape[-1]), input2.reshape(-1, input2.shape[-1])
    out = einsum("bi,oij,bj->bo", flat1, weight, flat2).reshape(*input1.shape[:-1], weight.shape[0])
    return out if bias is None else out + bias


def _check_bilinear(a: Any, b: Any, weight: Any, bias: Any) -> None:
    """Raises RuntimeError where the shapes do not fit together."""
    if len(a) != len(b):
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {len(a)} and {len(b)}")
    for i, (n, m) in enumerate(zip(a[:-1], b[:-1])):
        if n != m:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {i}: got {n} and {m}")
    for name, n, d in (("input1", a[-1], 1), ("input2", b[-1], 2)):
        if n != weight[d]:
            raise RuntimeError(f"bilinear(): {name} size does not match weight size: got {n} but expected {weight[d]}")
    if bias is not None and bias[0] != weight[0]:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {bias[0]} but expected {weight[0]}")


# --- einsum ------------------------------------------------------------------------------------------------------


def _parse(equation: str, operands: list[Any]) -> tuple[list[list[str]], list[str]]:
    """The labels of each operand and of the result; an ellipsis becomes labels of its own."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        more = "fewer" if len(terms) > len(operands) else "more"
        raise RuntimeError(f"einsum(): {more} operands were provided than specified in the equation")
    labels = []
    for term, x in zip(terms, operands):
        for c in term.replace("...", ""):
            if not c.isalpha():
                raise RuntimeError(
                    f"einsum(): invalid subscript given at index {text.index(c)} in the equation string, subscripts must be in [a-zA-Z]"
                )
        if "..." in term:
            before, _, after = term.partition("...")
            extra = x.dim() - len(before) - len(after)
            labels.append([*before, *(f".{i}" for i in range(-extra, 0)), *after])
        else:
            labels.append(list(term))
        if len(labels[-1]) != x.dim():
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(labels[-1])}) does not match the number of dimensions "
                f"({x.dim()}) for operand {len(labels) - 1} and no ellipsis was given"
            )
    dots = sorted({c for term in labels for c in term if c[0] == "."}, key=lambda c: int(c[1:]))
    if arrow:
        if "..." in right:
            before, _, after = right.partition("...")
            result = [*before, *dots, *after]
        else:
            result = list(right)
        for c in result:
            if not any(c in term for term in labels):
                raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
            if result.count(c) > 1:
                raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
    else:
        every = [c for term in labels for c in term]
        result = dots + sorted(c for c in set(every) if c[0] != "." and every.count(c) == 1)
    return labels, result


def _check_sizes(labels: list[list[str]], operands: list[Any]) -> None:
    """Raises RuntimeError where a subscript stands for sizes that do not broadcast."""
    sizes: dict[str, int] = {}
    for i, (term, x) in enumerate(zip(labels, operands)):
        for c, n in zip(term, x.shape):
            seen = sizes.get(c, 1)
            if seen != n and 1 not in (seen, n):
                raise RuntimeError(
                    f"einsum(): subscript {c} has size {n} for operand {i} which does not broadcast with previously seen size {seen}"
                )
            sizes[c] = n if seen == 1 else seen


def _reduced(x: Any, labels: list[str], keep: set[str]) -> tuple[Any, list[str]]:
    """An operand with repeated labels taken along the diagonal and labels that nobody else needs summed."""
    seen: list[str] = []
    for c in list(labels):
        if labels.count(c) > 1 and c not in seen:
            while labels.count(c) > 1:
                first = labels.index(c)
                second = labels.index(c, first + 1)
                if x.shape[first] != x.shape[second]:
                    raise RuntimeError(
                        f"einsum(): subscript {c} is repeated for operand 0 but the sizes don't match, {x.shape[second]} != "
                        f"{x.shape[first]}"
                    )
                x = x.diagonal(0, first, second)
                labels = [d for i, d in enumerate(labels) if i not in (first, second)] + [c]
        seen.append(c)
    drop = [i for i, c in enumerate(labels) if c not in keep]
    if drop:
        x = x.sum(drop)
        labels = [c for c in labels if c in keep]
    return x, labels


def _pair(a: Any, la: list[str], b: Any, lb: list[str], keep: set[str]) -> tuple[Any, list[str]]:
    """Two operands contracted into one by a batched matrix product."""
    a, la = _reduced(a, la, keep | set(lb))
    b, lb = _reduced(b, lb, keep | set(la))
    shared = [c for c in la if c in lb]
    batch = [c for c in shared if c in keep]
    inner_labels = [c for c in shared if c not in keep]
    free_a, free_b = [c for c in la if c not in lb], [c for c in lb if c not in la]
    sizes = dict(zip(la, a.shape))
    for c, n in zip(lb, b.shape):
        sizes[c] = max(sizes.get(c, 1), n) if n and sizes.get(c, 1) else 0
    a = a.expand([sizes[c] if c in shared else n for c, n in zip(la, a.shape)])
    b = b.expand([sizes[c] if c in shared else n for c, n in zip(lb, b.shape)])
    left = a.permute([la.index(c) for c in batch + free_a + inner_labels])
    right = b.permute([lb.index(c) for c in batch + inner_labels + free_b])

    def count(labels: list[str]) -> int:
        n = 1
        for c in labels:
            n *= sizes[c]
        return n

    left = left.reshape(count(batch), count(free_a), count(inner_labels))
    right = right.reshape(count(batch), count(inner_labels), count(free_b))
    product = bmm.function(left, right) if inner_labels else left * right
    labels = batch + free_a + free_b
    return product.reshape([sizes[c] for c in labels]), labels


@lru_cache(512)
def _contraction(equation: str, shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> Any:
    """How the ordinary equation of two operands, in which no label repeats and no size is broadcast, is a product; None for others.

    For each operand the dims that are summed, the order of the rest and the shape as a batch of matrices; whether anything is contracted;
    the shape of the product and the order of its dims in the result.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != 2 or not (terms[0] + terms[1] + right).isalpha() or not all(terms):
        return None
    la, lb = terms
    sizes: dict[str, int] = {}
    for term, shape in ((la, shape_a), (lb, shape_b)):
        if len(term) != len(shape) or len(set(term)) != len(term):
            return None
        for c, n in zip(term, shape):
            if sizes.setdefault(c, n) != n:
                return None
    if len(set(right)) != len(right) or not set(right) <= set(sizes):
        return None
    dropped = [[i for i, c in enumerate(term) if c not in right and c not in other] for term, other in ((la, lb), (lb, la))]
    la, lb = ("".join([c for i, c in enumerate(term) if i not in gone]) for term, gone in zip((la, lb), dropped))
    batch, inner = [c for c in la if c in lb and c in right], [c for c in la if c in lb and c not in right]
    free_a, free_b = [c for c in la if c not in lb], [c for c in lb if c not in la]

    def count(labels: list[str]) -> int:
        return math.prod([sizes[c] for c in labels])

    def order(term: str, labels: list[str]) -> tuple[int, ...] | None:
        places = tuple([term.index(c) for c in labels])
        return None if places == tuple(range(len(term))) else places

    have = [*batch, *free_a, *free_b]
    shapes = (count(batch), count(free_a), count(inner)), (count(batch), count(inner), count(free_b))
    return (
        (dropped[0], order(la, batch + free_a + inner), shapes[0]),
        (dropped[1], order(lb, batch + inner + free_b), shapes[1]),
        bool(inner),
        tuple([sizes[c] for c in have]),
        order("".join(have), list(right)),
    )


def _contracted(plan: Any, operands: Any) -> Any:
    """What `_contraction` says, done."""
    matrices = []
    for x, (dropped, order, shape) in zip(operands, plan):
        if dropped:
            x = x.sum(dropped)
        if order is not None:
            x = x.permute(order)
        matrices.append(x if x.dim() == 1 and not plan[2] and shape[0] == 1 else x.reshape(shape))
    _, _, contracts, shape, order = plan
    left, right = matrices
    if contracts:
        product = bmm.function(left, right)
    elif plan[0][2][0] == 1:
        product = tensors.outer(left if left.dim() == 1 else left.reshape(-1), right if right.dim() == 1 else right.reshape(-1))
    else:
        product = left * right
    product = product.reshape(shape)
    return product if order is None else product.permute(order)


@composite("torch.einsum")
def einsum(*args: Any) -> Any:
    """Sums of products written as an equation: `einsum("bij,bjk->bik", a, b)`.

    Contracts two operands at a time, from the left, each by a batched matrix product. Raises RuntimeError for an equation
    that does not fit its operands.
    """
    if not args:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its subscripts list"
        )
    if isinstance(args[0], str):
        equation = args[0]
        if len(args) == 3 and type(args[1]) in PLAIN and type(args[2]) in PLAIN:
            plan = _contraction(equation, args[1]._array.shape, args[2]._array.shape)
            if plan is not None:
                return _contracted(plan, args[1:])
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
    else:  # einsum(x, [0, 1], y, [1, 2], [0, 2])

        def letters(labels: Any) -> str:
            return "".join("..." if c is Ellipsis else chr(ord("A") + c) if c < 26 else chr(ord("a") + c - 26) for c in labels)

        operands = list(args[: len(args) // 2 * 2 : 2])
        equation = ",".join(letters(labels) for labels in args[1::2])
        if len(args) % 2:
            equation += "->" + letters(args[-1])
    if not operands:
        raise RuntimeError("einsum(): must provide at least one operand")
    for i, operand in enumerate(operands):
        if not isinstance(operand, Tensor):
            from .arguments import type_name

            raise TypeError(f"expected Tensor as element {i} in argument 1, but got {type_name(operand)}")
    labels, result = _parse(equation, operands)
    _check_sizes(labels, operands)
    x, have = operands[0], labels[0]
    for i in range(1, len(operands)):
        keep = set(result).union(*labels[i + 1 :])
        x, have = _pair(x, have, operands[i], labels[i], keep)
    x, have = _reduced(x, have, set(result))
    return x.permute([have.index(c) for c in result]) if have != result else x
