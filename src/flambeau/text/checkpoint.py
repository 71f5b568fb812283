"""Reading a model from a folder in Hugging Face layout: `config.json`, weights, tokenizer."""

import json
import os
from typing import Any

from ..core.device import device
from ..core.dtype import OF_NUMPY, float32
from ..core.dtype import dtype as Dtype
from ..nn.modules.module import Module
from ..tensor import wrap
from .gpt2 import GPT2
from .llama import Llama

__all__ = ["load_model", "load_tokenizer", "read_safetensors"]

MODELS: dict[str, Any] = {"gpt2": GPT2, "llama": Llama}


def read_safetensors(path: str, dtype: Dtype | None = None) -> dict[str, Any]:
    """The tensors of a safetensors file by name, floating-point ones as `dtype` if given.

    Raises ImportError without the safetensors package, ValueError for a dtype that flambeau does not have.
    """
    try:
        from safetensors import safe_open
    except ImportError:
        raise ImportError("reading .safetensors files needs the package safetensors: pip install 'flambeau[safetensors]'") from None
    found = {}
    with safe_open(path, framework="np") as file:
        for name in file.keys():  # noqa: SIM118 (it is no dict)
            array = file.get_tensor(name)
            if array.dtype not in OF_NUMPY:
                raise ValueError(f"{path}: the tensor {name!r} is of dtype {array.dtype}, which is not supported")
            tensor = wrap(array)
            found[name] = tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    return found


def _weights(folder: str, dtype: Dtype | None) -> dict[str, Any]:
    """All tensors of the folder: of one file, or of the files that an index names."""
    single, index = os.path.join(folder, "model.safetensors"), os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(single):
        return read_safetensors(single, dtype)
    if not os.path.exists(index):
        raise FileNotFoundError(f"{folder} holds neither model.safetensors nor model.safetensors.index.json")
    with open(index, encoding="utf-8") as stream:
        places = json.load(stream)["weight_map"]
    found: dict[str, Any] = {}
    for name in sorted(set(places.values())):
        if os.path.basename(name) != name:
            raise ValueError(f"{index} names a file outside its folder: {name!r}")
        found |= read_safetensors(os.path.join(folder, name), dtype)
    return found


def load_model(folder: str | os.PathLike[str], dtype: Dtype | None = float32) -> Module:
    """The language model in a folder with `config.json` and `model.safetensors`, or its index and parts, in eval mode.

    GPT-2 and Llama are known. dtype: what parameters are converted to, None to keep the files'. Raises ValueError for another model or
    weights that do not fit it, FileNotFoundError where files are missing, ImportError without the safetensors package.
    """
    folder = os.fspath(folder)
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as stream:
        config = json.load(stream)
    kind = config.get("model_type")
    if kind not in MODELS:
        raise ValueError(f"model_type {kind!r} is not supported; known are {', '.join(MODELS)}")
    with device("meta"):
        model = MODELS[kind](config)
    state = model.from_checkpoint(_weights(folder, dtype))
    if model.tied:
        embedding = next(name for name, parameter in model.named_parameters() if parameter is model.lm_head.weight)
        state["lm_head.weight"] = state.get(embedding)
    expected = model.state_dict()
    wrong = [f"{name} is missing" for name in expected if state.get(name) is None]
    wrong += [f"{name} is not part of the model" for name in state if name not in expected]
    wrong += [
        f"{name} is of shape {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if state.get(name) is not None and state[name].shape != tensor.shape
    ]
    if wrong:
        raise ValueError(f"the weights in {folder} do not fit the model: {'; '.join(wrong)}")
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    return model.eval()


def load_tokenizer(path: str | os.PathLike[str]) -> Any:
    """The tokenizer of a folder or of a `tokenizer.json`: an object of the package tokenizers, with `encode` and `decode`.

    A folder without that file may hold `vocab.json` and `merges.txt`, as GPT-2's first ones do. Raises FileNotFoundError where
    there are none, ImportError without the tokenizers package.
    """
    try:
        import tokenizers
    except ImportError:
        raise ImportError("reading a tokenizer needs the package tokenizers: pip install 'flambeau[text]'") from None
    path = os.fspath(path)
    file = os.path.join(path, "tokenizer.json") if os.path.isdir(path) else path
    if os.path.exists(file):
        return tokenizers.Tokenizer.from_file(file)
    vocabulary, merges = (os.path.join(path, name) for name in ("vocab.json", "merges.txt"))
    if not (os.path.exists(vocabulary) and os.path.exists(merges)):
        raise FileNotFoundError(f"{path} holds neither tokenizer.json nor vocab.json and merges.txt")
    return tokenizers.ByteLevelBPETokenizer(vocabulary, merges)
