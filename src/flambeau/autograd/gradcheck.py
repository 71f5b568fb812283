"""`gradcheck`: gradients against finite differences.

For real functions the whole Jacobian is compared. Complex outputs are checked part by part: the gradient of a real
function of `x + iy` is `dL/dx + i dL/dy`.
"""

import warnings
from typing import Any, Callable

import numpy as np

from ..core.dtype import OF_NUMPY
from ..core.naming import public
from ..core.size import Size
from .function import Function
from .node import tensors

__all__ = ["gradcheck", "gradgradcheck", "GradcheckError"]


@public("torch.autograd.gradcheck")
class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` where gradients are wrong."""


_NONDET_NOTE = """\n
NOTE: a function that does not give the same gradients each time can be checked with `nondet_tol=<tolerance>`.
"""


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _is_tensor(x: Any) -> bool:
    return hasattr(x, "_array")


def _differentiable(outputs: Any) -> tuple[Any, ...]:
    return tuple(o for o in _as_tuple(outputs) if _is_tensor(o) and o.requires_grad)


def _checked_inputs(inputs: tuple[Any, ...]) -> list[Any]:
    """The inputs that require gradients; warns where their precision is too low to tell."""
    found = []
    for i, x in enumerate(inputs):
        if not _is_tensor(x) or not x.requires_grad:
            continue
        if x._array.dtype.char not in "dD":
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if all "
                "the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(s == 0 and n > 1 for s, n in zip(x.stride(), x.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to be able to "
                "compute the numerical gradients correctly. You should call .contiguous on the input before passing it to gradcheck."
            )
        found.append(x)
    if not found:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.")
    return found


def _numerical_jacobians(func: Callable[..., Any], inputs: tuple[Any, ...], varied: list[Any], eps: float) -> list[list[Any]]:
    """Per input and output, the Jacobian by central differences: an array (elements of the input, elements of the output)."""

    def run() -> list[Any]:
        return [np.array(o._array) for o in _as_tuple(func(*inputs)) if _is_tensor(o)]

    jacobians = []
    for x in varied:
        columns = [_slopes(run, x._array, index, eps) for index in np.ndindex(x._array.shape)]
        count = len(columns[0]) if columns else 0
        jacobians.append([np.stack([c[o] for c in columns]) for o in range(count)])
    return jacobians


def _slopes(run: Callable[[], list[Any]], array: Any, index: tuple[int, ...], eps: float) -> list[Any]:
    """How each output changes with one element of an input: central differences, flat. Raises AssertionError where outputs do not fit."""
    kept = array[index]
    slopes: Any = None
    for step in (eps, eps * 1j) if array.dtype.kind == "c" else (eps,):
        array[index] = kept - step
        low = run()
        array[index] = kept + step
        high = run()
        array[index] = kept
        for a, b in zip(low, high):
            _check_alike(a, b, index, eps)
        parts = [((b - a) / (2 * eps) if a.dtype.kind != "b" else a * 0.0).reshape(-1) for a, b in zip(low, high)]
        slopes = parts if step is eps else [s + p * 1j for s, p in zip(slopes, parts)]
    return slopes


def _check_alike(a: Any, b: Any, index: tuple[int, ...], eps: float) -> None:
    """Raises AssertionError where an output's shape or dtype changes with its input."""
    text = f"Expected `func` to return outputs with the same {{}} when inputs are perturbed on index {index} by {eps}, but got: "
    if a.shape != b.shape:
        raise AssertionError(text.format("shape") + f"shapes {Size(a.shape)} and {Size(b.shape)}.")
    if a.dtype != b.dtype:
        raise AssertionError(text.format("dtype") + f"dtypes {OF_NUMPY[a.dtype]} and {OF_NUMPY[b.dtype]}.")


def _analytical_jacobians(output: Any, varied: list[Any], nondet_tol: float, check_grad_dtypes: bool) -> list[Any]:
    """Per input, the Jacobian of one output by one backward per element; twice, to see that it comes out the same."""
    from . import grad

    output = output.clone()
    found = []
    for _ in range(2):
        jacobians = [np.zeros((x.numel(), output.numel()), x._array.dtype) for x in varied]
        sizes_fit = dtypes_fit = True
        for j in range(output.numel()):
            direction = np.zeros(output._array.shape, output._array.dtype)
            direction.reshape(-1)[j] = 1
            grads = grad(output, varied, tensors.wrap(direction), retain_graph=True, allow_unused=True)
            for jacobian, x, g in zip(jacobians, varied, grads):
                if g is None:
                    continue
                if g._array.shape != x._array.shape:
                    sizes_fit = False
                    continue
                dtypes_fit = dtypes_fit and g._array.dtype == x._array.dtype
                jacobian[:, j] = g._array.reshape(-1)
        if not dtypes_fit and check_grad_dtypes:
            raise GradcheckError("Gradient has dtype mismatch")
        if not sizes_fit:
            raise GradcheckError("Analytical gradient has incorrect size")
        found.append(jacobians)
    for first, second in zip(*found):
        if first.size and np.abs(first - second).max() > nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, "
                f"although analytical gradient matches numerical gradient.The tolerance for nondeterminism was {nondet_tol}." + _NONDET_NOTE
            )
    return found[0]


def _compare(
    func: Callable[..., Any], inputs: tuple[Any, ...], varied: list[Any], eps: float, rtol: float, atol: float, nondet_tol: float,
    check_grad_dtypes: bool, part: str = "", complex_outputs: tuple[int, ...] = (),
) -> None:  # fmt: skip
    """Raises GradcheckError where the Jacobians of a real function differ."""
    outputs = [o for o in _as_tuple(func(*inputs)) if _is_tensor(o)]
    numerical = _numerical_jacobians(func, inputs, varied, eps)
    recorded = [(number, o) for number, o in enumerate(outputs) if o.requires_grad]
    if not recorded:
        if any((jacobian != 0).any() for of_input in numerical for jacobian in of_input):
            raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    for i, (number, output) in enumerate(recorded):
        analytical = _analytical_jacobians(output, varied, nondet_tol, check_grad_dtypes)
        for j, a in enumerate(analytical):
            n = numerical[j][number].astype(a.dtype) if a.size else a
            if not np.allclose(a, n, rtol, atol):
                prefix = f"While considering the {part} part of complex outputs only, " if i in complex_outputs else ""
                raise GradcheckError(
                    f"{prefix}Jacobian mismatch for output {i} with respect to input {j},\n"
                    f"numerical:{tensors.wrap(n)}\nanalytical:{tensors.wrap(a)}\n"
                )


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func(*inputs)` agree with central differences of step `eps` within `atol` and `rtol`.

    Inputs that require gradients should be float64 or complex128. `check_undefined_grad`: missing gradients of outputs
    must count as zeros. `nondet_tol`: how much two backwards may differ. `fast_mode` is accepted: the whole Jacobian is
    compared all the same. Raises GradcheckError where they differ (False with `raise_exception=False`), and
    NotImplementedError for `check_forward_ad`.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    if check_forward_ad:
        raise NotImplementedError(
            "flambeau does not support forward-mode automatic differentiation: gradcheck(..., check_forward_ad=False)"
        )
    try:
        _check(func, _as_tuple(inputs), eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float, nondet_tol: float, check_undefined_grad: bool,
    check_grad_dtypes: bool, check_batched_grad: bool,
) -> None:  # fmt: skip
    varied = _checked_inputs(inputs)
    found = [o for o in _as_tuple(func(*inputs)) if _is_tensor(o)]
    outputs = _differentiable(found)
    rest = (inputs, varied, eps, rtol, atol, nondet_tol, check_grad_dtypes)
    if any(o.is_complex() for o in found):
        complex_outputs = tuple(i for i, o in enumerate(outputs) if o.is_complex())
        for part in ("imag", "real"):

            def of_part(*args: Any, part: str = part) -> tuple[Any, ...]:
                return tuple(getattr(o, part) if o.is_complex() else o for o in _as_tuple(func(*args)) if _is_tensor(o))

            _compare(of_part, *rest, "imaginary" if part == "imag" else "real", complex_outputs)
    else:
        _compare(func, *rest)
    if check_batched_grad:
        _check_batched(outputs, varied)
    _check_zero(outputs, varied)
    if check_undefined_grad:
        _check_undefined(func, inputs, outputs, varied)


def _check_batched(outputs: tuple[Any, ...], varied: list[Any]) -> None:
    """Compares gradients taken in a batch with the same taken one by one."""
    from . import grad

    for number, output in enumerate(outputs):
        directions = tensors.stack(
            [output.detach().clone().uniform_(-1, 1) if not output.is_complex() else output.detach() for _ in range(2)]
        )
        together = grad(output, varied, directions, retain_graph=True, allow_unused=True, is_grads_batched=True)
        for i in range(2):
            alone = grad(output, varied, directions[i], retain_graph=True, allow_unused=True)
            for j, (a, b) in enumerate(zip(together, alone)):
                if b is not None and not np.allclose(a[i]._array, b._array):
                    raise GradcheckError(f"For output {number} and input {j}:\n\nGot:\n{a[i]}\n\nExpected:\n{b}")


def _check_zero(outputs: tuple[Any, ...], varied: list[Any]) -> None:
    """Zero gradients of the outputs must give zero gradients of the inputs, of the inputs' sizes and dtypes."""
    from . import grad

    if not outputs:
        return
    grads = grad(
        outputs, varied, [tensors.wrap(np.zeros(o._array.shape, o._array.dtype)) for o in outputs], retain_graph=True, allow_unused=True
    )
    for g, x in zip(grads, varied):
        if g is None:
            continue
        if (g._array != 0).any():
            raise GradcheckError("backward not multiplied by grad_output")
        if g._array.dtype != x._array.dtype:
            raise GradcheckError("grad is incorrect type")
        if g._array.shape != x._array.shape:
            raise GradcheckError("grad is incorrect size")


class _Undefined(Function):
    """Passes a tensor on; its gradient stays undefined."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return None


def _check_undefined(func: Callable[..., Any], inputs: tuple[Any, ...], outputs: tuple[Any, ...], varied: list[Any]) -> None:
    """Undefined gradients of the outputs, of all and of one at a time, must count as zeros."""
    from . import grad

    chosen: list[int | None] = [None]
    if len(outputs) > 1:
        chosen += range(len(outputs))
    for which in chosen:
        again = _differentiable(func(*inputs))
        if not again:
            return
        again = tuple(_Undefined.apply(o) if which in (None, i) else o for i, o in enumerate(again))
        zeros = [tensors.wrap(np.zeros(o._array.shape, o._array.dtype)) for o in again]
        try:
            grads = grad(again, varied, zeros, allow_unused=True)
        except (RuntimeError, TypeError) as error:
            _warn_undefined()
            raise GradcheckError(
                'Expected backward function to handle undefined output grads. Please look at "Notes about undefined output gradients" in '
                '"tools/autograd/derivatives.yaml"'
            ) from error
        if any(g is not None and (g._array != 0).any() for g in grads):
            _warn_undefined()
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are undefined or zero. Please look at "
                '"Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'
            )


def _warn_undefined() -> None:
    warnings.warn(
        "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may break existing callers "
        'of this function. If this is true for you, you can call this function with "check_undefined_grad=False" to disable the feature',
        stacklevel=3,
    )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """`gradcheck` of the gradients of `func`: second derivatives, also with respect to `grad_outputs` (random where not given)."""
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_batched_grad=True requires check_rev_over_rev to be True")
    from . import grad

    given = _as_tuple(inputs)
    if grad_outputs is None:
        directions = tuple(_random_like(o, gen_non_contig_grad_outputs) for o in _differentiable(func(*given)))
    else:
        directions = _as_tuple(grad_outputs)
    count = len(directions)
    needs = [_is_tensor(x) and x.requires_grad for x in given]
    needs_directions = [d.requires_grad for d in directions]

    def gradients(*args: Any) -> tuple[Any, ...]:
        ins = [x.requires_grad_() if need else x for x, need in zip(args[: len(args) - count], needs)]
        outs = _differentiable(func(*ins))
        along = [d.requires_grad_() if need else d for d, need in zip(args[len(args) - count :], needs_directions)]
        found = grad(outs, [x for x, need in zip(ins, needs) if need], along, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients, given + directions, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, fast_mode=fast_mode, masked=masked,
    )  # fmt: skip


def _random_like(output: Any, spread: bool) -> Any:
    """A direction of uniform numbers in [-1, 1), in a memory of twice the size where `spread`."""
    shape = output._array.shape
    if spread and shape:
        made = _random_like(tensors.wrap(np.empty((*shape[:-1], 2 * shape[-1]), output._array.dtype)), False)
        return made.detach()[..., ::2].requires_grad_()
    dtype = output._array.dtype if output._array.dtype.kind in "fcV" else np.dtype(np.float64)
    array = np.empty(shape, dtype)
    if dtype.kind == "c":
        array.real, array.imag = (tensors.wrap(np.empty(shape, array.real.dtype)).uniform_(-1, 1)._array for _ in range(2))
        return tensors.wrap(array).requires_grad_()
    return tensors.wrap(array).uniform_(-1, 1).requires_grad_()
