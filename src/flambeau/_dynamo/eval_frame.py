"""What `torch.compile` makes of a module."""

from typing import Any

from ..core.naming import public
from ..nn.modules.module import Module


@public("torch._dynamo.eval_frame")
class OptimizedModule(Module):
    """The module that was compiled stands below as `_orig_mod`, so its parameters are called `_orig_mod.weight`. It runs as it is."""

    def __init__(self, mod: Module, dynamo_ctx: Any = None) -> None:
        super().__init__()
        self._modules["_orig_mod"] = mod
        self.training = mod.training

    def __getattr__(self, name: str) -> Any:
        mod = self.__dict__["_modules"]["_orig_mod"]
        return mod if name == "_orig_mod" else getattr(mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("training", "_modules", "_parameters", "_buffers") or name.startswith("_") or "_orig_mod" not in self._modules:
            super().__setattr__(name, value)
        else:
            setattr(self._modules["_orig_mod"], name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._orig_mod(*args, **kwargs)

    def __len__(self) -> int:
        return len(self._modules["_orig_mod"])  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Any:
        return self._modules["_orig_mod"][index]  # type: ignore[index]

    def __reduce__(self) -> Any:
        return type(self), (self._modules["_orig_mod"],)
