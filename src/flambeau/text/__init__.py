"""Language models: GPT-2 and Llama from checkpoint folders in Hugging Face layout, and generating text with them.

    from flambeau.text import generate, load_model, load_tokenizer

    model, tokenizer = load_model(folder), load_tokenizer(folder)
    ids = torch.tensor([tokenizer.encode("Once upon a time").ids])
    print(tokenizer.decode(generate(model, ids, 50, temperature=0.8, top_k=40)[0].tolist()))

`generate` works with any model that maps indices (N, L) to logits (N, L, vocabulary).
"""

from .checkpoint import load_model, load_tokenizer
from .generation import KeyValueCache, generate, repetition_penalty, stream, top_k, top_p
from .gpt2 import GPT2
from .llama import Llama

__all__ = [
    "GPT2", "KeyValueCache", "Llama", "generate", "load_model", "load_tokenizer", "repetition_penalty", "stream", "top_k", "top_p",
]  # fmt: skip
