"""`TorchVersion`: the class of `torch.__version__`."""

import re
from typing import Any

from .core.naming import public

_PATTERN = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)(?:[-_.]?(?P<pre>a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>-(?P<post_bare>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*))?(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE,
)
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1}


def _key(version: str) -> tuple[Any, ...]:
    """A tuple that sorts as PEP 440 sorts versions. Raises ValueError for what is none."""
    found = _PATTERN.fullmatch(version.strip())
    if found is None:
        raise ValueError(f"Invalid version: {version!r}")
    part = found.groupdict()
    release = [int(number) for number in part["release"].split(".")]
    while release and release[-1] == 0:
        release.pop()
    post = int(part["post_bare"] or part["post_number"] or 0) if part["post"] else -1
    dev = int(part["dev_number"] or 0) if part["dev"] else float("inf")
    if part["pre"]:
        pre = (_PRE.get(part["pre"].lower(), 2), int(part["pre_number"] or 0))
    else:  # a development release of the final release comes before its alphas
        pre = (-1, 0) if part["dev"] and not part["post"] else (3, 0)
    local = [
        (1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in re.split(r"[-_.]", (part["local"] or "").lower()) if piece
    ]
    return int(part["epoch"] or 0), release, pre, post, dev, local


@public("torch.torch_version")
class TorchVersion(str):
    """A version string that compares as a version with strings and with tuples: `torch.__version__ >= (2, 1)`.

    What is no version is compared as text.
    """

    def _compare(self, other: Any, method: str) -> Any:
        version = ".".join(map(str, other)) if isinstance(other, (list, tuple)) else other
        if isinstance(version, str):
            try:
                return getattr(tuple, method)(_key(str(self)), _key(str(version)))
            except ValueError:
                pass
        return getattr(str, method)(self, other)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "__lt__")

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "__le__")

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, "__gt__")

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, "__ge__")

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, "__eq__")

    __hash__ = str.__hash__
