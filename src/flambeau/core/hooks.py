"""The handle that takes a hook back."""

from typing import Any

from .naming import public


@public("torch.utils.hooks")
class RemovableHandle:
    """Returned where a hook is registered: `remove()` takes it back, and leaving a `with` does the same.

    `hooks_dict` maps ids to hooks; `extra_dict` (one or a list) holds further entries under the same id.
    """

    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        import weakref

        self.id: int = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        self._plain = hooks_dict if type(hooks_dict) is dict else None  # a plain dict cannot be referenced weakly
        self.hooks_dict_ref: Any = (lambda: self._plain) if self._plain is not None else weakref.ref(hooks_dict)
        extras = extra_dict if isinstance(extra_dict, list) else [extra_dict] if extra_dict is not None else []
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extras)

    def remove(self) -> None:
        """Takes the hook back; once is enough."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None and self.id in hooks:
                del hooks[self.id]

    def __getstate__(self) -> Any:
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state: Any) -> None:
        import weakref
        from collections import OrderedDict

        hooks = OrderedDict() if state[0] is None else state[0]
        self.id = state[1]
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)  # or a later hook would take this one's place
        self._plain = hooks if type(hooks) is dict else None
        self.hooks_dict_ref = (lambda: self._plain) if self._plain is not None else weakref.ref(hooks)
        self.extra_dict_ref = tuple(weakref.ref(d if d is not None else OrderedDict()) for d in state[2]) if len(state) > 2 else ()

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()
