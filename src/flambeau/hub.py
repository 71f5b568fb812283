"""`torch.hub`: models from a folder with a `hubconf.py`, and files of weights from an address. Nothing is fetched from GitHub."""

import os
from typing import Any

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

DEFAULT_CACHE_DIR = "~/.cache"
ENV_GITHUB_TOKEN = "GITHUB_TOKEN"
ENV_TORCH_HOME = "TORCH_HOME"
ENV_XDG_CACHE_HOME = "XDG_CACHE_HOME"
MODULE_HUBCONF = "hubconf.py"
READ_DATA_CHUNK = 128 * 1024
VAR_DEPENDENCY = "dependencies"

_settings: dict[str, str | None] = {"dir": None}


def get_dir() -> str:
    """The folder of files from the net: what `set_dir` said, else `$TORCH_HOME/hub`, else `~/.cache/torch/hub`."""
    if _settings["dir"] is not None:
        return _settings["dir"]
    cache = os.getenv(ENV_XDG_CACHE_HOME, DEFAULT_CACHE_DIR)
    return os.path.join(os.path.expanduser(os.getenv(ENV_TORCH_HOME, os.path.join(cache, "torch"))), "hub")


def set_dir(d: Any) -> None:
    """Sets the folder of files from the net."""
    _settings["dir"] = os.path.expanduser(d)


def _entry_points(repo_or_dir: Any, source: str) -> Any:
    """The module `hubconf` of a folder."""
    source = source.lower()
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise NotImplementedError(
            "flambeau's torch.hub fetches nothing from GitHub: clone the repository, and pass its folder with source='local'"
        )
    import importlib.util
    import sys

    path = os.path.join(os.fspath(repo_or_dir), MODULE_HUBCONF)
    if not os.path.exists(path):
        raise FileNotFoundError(2, "No such file or directory", path)
    sys.path.insert(0, os.fspath(repo_or_dir))
    try:
        spec = importlib.util.spec_from_file_location("hubconf", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(os.fspath(repo_or_dir))
    missing = [name for name in getattr(module, VAR_DEPENDENCY, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module: Any, name: Any) -> Any:
    if not isinstance(name, str):
        raise ValueError("Invalid input: model should be a string of function name")
    function = getattr(module, name, None)
    if function is None or not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


def load(
    repo_or_dir: Any,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = None,
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What the entry point `model` of a folder's `hubconf.py` returns for the arguments. Only `source="local"`.

    Raises ValueError for an unknown source, NotImplementedError for GitHub, RuntimeError where there is no such entry point.
    """
    return _entry(_entry_points(repo_or_dir, source), model)(*args, **kwargs)


def list(github: Any, force_reload: bool = False, skip_validation: bool = False, trust_repo: Any = None, verbose: bool = True,
         *, source: str = "github") -> Any:  # fmt: skip
    """The entry points of a folder's `hubconf.py`: its functions whose names do not begin with an underscore. Only `source="local"`."""
    module = _entry_points(github, source)
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(github: Any, model: str, force_reload: bool = False, skip_validation: bool = False, trust_repo: Any = None,
         *, source: str = "github") -> Any:  # fmt: skip
    """The docstring of an entry point. Only `source="local"`."""
    return _entry(_entry_points(github, source), model).__doc__


def download_url_to_file(url: str, dst: Any, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetches a file. Raises RuntimeError where its SHA-256 does not begin with `hash_prefix`."""
    import hashlib
    import urllib.request

    digest = hashlib.sha256()
    part = f"{os.path.expanduser(dst)}.partial"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "torch.hub"})) as source, open(part, "wb") as file:
            while chunk := source.read(READ_DATA_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        found = digest.hexdigest()
        if hash_prefix is not None and not found.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
        os.replace(part, os.path.expanduser(dst))
    finally:
        if os.path.exists(part):
            os.remove(part)


def load_state_dict_from_url(
    url: str,
    model_dir: Any = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """`torch.load` of a file from the net, which is kept in `<hub dir>/checkpoints` and fetched only once.

    `check_hash`: the name ends in the first digits of the SHA-256 (`resnet18-5c106cde.pth`), which are compared.
    """
    import re
    import sys
    from urllib.parse import urlparse

    from .serialization import load as load_file

    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else os.fspath(model_dir)
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        match = re.search(r"-([a-f0-9]*)\.", name) if check_hash else None
        download_url_to_file(url, path, match.group(1) if match else None, progress)
    return load_file(path, map_location=map_location, weights_only=weights_only)
