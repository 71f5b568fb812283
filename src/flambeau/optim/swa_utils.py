"""Averages of a model's weights over the training: stochastic weight averaging and exponential moving averages."""

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

import numpy as np

from ..autograd.grad_mode import no_grad
from ..autograd.version import bump_version
from ..core.naming import public
from ..kernels.optimizer import lerp_all
from ..nn.modules.module import Module
from ..tensor import Tensor
from ._lr_base import LRScheduler, _format_param, _warn_get_lr_called_within_step
from .optimizer import Optimizer

__all__ = [
    "AveragedModel", "update_bn", "SWALR", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "get_ema_avg_fn", "get_swa_avg_fn",
]  # fmt: skip

Tensors = list[Tensor] | tuple[Tensor, ...]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _lerp_all(averages: Tensors, values: Tensors, weight: float) -> bool:
    """Moves the averages by `weight` towards the values, in place; False where they are no floating-point numbers."""
    pairs = [(a._array, b._array) for a, b in zip(averages, values, strict=True)]
    if not pairs:
        return True
    first: Any = averages[0]
    if not (first.is_floating_point() or first.is_complex()):
        return False
    if all(a.dtype is b.dtype and a.shape == b.shape and a.__class__ is b.__class__ is np.ndarray for a, b in pairs):
        lerp_all([a for a, _ in pairs], [b for _, b in pairs], weight)
        for average in averages:
            bump_version(average)
    else:
        for average, value in zip(averages, values):
            average.lerp_(value, weight)
    return True


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Tensors, Tensors, Any], None]:
    """A function of (averages, current values, count) that moves all averages by `1 - decay` towards the values, in place.

    Raises ValueError unless `decay` lies between 0 and 1.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: Tensors, current_param_list: Tensors, _: Any) -> None:
        if not _lerp_all(ema_param_list, current_param_list, 1 - decay):
            for average, current in zip(ema_param_list, current_param_list, strict=True):
                average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable[[Tensors, Tensors, Any], None]:
    """A function of (averages, current values, count) that takes the values into the equal averages of `count`, in place."""

    @no_grad()
    def swa_update(averaged_param_list: Tensors, current_param_list: Tensors, num_averaged: Any) -> None:
        count = num_averaged.item() if isinstance(num_averaged, Tensor) else num_averaged
        if not _lerp_all(averaged_param_list, current_param_list, 1 / (count + 1)):
            for average, current in zip(averaged_param_list, current_param_list, strict=True):
                average.addcdiv_(current - average, num_averaged + 1)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function of (average, current value, count) that gives `decay * average + (1 - decay) * value`.

    Raises ValueError unless `decay` lies between 0 and 1.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function of (average, current value, count) that gives the equal average of `count + 1` values."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


@public("torch.optim.swa_utils")
class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's over the calls of `update_parameters`.

    Args:
        model: the model to be copied.
        device: where the average lives; by default where the model is.
        avg_fn: function of (average, current value, count so far) that gives the new average; by default the equal average.
        multi_avg_fn: the same for lists of tensors, in place. AssertionError if both are given.
        use_buffers: average the buffers too; otherwise they are copied.

    `n_averaged`, a buffer, counts the calls.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[Tensors, Tensors, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        from ..core.dtype import int64
        from ..ops.creation import zeros

        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", zeros((), dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the current parameters of `model` into the averages; the first call copies them."""
        if self.use_buffers:
            pairs = zip(_parameters_and_buffers(self.module), _parameters_and_buffers(model))
        else:
            pairs = zip(self.parameters(), model.parameters())
        averages, values = [], []
        for average, value in pairs:
            averages.append(average.detach())
            values.append(value.detach().to(average.device))
        if self.n_averaged.item() == 0:
            for average, value in zip(averages, values):
                average.copy_(value)
        elif self.avg_fn is not None:
            for average, value in zip(averages, values):
                average.copy_(self.avg_fn(average, value, self.n_averaged.to(average.device)))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            for some, current in _by_device_and_dtype(averages, values):
                update(some, current, self.n_averaged.to(some[0].device))
        if not self.use_buffers:
            for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
                kept.detach().copy_(buffer.detach().to(kept.device))
        self.n_averaged += 1


def _parameters_and_buffers(module: Module) -> Iterable[Tensor]:
    return itertools.chain(module.parameters(), module.buffers())


def _by_device_and_dtype(averages: list[Tensor], values: list[Tensor]) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
    groups: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
    for average, value in zip(averages, values):
        some, current = groups.setdefault((str(average.device), average.dtype), ([], []))
        some.append(average)
        current.append(value)
    return groups.values()


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of the model's batch-norm layers anew, in one pass over the data.

    `loader` gives batches: a tensor, or a list or tuple that begins with one. `device`: where to move them.
    """
    from ..nn.modules.batchnorm import _BatchNorm

    momenta = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None  # the mean over all batches
    for batch in loader:
        if isinstance(batch, (list, tuple)):
            batch = batch[0]
        if device is not None:
            batch = batch.to(device)
        model(batch)
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


@public("torch.optim.swa_utils")
class SWALR(LRScheduler):
    """From the current rate to the fixed rate `swa_lr` in `anneal_epochs` epochs, along a cosine or a line.

    `swa_lr` is one rate or a list of one for each group. Raises ValueError for an unknown `anneal_strategy` or negative epochs.
    """

    anneal_func: Callable[[float], float]

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(_format_param("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ["cos", "linear"]:
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._set_anneal_func(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    @staticmethod
    def _linear_anneal(t: float) -> float:
        return t

    @staticmethod
    def _cosine_anneal(t: float) -> float:
        return (1 - math.cos(math.pi * t)) / 2

    @staticmethod
    def _get_initial_lr(lr: Any, swa_lr: Any, alpha: float) -> Any:
        return swa_lr if alpha == 1 else (lr - alpha * swa_lr) / (1 - alpha)

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the current epoch."""
        _warn_get_lr_called_within_step(self)
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        length = max(1, self.anneal_epochs)
        before = self.anneal_func(max(0, min(1, (step - 1) / length)))
        now = self.anneal_func(max(0, min(1, step / length)))
        rates = []
        for group in self.optimizer.param_groups:
            start = self._get_initial_lr(group["lr"], group["swa_lr"], before)
            rates.append(group["swa_lr"] * now + start * (1 - now))
        return rates

    def _set_anneal_func(self, anneal_strategy: str) -> None:
        self._anneal_strategy = anneal_strategy
        self.anneal_func = self._cosine_anneal if anneal_strategy == "cos" else self._linear_anneal

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer and the function."""
        return {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "anneal_func")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the attributes that `state_dict` gave."""
        self.__dict__.update(state_dict)
        self._set_anneal_func(self._anneal_strategy)
