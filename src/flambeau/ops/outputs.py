"""`out=`: what it may be for which operator, and how a result gets there."""

from __future__ import annotations

import sys
from typing import Any

from ..autograd.grad_mode import grad_mode
from ..autograd.version import UNVERSIONED, bump_version
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.promotion import can_cast
from ..core.return_types import return_type
from ..kernels import memory
from ..kernels.memory import copy_into
from ..tensor import Tensor
from .running import ndarray, raise_overlap


def _rows(text: str) -> dict[str, str]:
    """Messages by the names of operators, from lines `message <- names`; a line without a message adds to the names."""
    found: dict[str, str] = {}
    message = ""
    for line in text.strip().splitlines():
        words, _, names = line.strip().rpartition("<- ")
        message = words.rstrip() or message
        found |= dict.fromkeys(names.split(), message)
    return found


_SAME_DTYPE = _rows("""
    Expected out tensor to have dtype {c_result}, but got {c_out} instead <- addmm addmv aminmax alias_copy as_strided_copy baddbmm bmm
    <- cross linalg_cross cumprod cumsum diag diagonal_copy expand_copy gather index_add index_copy index_reduce linalg_cholesky
    <- linalg_det linalg_eigvalsh linalg_inv linalg_ldl_solve linalg_lu_solve linalg_solve linalg_svdvals linalg_vector_norm log_softmax
    <- lu_solve matmul mm msort avg_pool2d linear norm permute_copy renorm scatter scatter_add scatter_reduce softmax squeeze_copy
    <- t_copy take_along_dim transpose_copy tril triu unfold_copy unsqueeze_copy view_copy argmax argmin isin det inv solve vector_norm
    <- frobenius_norm
    Found dtype {out} but expected {result} <- abs ceil conj_physical floor frac neg gelu hardshrink softplus softshrink round sgn
    <- sign trunc bitwise_not
    dtype {result} does not match dtype of out parameter ({out}) <- arange range empty eye full linspace logspace ones zeros rand
    <- randn
    Expected the dtype for input and out to match, but got {result} for input's dtype and {out} for out's dtype. <- amax amin
    Expected object of scalar type {result} but got scalar type {out} for argument 'out' <- complex polar
    expected scalar_type {result} but found {out} <- diff logcumsumexp
    expected scalar type {result} but found {out} <- linalg_solve_triangular logsigmoid
    result dtype {out} does not match input dtype {result} <- dot vdot
    {name} only supports bool tensor for result, got: {out} <- all any
    {name}(): self and result must have the same scalar type <- index_select masked_select
    quantile() out tensor must be same dtype as the input tensor <- quantile nanquantile
    {name}: dtype of out: {out} should be same as input: {result} <- nan_to_num
    {name}(): self and out expected to have the same dtype, but got self.dtype = {result} and out.dtype = {out} <- take
    torch.histogram: input tensor and hist tensor should have the same dtype, but got input {c_result} and hist {c_out} <- histc
    tensordot: Expected the output tensor to have dtype {result}, but got an output tensor with dtype {out} <- inner tensordot
    nonzero: Expected out tensor to have scalar type {result} but got scalar type{out} <- nonzero
    linalg.{short} expected out tensor dtype {result} but got: {out} <- linalg_norm linalg_matrix_norm matrix_norm
    linalg.vecdot: Expected out of dtype{result} but found {out} <- linalg_vecdot vecdot
    multi_dot(): expected out tensor to have dtype {c_result} but got {c_out} <- linalg_multi_dot multi_dot
    Expected result to be of dtype uint64, but got {out} <- hash_tensor
    heaviside is not yet implemented for tensors with different dtypes. <- heaviside
    torch.ormqr: Expected input and result to have the same dtype, but input has dtype{result} and result has dtype {out} <- ormqr
    the output given to float_power has dtype {out} but the operation's result requires dtype {result} <- float_power
    {name} does not support non-boolean outputs. <- isneginf isposinf signbit
""")
"""What is said where `out` has another dtype than the result, by the operators that do not convert."""

_CASTABLE = _rows("""
    torch.cat(): input types can't be cast to the desired output type {out} <- cat concat concatenate stack hstack vstack dstack
    <- column_stack row_stack
    {name}: Expected result to be safely castable from {result} dtype, but got result with dtype {out} <- cholesky cholesky_inverse
    <- cholesky_solve
    {short}: Expected result to be safely castable from {result} dtype, but got result with dtype {out} <- linalg_matrix_power
    <- matrix_power linalg_tensorinv linalg_tensorsolve
    linalg.{short}: Expected result to be safely castable from {result} dtype, but got result with dtype {out} <- linalg_cond
    <- linalg_pinv
    logsumexp(): Expected floating point type for result tensor, but got: {out} <- logsumexp
""")
"""What is said where the result cannot be converted, by the operators that word it otherwise than most."""

_OTHER_DEVICE = _rows("""
    Expected out tensor to have device {result}, but got {out} instead <- argmax argmin gather index_reduce linalg_cholesky linalg_det
    <- det linalg_inv inv linalg_svdvals avg_pool2d scatter scatter_add
    device type {result} does not match device type of out parameter ({out}) <- arange range empty eye full linspace logspace normal
    <- ones zeros rand randn
    expected device {result} but found {out} <- diff
    quantile() out tensor must be on the same device as the input tensor <- quantile nanquantile
    multi_dot(): expected out tensor to be on device {result} but got {out} <- linalg_multi_dot multi_dot
""")

_IN_PLACE = frozenset(
    "diff inner linalg_cond linalg_matrix_norm matrix_norm linalg_matrix_power matrix_power linalg_norm linalg_pinv pinv linalg_tensorinv "
    "linalg_tensorsolve quantile nanquantile tensordot".split()
)
"""Functions that PyTorch makes of others, the last of which writes: a leaf there is refused as a leaf is in place."""

_RECORDED_AS = {
    "outer": "mul", "ger": "mul", "kron": "mul", "cross": "linalg_cross", "divide": "div", "true_divide": "div",
    "lu_solve": "linalg_lu_solve",
    "float_power": "pow", "square": "pow",
    "column_stack": "cat", "dstack": "cat", "hstack": "cat", "vstack": "cat", "row_stack": "cat",
    "take_along_dim": "gather", "msort": "sort", "norm": "linalg_vector_norm", "vector_norm": "linalg_vector_norm", "nanmean": "nansum",
    "linalg_multi_dot": "mm", "multi_dot": "mm", "hfft": "_fft_c2r", "hfft2": "_fft_c2r", "hfftn": "_fft_c2r", "irfft": "_fft_c2r",
    "irfft2": "_fft_c2r", "irfftn": "_fft_c2r", "linalg_det": "_linalg_det", "det": "_linalg_det", "linalg_cholesky": "linalg_cholesky_ex",
    "linalg_vecdot": "sum", "vecdot": "sum", "linalg_eigvalsh": "_linalg_eigh", "linalg_inv": "linalg_inv_ex", "inv": "linalg_inv_ex",
    "linalg_solve": "_linalg_solve_ex", "linalg_svdvals": "_linalg_svd", "logsigmoid": "log_sigmoid_forward", "diag": "aten::diagonal_copy",
    **{n: f"special_{n}" for n in "i0e i1 i1e xlog1py zeta entr ndtri log_ndtr erfcx".split()},
    **{n: f"aten::{n}" for n in (
        "arange conj_physical expand_copy diagonal_copy alias_copy floor_divide linspace logspace heaviside softmax "
        "as_strided_copy view_copy permute_copy scatter ones zeros full eye normal unfold_copy squeeze_copy unsqueeze_copy "
        "transpose_copy log_softmax t_copy linalg_ldl_solve"
    ).split()},
}  # fmt: skip
"""The operators under which functions refuse an `out` that requires a gradient, where it is another name."""

C_NAMES = {
    "Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int", "Int": "int",
    "Short": "short int", "Char": "signed char", "Byte": "unsigned char", "Bool": "bool", "ComplexFloat": "c10::complex<float>",
    "ComplexDouble": "c10::complex<double>", "ComplexHalf": "c10::complex<c10::Half>",
}  # fmt: skip

SEPARATE = frozenset("cat stack gather index_select kthvalue masked_select take cross linalg_cross kron softplus".split())
"""Functions that do not write into one of their own inputs, not even as a whole."""

NOT_BESIDE = SEPARATE | frozenset(("scatter", "bernoulli", "msort", "normal", "diff", "lu_solve"))
"""Functions made of operators that look whether `out` shares memory with an input."""

_SEPARATE_SOURCE = frozenset(("index_copy", "index_add", "index_reduce", "scatter", "scatter_add", "scatter_reduce"))
"""Operators that write into the first of their inputs as a whole, but into no other."""


def refuse_shared_memory(name: str, args: tuple[Any, ...], out: Any) -> None:
    """Raises RuntimeError where `out` shares memory with an input in a way that PyTorch refuses."""
    inputs = [v._array for value in args for v in (value if isinstance(value, (list, tuple)) else (value,)) if isinstance(v, Tensor)]
    for target in out if isinstance(out, (tuple, list)) else (out,):
        if not isinstance(target, Tensor):
            continue
        for position, array in enumerate(inputs):
            # Where an array has gaps PyTorch does not look closer either.
            a, b = target._array, array
            apart = name in SEPARATE or position and name in _SEPARATE_SOURCE
            if not memory.shares_dense(a, b) or (memory.same_elements(a, b) and not apart):
                continue
            raise RuntimeError(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                "Please clone() the tensor before performing the operation."
            )


def refuse_recorded(result: Any, out: Any, name: str) -> None:
    """Raises RuntimeError where a graph would have to lead through `out`."""
    if not result.requires_grad and not (grad_mode.enabled and out.requires_grad):
        return
    if name in _IN_PLACE and not result.requires_grad and out.is_leaf:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    raise RuntimeError(
        f"{_RECORDED_AS.get(name, name)}(): functions with out=... arguments don't support automatic differentiation, but one of the "
        "arguments requires grad."
    )


def check_out(result: Any, out: Any, name: str) -> None:
    """Raises RuntimeError (TypeError for `cat`) where the result of an operator cannot be written into a tensor: device, dtype."""
    source, target = result._array, out._array
    if out.is_meta != result.is_meta:
        usual = "Attempting to copy from device {result} to device {out}, but cross-device copies are not allowed!"
        message = _OTHER_DEVICE.get(name, usual)
        raise RuntimeError(message.format(result=result.device, out=out.device))
    if source.dtype == target.dtype:
        return
    from_, to = OF_NUMPY[source.dtype], OF_NUMPY[target.dtype]
    given = {"name": name, "short": name.removeprefix("linalg_"), "result": SCALAR_NAMES[from_], "out": SCALAR_NAMES[to]}
    given |= {f"c_{which}": C_NAMES.get(given[which], given[which]) for which in ("result", "out")}
    if name in _SAME_DTYPE:
        raise RuntimeError(_SAME_DTYPE[name].format(**given))
    if not can_cast(from_, to):
        message = _CASTABLE.get(name, "result type {result} can't be cast to the desired output type {out}")
        raise (TypeError if message.startswith("torch.cat()") else RuntimeError)(message.format(**given))


def write_out(result: Any, out: Any, name: str = "", own: bool = False) -> Any:
    """Puts a result where `out=` says, resizing it if need be. `name`: the operator; by default the function that calls.

    own: whether nobody else has the result's array. Raises RuntimeError where device, dtype or graph forbid.
    """
    name = name or sys._getframe(1).f_code.co_name
    if isinstance(result, (tuple, list)):
        written = [write_out(r, o, name) for r, o in zip(result, out)]
        fields = getattr(result, "_fields", None)
        return type(result)(written) if fields is None else return_type(f"{type(result).__name__}_out", *fields)(written)
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    refuse_recorded(result, out, name)
    if out._counter is UNVERSIONED:
        UNVERSIONED.check()
    if hasattr(result._array, "layout") or hasattr(out._array, "layout"):
        from .sparse_forms import put_out

        return put_out(result, out)
    check_out(result, out, name)
    source, target = result._array, out._array
    if target.shape != source.shape:
        if target.size:
            _warn_of_resizing(target.shape, source.shape)
        out._array = source.astype(target.dtype, copy=not own)
    else:
        if source is target:  # a fill has written there itself: see `room`
            bump_version(out)
            return out
        if target.size > 1 and 0 in target.strides and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
        copy_into(target, source)
    bump_version(out)
    return out


def room(out: Any, shape: Any, dtype: Any) -> Any:
    """The array that a fill writes to: that of `out` where `write_out` would let it, else a new one."""
    if out.__class__ is Tensor and out._counter is not UNVERSIONED and not (grad_mode.enabled and out.requires_grad):
        target = out._array
        if target.__class__ is ndarray and target.shape == shape and target.dtype is dtype and 0 not in target.strides:
            return target
    return memory.empty(shape, dtype)


def _warn_of_resizing(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    import warnings

    warnings.warn(
        f"An output with one or more elements was resized since it had shape {list(old)}, which does not match the "
        f"required output shape {list(new)}. This behavior is deprecated, and in a future PyTorch release outputs will "
        "not be resized unless they have zero elements. You can explicitly reuse an out tensor t by resizing it, inplace, to zero "
        "elements with t.resize_(0).",
        stacklevel=4,
    )
