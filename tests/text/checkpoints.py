"""Small checkpoints in Hugging Face layout, written with NumPy from fixed random numbers.

python tests/text/checkpoints.py     writes expected/transformers.json: what the package transformers computes with them
"""

import json
from pathlib import Path

import numpy as np

EXPECTED = Path(__file__).parent / "expected" / "transformers.json"
PROMPT = [[5, 9, 2, 30, 17], [8, 8, 21, 3, 11]]
GPT2 = {
    "model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 4, "vocab_size": 40, "n_positions": 32, "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
LLAMA = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 40, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
    "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}  # fmt: skip
CONFIGS = {
    "gpt2": GPT2,
    "gpt2 inverse layers": GPT2 | {"scale_attn_by_inverse_layer_idx": True, "activation_function": "gelu", "n_inner": 24},
    "gpt2 untied": GPT2 | {"tie_word_embeddings": False},
    "llama": LLAMA,
    "llama biases": LLAMA | {"attention_bias": True, "mlp_bias": True, "head_dim": 8, "tie_word_embeddings": True},
    "llama 3 positions": LLAMA | {"rope_scaling": LLAMA3},
    "llama linear positions": LLAMA | {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
}
SAMPLING = {
    "greedy": {},
    "penalty": {"repetition_penalty": 1.7},
    "top_k": {"temperature": 0.8, "top_k": 7},
    "top_p": {"temperature": 1.3, "top_p": 0.6},
    "all": {"temperature": 0.9, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.2},
}


def shapes(config):
    """The names and shapes of a checkpoint's tensors."""
    vocabulary, found = config["vocab_size"], {}
    if config["model_type"] == "gpt2":
        width = config["n_embd"]
        inner = config.get("n_inner") or 4 * width
        found |= {"transformer.wte.weight": (vocabulary, width), "transformer.wpe.weight": (config["n_positions"], width)}
        for layer in range(config["n_layer"]):
            at = f"transformer.h.{layer}."
            for name, rows, columns in (
                ("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width), ("mlp.c_fc", width, inner), ("mlp.c_proj", inner, width),
            ):  # fmt: skip
                found |= {f"{at}{name}.weight": (rows, columns), f"{at}{name}.bias": (columns,)}
            for name in ("ln_1", "ln_2"):
                found |= {f"{at}{name}.weight": (width,), f"{at}{name}.bias": (width,)}
        found |= {"transformer.ln_f.weight": (width,), "transformer.ln_f.bias": (width,)}
        tied = config.get("tie_word_embeddings", True)
    else:
        width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
        head = config.get("head_dim") or width // heads
        groups = config["num_key_value_heads"]
        found |= {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
        for layer in range(config["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            for name, rows, columns, option in (
                ("self_attn.q_proj", heads * head, width, "attention_bias"), ("self_attn.k_proj", groups * head, width, "attention_bias"),
                ("self_attn.v_proj", groups * head, width, "attention_bias"), ("self_attn.o_proj", width, heads * head, "attention_bias"),
                ("mlp.gate_proj", inner, width, "mlp_bias"), ("mlp.up_proj", inner, width, "mlp_bias"),
                ("mlp.down_proj", width, inner, "mlp_bias"),
            ):  # fmt: skip
                found[f"{at}{name}.weight"] = (rows, columns)
                if config.get(option):
                    found[f"{at}{name}.bias"] = (rows,)
            found |= {f"{at}input_layernorm.weight": (width,), f"{at}post_attention_layernorm.weight": (width,)}
        tied = config["tie_word_embeddings"]
    if not tied:
        found["lm_head.weight"] = (vocabulary, width)
    return found


def weights(config):
    """A checkpoint's arrays by name: the same ones each time."""
    random = np.random.default_rng(3)
    return {
        name: (random.standard_normal(shape) * 0.4 + (1.0 if len(shape) == 1 and name.endswith("weight") else 0.0)).astype(np.float32)
        for name, shape in sorted(shapes(config).items())
    }


def write(folder, config, parts=1, dtype=np.float32, arrays=None):
    """Writes `config.json` and the weights, in one file or in parts with an index."""
    from safetensors.numpy import save_file

    arrays = weights(config) if arrays is None else arrays
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    (folder / "config.json").write_text(json.dumps(config))
    if parts == 1:
        save_file(arrays, folder / "model.safetensors")
        return folder
    places = {name: f"model-{i % parts + 1:05}-of-{parts:05}.safetensors" for i, name in enumerate(arrays)}
    for file in set(places.values()):
        save_file({name: array for name, array in arrays.items() if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def main():
    import tempfile

    import torch
    import transformers

    found = {"transformers": transformers.__version__}
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), config)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        ids = torch.tensor(PROMPT)
        with torch.no_grad():
            found[name] = {"logits": model(ids).logits.double().numpy().round(7).tolist()}
        for key, options in SAMPLING.items():
            torch.manual_seed(11)
            options = {"top_k": 0, **options, "do_sample": "temperature" in options}
            made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, pad_token_id=1, eos_token_id=1, **options)
            found[name][key] = made.tolist()
    EXPECTED.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
