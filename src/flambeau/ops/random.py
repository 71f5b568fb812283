"""Random tensors and the generators behind them: PyTorch's numbers from the same seed."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from ..autograd.version import bump_version
from ..core import dtype as dt
from ..core.device import CPU, as_device
from ..core.device import DEFAULT as DEFAULT_DEVICE
from ..core.dtype import DEFAULT, SCALAR_NAMES
from ..core.generator import Generator, default_generator
from ..core.layout import broadcast_shapes, strided
from ..kernels import memory, sampling
from ..kernels import random as k
from ..kernels.elementwise import add, multiply
from ..tensor import PLAIN, Tensor, guard_in_place, wrap
from .creation import like_array
from .definition import Array, attach, composite, explained_here, formula_function, handle_overrides, operator, write_out
from .making import allocate, check_layout, finish, maker_error, numpy_dtype, shape_of
from .modes import modes
from .outputs import room

# --- generators --------------------------------------------------------------------------------------------------


def manual_seed(seed: Any) -> Generator:
    """Seeds the default generator; returns it."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seeds the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, as a tensor of 5056 bytes."""
    return wrap(default_generator.state_array())


def set_rng_state(new_state: Tensor) -> None:
    """Puts the default generator into a state that `get_rng_state` gave."""
    default_generator.set_state_array(_state_array(new_state))


def _state_array(state: Any) -> Any:
    if not isinstance(state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(state).__name__}")
    if state.dtype is not dt.uint8:
        raise TypeError("RNG state must be a torch.ByteTensor")
    return state._array


for _function in (manual_seed, seed, initial_seed, get_rng_state, set_rng_state):
    attach(f"torch.{_function.__name__}", _function)

Generator.get_state = lambda self: wrap(self.state_array())  # type: ignore[method-assign]
Generator.set_state = lambda self, state: self.set_state_array(_state_array(state))  # type: ignore[method-assign]

# --- filling new tensors -----------------------------------------------------------------------------------------


def _maker(name: str, fill: Any, doc: str, floating: str) -> None:
    def create(*size: Any, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, pin_memory: bool = False, **named: Any) -> Tensor:  # fmt: skip
        if "size" in named:
            size = (named.pop("size"),)
        if named:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
        if modes.active:
            result = handle_overrides(create, size, dict(generator=generator, dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        try:
            if layout is not None and layout is not strided:
                check_layout(layout)
            shape = shape_of(size, name)
            numpy_type = DEFAULT.dtype.numpy if dtype is None else numpy_dtype(dtype)
            if out is not None and dtype is None:
                numpy_type = out._array.dtype
            if numpy_type.kind in "iub":
                raise k.not_implemented(floating, numpy_type)
            if device is None and DEFAULT_DEVICE.device is CPU:
                array = memory.empty(shape, numpy_type) if out is None else room(out, shape, numpy_type)
            else:
                array = allocate(shape, numpy_type, device, np.empty)
            if array.__class__ is np.ndarray:
                fill(array, generator)
            return finish(array, requires_grad) if out is None else write_out(wrap(array), out, name)
        except Exception as error:
            options = dict(generator=generator, out=out, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
            raise maker_error("torch", name, size, options, error)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = doc
    attach(f"torch.{name}", create)


def _fill_uniform(array: Any, generator: Any) -> None:
    k.uniform_(array, 0.0, 1.0, generator)


def _fill_normal(array: Any, generator: Any) -> None:
    k.normal_(array, 0.0, 1.0, generator)


_maker("rand", _fill_uniform, "Numbers uniform in [0, 1). `size`: ints or one sequence.", "check_uniform_bounds")
_maker("randn", _fill_normal, "Numbers of the standard normal distribution. `size`: ints or one sequence.", "normal_kernel_cpu")


def _like(name: str, fill: Any, floating: str) -> None:
    def create(input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
               requires_grad: bool = False, memory_format: Any = None, generator: Any = None) -> Tensor:  # fmt: skip
        if modes.active or type(input) not in PLAIN:
            if not isinstance(input, Tensor):
                raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
            result = handle_overrides(create, (input,), dict(dtype=dtype, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        try:
            if layout is not None and layout is not strided:
                check_layout(layout)
            if device is not None:
                as_device(device)
            numpy_type = input._array.dtype if dtype is None else numpy_dtype(dtype)
            if numpy_type.kind in "iub":
                raise k.not_implemented(floating, numpy_type)
            array = like_array(input._array, numpy_type)
            if array.__class__ is np.ndarray:
                fill(array, generator)
            return finish(array, requires_grad)
        except Exception as error:
            options = dict(dtype=dtype, layout=layout, device=device, requires_grad=requires_grad, generator=generator)
            raise maker_error("torch", name, (input,), options, error)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"`torch.{name[:-5]}` in the shape, dtype and device of `input`."
    attach(f"torch.{name}", create)


_like("rand_like", _fill_uniform, "check_uniform_bounds")
_like("randn_like", _fill_normal, "normal_kernel_cpu")


def _bounds(low: Any, high: Any, size: Any) -> tuple[Any, Any, Any]:
    return (0, low, high) if size is None else (low, high, size)


@composite("torch.randint", hot=True)
def randint(low: Any = None, high: Any = None, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None,
            layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Integers uniform in [low, high): `randint(high, size)` or `randint(low, high, size)`; int64 unless a dtype is given."""
    try:
        if size is None:
            if low is None or high is None or isinstance(high, int):
                raise TypeError(
                    "randint() received an invalid combination of arguments - got (int), but expected one of:\n"
                    " * (int high, tuple of ints size, *, torch.Generator generator = None)\n"
                    " * (int low, int high, tuple of ints size, *, torch.Generator generator = None)\n"
                )
            low, high, size = 0, low, high
        elif high is None and low is not None:
            low, high = 0, low
        elif low is None and high is not None:
            low = 0
        if modes.active:
            result = handle_overrides(randint, (low, high, size), dict(generator=generator, dtype=dtype, device=device))
            if result is not NotImplemented:
                return result
        low, high = int(low), int(high)
        shape, numpy_type = shape_of((size,), "randint"), numpy_dtype(dtype or (dt.int64 if out is None else out.dtype))
        if out is None or device is not None or DEFAULT_DEVICE.device is not CPU:
            array = allocate(shape, numpy_type, device, np.empty)
        else:
            array = room(out, shape, numpy_type)
        if low >= high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        if array.__class__ is np.ndarray:
            k.random_(array, low, high, generator)
        return finish(array, requires_grad) if out is None else write_out(wrap(array), out)
    except Exception as error:
        raise explained_here(error, "torch.randint")


@composite("torch.randint_like")
def randint_like(input: Any, low: Any, high: Any = None, *, dtype: Any = None, requires_grad: bool = False, **ignored: Any) -> Tensor:
    """`randint` in the shape, dtype and device of `input`."""
    low, high = (0, low) if high is None else (low, high)
    if ignored.get("device") is not None:
        as_device(ignored["device"])
    array = like_array(input._array, input._array.dtype if dtype is None else numpy_dtype(dtype))
    return finish(k.random_(array, int(low), int(high)), requires_grad)


@composite("torch.randperm", hot=True)
def randperm(n: int, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A random permutation of 0 .. n - 1; int64 unless a dtype is given."""
    try:
        if modes.active:
            result = handle_overrides(randperm, (n,), dict(generator=generator, dtype=dtype, device=device))
            if result is not NotImplemented:
                return result
        array = allocate((n,), numpy_dtype(dtype or dt.int64), device, lambda shape, to: sampling.randperm(n, to, generator))
        return finish(array, requires_grad) if out is None else write_out(wrap(array), out)
    except Exception as error:
        raise explained_here(error, "torch.randperm")


# --- in place ----------------------------------------------------------------------------------------------------


def _in_place(name: str, fill: Any, doc: str, params: tuple[str, ...], defaults: tuple[Any, ...]) -> None:
    def call(self: Tensor, *args: Any, generator: Any = None, **named: Any) -> Tensor:
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(call, (self, *args), named)
            if result is not NotImplemented:
                return result
        values = list(defaults)
        if len(args) > len(params):
            raise TypeError(f"{name}() takes at most {len(params)} positional arguments ({len(args)} given)")
        values[: len(args)] = args
        for key, value in named.items():
            if key not in params:
                raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
            values[params.index(key)] = value
        guard_in_place(self)
        if self._array.__class__ is np.ndarray:
            try:
                fill(self._array, *values, generator)
            except Exception as error:
                from .arguments import instead, refusal

                drawn = {} if generator is None else {"generator": generator}
                raise instead(refusal("Tensor", name, args, {**named, **drawn}), error)
        elif hasattr(self._array, "layout"):
            from ..core.sparse import refusal as refused

            raise refused(name, self._array.backend)
        bump_version(self)
        if self._node is not None or self._requires_grad and self._node is None and self._view is not None:
            _forget(self, node)
        return self

    node = "".join(part.capitalize() for part in name.strip("_").split("_")) + "Backward0"
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    attach(f"Tensor.{name}", call)


def _forget(self: Tensor, name: str) -> None:
    """What was random is not a function of anything: the overwritten value gets no gradient."""
    from ..autograd.grad_mode import grad_mode
    from ..autograd.views import set_history

    if not grad_mode.enabled:
        return
    node = _overwritten.record(self._array, self, self._array, name)
    if node is not None:
        set_history(self, node)


@operator(node=lambda input, name: name, out=False)
def _overwritten(input: Array, name: Any) -> Array:
    """Stands for an in-place fill in the graph: the gradient ends there."""
    return input


_overwritten.derivative(input=lambda F, grad: grad * 0)


def _bernoulli(a: Any, p: Any, g: Any) -> Any:
    return k.bernoulli_from_(a, p._array, g) if isinstance(p, Tensor) else k.bernoulli_(a, p, g)


_in_place(
    "uniform_",
    lambda a, low, high, g: k.uniform_(a, float(low), float(high), g),
    "Fills with numbers uniform in [from, to).",
    ("from", "to"),
    (0.0, 1.0),
)
_in_place(
    "normal_", lambda a, mean, std, g: k.normal_(a, float(mean), float(std), g), "Fills with normal numbers.", ("mean", "std"), (0.0, 1.0)
)
_in_place("bernoulli_", _bernoulli, "Fills with ones with probability p (a number or a tensor), else zeros.", ("p",), (0.5,))
_in_place(
    "exponential_",
    lambda a, lambd, g: k.exponential_(a, float(lambd), g),
    "Fills with exponential numbers of rate `lambd`.",
    ("lambd",),
    (1.0,),
)
_in_place("geometric_", lambda a, p, g: k.geometric_(a, float(p), g), "Fills with geometric numbers.", ("p",), (None,))
_in_place("cauchy_", lambda a, m, s, g: k.cauchy_(a, float(m), float(s), g), "Fills with Cauchy numbers.", ("median", "sigma"), (0.0, 1.0))
_in_place(
    "log_normal_", lambda a, m, s, g: k.log_normal_(a, float(m), float(s), g), "Fills with log-normal numbers.", ("mean", "std"), (1.0, 2.0)
)


def integer(value: Any) -> int:
    """A bound as an int. Raises TypeError for a boolean, and for what is no integer."""
    if value.__class__ is bool:
        raise TypeError("a bound is an integer")
    return index(value)


@composite("Tensor.random_", hot=True)
def random_(self: Tensor, *args: Any, generator: Any = None, **named: Any) -> Tensor:
    """Fills with integers: over the dtype's range, `random_(to)` from 0, or `random_(from, to)`."""
    try:
        guard_in_place(self)
        low, high = named.get("from"), named.get("to")
        if len(args) == 1 and high is None and low is None:
            high, low = args[0], 0
        elif len(args) == 2:
            low, high = args
        elif len(args) == 1:
            low = args[0] if low is None else low
        if low is None and high is not None:
            low = 0
        if len(args) > 2 or any(n not in ("from", "to") for n in named) or args and args[0] is None:
            raise TypeError("random_() takes two integers")
        low, high = (None if n is None else integer(n) for n in (low, high))
        k.random_(self._array, low, high, generator)
        bump_version(self)
        return self
    except Exception as error:
        from .arguments import instead, refusal

        given = dict(named) if generator is None else dict(named, generator=generator)
        raise instead(refusal("Tensor", "random_", args, given), error)


# --- distributions -----------------------------------------------------------------------------------------------


@composite("torch.bernoulli", "Tensor.bernoulli")
def bernoulli(input: Any, p: Any = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """1 with the probability that stands in `input` (or the number `p`), else 0."""
    array = memory.empty(input._array.shape, input._array.dtype)  # contiguous, whatever the strides of `input`
    if p is not None:
        k.bernoulli_(array, p, generator)
    else:
        k.bernoulli_from_(array, input._array, generator)
    result = bernoulli_of.function(input, array)
    return result if out is None else write_out(result, out)


@composite("torch.multinomial", "Tensor.multinomial")
def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None) -> Tensor:
    """`num_samples` indices per row of `input` (weights, not necessarily normalised), with or without replacement."""
    if out is not None and out.dtype is not dt.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {SCALAR_NAMES[out.dtype]}")
    result = wrap(sampling.multinomial(input._array, num_samples, replacement, generator))
    return result if out is None else write_out(result, out)


@composite("torch.poisson")
def poisson(input: Any, generator: Any = None) -> Tensor:
    """Poisson numbers with the rates in `input`."""
    return poisson_of.function(input, sampling.poisson(input._array, generator))


@composite("torch.binomial")
def binomial(count: Any, prob: Any, generator: Any = None) -> Tensor:
    """Binomial numbers of `count` trials with probability `prob`."""
    return wrap(sampling.binomial(count._array, prob._array, generator))


@operator("torch._standard_gamma", node="StandardGammaBackward0")
def _standard_gamma(input: Array, generator: Any = None) -> Array:
    """Gamma numbers of the shapes in `input` and scale 1. Their gradients are implicit: `_standard_gamma_grad`."""
    return sampling.standard_gamma(input, generator)


@operator("torch._standard_gamma_grad")
def _standard_gamma_grad(input: Array, output: Array) -> Array:
    """The gradient of the gamma numbers `output` for their shapes `input`."""
    from ..kernels.gamma_gradient import standard_gamma_grad  # brings special functions and their tables along

    return standard_gamma_grad(input, output)


@operator("torch._sample_dirichlet", node="SampleDirichletBackward0")
def _sample_dirichlet(input: Array, generator: Any = None) -> Array:
    """Dirichlet numbers of the concentrations along the last dim."""
    return sampling.dirichlet(input, generator)


@operator("torch._dirichlet_grad")
def _dirichlet_grad(x: Array, alpha: Array, total: Array) -> Array:
    """The part of the Dirichlet numbers' gradient that belongs to one of them, divided by 1 - x."""
    from ..kernels.gamma_gradient import dirichlet_grad

    return dirichlet_grad(x, alpha, total)


def _no_derivative(name: str) -> Any:
    def formula(F: Any, grad: Any) -> Any:
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    return formula


def _underivable(name: str) -> Any:
    def formula(F: Any, grad: Any) -> Any:
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return formula


_standard_gamma.derivative(input=lambda F, grad, input, result: grad * F._standard_gamma_grad(input, result))
_standard_gamma_grad.derivative(input=_no_derivative("_standard_gamma_grad"), output=_no_derivative("_standard_gamma_grad"))
_sample_dirichlet.derivative(input=_underivable("_sample_dirichlet"))
_dirichlet_grad.derivative(x=_underivable("_dirichlet_grad"), alpha=_underivable("_dirichlet_grad"), total=_underivable("_dirichlet_grad"))


def _zero(F: Any, grad: Any, x: Any) -> Any:
    return F.expand(grad.sum() * 0, x)


def _drawn(name: str, node: str, doc: str, *params: str) -> Any:
    """An operator that gives numbers already drawn, with gradients of zero for what they were drawn from."""
    if len(params) == 1:

        def forward(input: Array, numbers: Any) -> Array:
            return numbers
    else:

        def forward(input: Array, other: Array, numbers: Any) -> Array:  # type: ignore[misc]
            return numbers

    forward.__name__, forward.__doc__ = name, doc
    op = operator(node=node, out=False)(forward)
    op.derivative(input=lambda F, grad, input_shape: _zero(F, grad, input_shape))
    if len(params) == 2:
        op.derivative(other=lambda F, grad, other_shape: _zero(F, grad, other_shape))
    return op


normal_of_mean = _drawn("normal_of_mean", "NormalBackward1", "Normal numbers of a tensor of means.", "mean")
normal_of_std = _drawn("normal_of_std", "NormalBackward2", "Normal numbers of a tensor of deviations.", "std")
normal_of_both = _drawn("normal_of_both", "NormalBackward3", "Normal numbers of means and deviations.", "mean", "std")
bernoulli_of = _drawn("bernoulli_of", "BernoulliBackward0", "Zeros and ones of given probabilities.", "input")
poisson_of = _drawn("poisson_of", "PoissonBackward0", "Poisson numbers of given rates.", "input")


@composite("torch.normal")
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None, device: Any = None,
           requires_grad: bool = False, **ignored: Any) -> Tensor:  # fmt: skip
    """Normal numbers: of means and deviations in tensors, or of two numbers in shape `size`."""
    if size is not None:
        array = allocate(shape_of((size,), "normal"), numpy_dtype(dtype), device, np.empty)
        result = finish(k.normal_(array, float(mean), float(std), generator), requires_grad)
    else:
        if isinstance(mean, Tensor) and isinstance(std, Tensor):
            shape = broadcast_shapes(mean._array.shape, std._array.shape)
        elif isinstance(mean, Tensor):
            shape = mean._array.shape
        else:
            shape = std._array.shape
        like = mean if isinstance(mean, Tensor) else std
        low = std._array.min() if isinstance(std, Tensor) and std._array.size else std if not isinstance(std, Tensor) else 0
        if low < 0:
            raise RuntimeError(
                "normal expects all elements of std >= 0.0"
                if isinstance(std, Tensor)
                else f"normal expects std >= 0.0, but found std {std:g}"
            )
        array = memory.empty(shape, like._array.dtype)
        if isinstance(std, Tensor):
            k.normal_(array, 0.0, 1.0, generator)
            multiply(array, std._array, array)
        else:
            k.normal_(array, 0.0, float(std), generator)
        add(array, mean._array if isinstance(mean, Tensor) else mean, array)
        if isinstance(mean, Tensor):
            result = normal_of_mean.function(mean, array) if not isinstance(std, Tensor) else normal_of_both.function(mean, std, array)
        else:
            result = normal_of_std.function(std, array)
    return result if out is None else write_out(result, out)


formula_function("detach", lambda x: x, lambda x: x.detach())
