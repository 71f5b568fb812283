"""Continues a text with a GPT-2 or Llama checkpoint in Hugging Face layout: a folder with config.json and model.safetensors.

    python examples/generate.py --model gpt2/ --prompt "Once upon a time" --temperature 0.8 --top-k 40
    python examples/generate.py --model llama/ --prompt "The sky is" --top-p 0.9 --temperature 0.7 --repetition-penalty 1.1
    python examples/generate.py --model gpt2/ --ids 464,6766,318        # without a tokenizer: token numbers in, numbers out

Needs `pip install 'flambeau[safetensors,text]'`. Without `--temperature` it always takes the likeliest token.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import flambeau as torch
from flambeau.text import load_model, load_tokenizer, stream

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
option = parser.add_argument
option("--model", type=Path, required=True, help="the checkpoint's folder")
option("--tokenizer", type=Path, help="a folder or a tokenizer.json (default: the model's folder)")
option("--prompt", default="Once upon a time")
option("--ids", help="token numbers, separated by commas, in place of a prompt")
option("--max-new-tokens", type=int, default=50)
option("--temperature", type=float, default=0.0, help="0: the likeliest token; 1: as the model says; above: more varied")
option("--top-k", type=int, help="only so many tokens may come next")
option("--top-p", type=float, help="only the likeliest tokens with this probability together may come next")
option("--repetition-penalty", type=float, default=1.0)
option("--dtype", default="float32", help="float32, bfloat16, float16, or auto for the file's")
option("--seed", type=int, default=0)
option("--no-cache", action="store_true", help="read the whole text again for every token")
config = parser.parse_args()

try:
    model = load_model(config.model, None if config.dtype == "auto" else getattr(torch, config.dtype))
    tokenizer = None if config.ids else load_tokenizer(config.tokenizer or config.model)
except (ImportError, OSError, ValueError) as error:
    sys.exit(f"{parser.prog}: {error}")

ids = [int(number) for number in config.ids.split(",")] if config.ids else tokenizer.encode(config.prompt).ids
# Where generating ends, the generation settings say, or else the model's.
settings = {}
for name in ("config.json", "generation_config.json"):
    if (config.model / name).exists():
        settings |= json.loads((config.model / name).read_text(encoding="utf-8"))


def show(tokens):
    """Text, or numbers where there is no tokenizer."""
    return ",".join(map(str, tokens)) if tokenizer is None else tokenizer.decode(tokens)


torch.manual_seed(config.seed)
started, shown, count = time.perf_counter(), "", len(ids)
tokens = stream(
    model,
    torch.tensor([ids]),
    config.max_new_tokens,
    temperature=config.temperature,
    top_k=config.top_k,
    top_p=config.top_p,
    repetition_penalty=config.repetition_penalty,
    eos_token_id=settings.get("eos_token_id"),
    use_cache=not config.no_cache,
)
for token in tokens:
    ids.append(token.item())
    text = show(ids)
    if not text.endswith("\ufffd"):  # the first bytes of a character whose rest is still to come
        print(text[len(shown) :], end="", flush=True)
        shown = text
print(show(ids)[len(shown) :])
seconds = time.perf_counter() - started
print(f"{len(ids) - count} tokens in {seconds:.2f} s", file=sys.stderr)
