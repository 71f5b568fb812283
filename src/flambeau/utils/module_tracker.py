"""`torch.utils.module_tracker`: in which modules a program is at the moment."""

from typing import Any

from ..core.missing import missing_name

__all__ = ["ModuleTracker"]


class ModuleTracker:
    """A block in which `parents` holds the names of the modules that are running, "Global" among them, forward and backward.

    `is_bw`: whether a backward is running.
    """

    def __init__(self) -> None:
        self.parents = {"Global"}
        self._names: Any = {}
        self._handles: list[Any] = []

    @property
    def is_bw(self) -> bool:
        """Whether a backward is running."""
        from ..autograd.grad_mode import grad_mode

        return grad_mode.walk is not None

    def _name_of(self, module: Any) -> str:
        found = self._names.get(module)
        if found is None:
            root = type(module).__name__
            for name, part in module.named_modules():
                self._names[part] = f"{root}.{name}" if name else root
            found = self._names[module]
        return str(found)

    def _mark(self, inputs: Any, hook: Any) -> None:
        tensors = [x for x in (inputs if isinstance(inputs, (tuple, list)) else (inputs,)) if hasattr(x, "_array") and x.requires_grad]
        for x in tensors[:1]:
            x.register_hook(hook)

    def _before(self, module: Any, inputs: Any) -> None:
        name = self._name_of(module)
        self.parents.add(name)
        self._mark(inputs, lambda grad: self.parents.discard(name))

    def _after(self, module: Any, inputs: Any, output: Any) -> None:
        name = self._name_of(module)
        self.parents.discard(name)
        self._mark(output, lambda grad: self.parents.add(name))

    def __enter__(self) -> "ModuleTracker":
        import weakref

        from ..nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

        self._names = weakref.WeakKeyDictionary()
        self._handles = [register_module_forward_pre_hook(self._before), register_module_forward_hook(self._after)]
        return self

    def __exit__(self, *exception: Any) -> None:
        for handle in self._handles:
            handle.remove()
        self.parents = {"Global"}


ModuleTracker.__module__ = "torch.utils.module_tracker"
__getattr__ = missing_name(__name__)
