"""Language models from checkpoint folders, and generating: what the package transformers computes, from the same weights and seeds."""

import importlib.util
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import flambeau as torch
from flambeau.text import GPT2, KeyValueCache, Llama, generate, load_model, load_tokenizer, repetition_penalty, stream, top_k, top_p
from harness import ROOT, run_python

_spec = importlib.util.spec_from_file_location("checkpoints", Path(__file__).parent / "checkpoints.py")
checkpoints = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(checkpoints)
CONFIGS, SAMPLING, PROMPT = checkpoints.CONFIGS, checkpoints.SAMPLING, checkpoints.PROMPT
EXPECTED = json.loads(checkpoints.EXPECTED.read_text())


def built(config):
    """A model with a checkpoint's weights, without files."""
    model = {"gpt2": GPT2, "llama": Llama}[config["model_type"]](config)
    state = model.from_checkpoint({name: torch.from_numpy(array) for name, array in checkpoints.weights(config).items()})
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and missing == (["lm_head.weight"] if model.tied else [])
    return model.eval()


@pytest.mark.parametrize("name", CONFIGS)
def test_logits(name):
    with torch.no_grad():
        logits = built(CONFIGS[name])(torch.tensor(PROMPT))
    np.testing.assert_allclose(logits.numpy(), EXPECTED[name]["logits"], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("name", CONFIGS)
def test_generated_tokens(name, sampling, use_cache):
    model = built(CONFIGS[name])
    torch.manual_seed(11)
    made = generate(model, torch.tensor(PROMPT), 20, eos_token_id=1, use_cache=use_cache, **SAMPLING[sampling])
    assert made.tolist() == EXPECTED[name][sampling]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", ["gpt2", "gpt2 untied", "llama", "llama biases"])
def test_checkpoint_folders(name, parts, tmp_path):
    pytest.importorskip("safetensors")
    model = load_model(checkpoints.write(tmp_path, CONFIGS[name], parts))
    assert not model.training and all(p.requires_grad and p.dtype is torch.float32 for p in model.parameters())
    with torch.no_grad():
        assert torch.equal(model(torch.tensor(PROMPT)), built(CONFIGS[name])(torch.tensor(PROMPT)))
    if model.tied:
        assert model.lm_head.weight is next(model.parameters())


def test_old_gpt2_files(tmp_path):
    """The first ones have no `transformer.` before the names, and hold the masks."""
    pytest.importorskip("safetensors")
    config = CONFIGS["gpt2"]
    arrays = {name.removeprefix("transformer."): array for name, array in checkpoints.weights(config).items()}
    arrays["h.0.attn.bias"] = np.tril(np.ones((1, 1, 32, 32), np.float32))
    model = load_model(checkpoints.write(tmp_path, config, arrays=arrays))
    with torch.no_grad():
        assert torch.equal(model(torch.tensor(PROMPT)), built(config)(torch.tensor(PROMPT)))


def test_dtypes(tmp_path):
    pytest.importorskip("safetensors")
    checkpoints.write(tmp_path, CONFIGS["llama"], dtype=ml_dtypes.bfloat16)
    kept = load_model(tmp_path, None)
    assert {p.dtype for p in kept.parameters()} == {torch.bfloat16}
    wide = load_model(tmp_path)
    assert {p.dtype for p in wide.parameters()} == {torch.float32}
    assert torch.equal(wide.lm_head.weight.bfloat16(), kept.lm_head.weight)
    with torch.no_grad():
        logits = kept(torch.tensor(PROMPT))
        assert logits.dtype is torch.bfloat16
        torch.testing.assert_close(logits.float(), wide(torch.tensor(PROMPT)), rtol=0.1, atol=0.15)
    assert generate(kept, torch.tensor(PROMPT), 3).shape == (2, 8)


def test_checkpoints_that_do_not_fit(tmp_path):
    pytest.importorskip("safetensors")
    with pytest.raises(FileNotFoundError, match=r"config.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="model_type 'bert' is not supported; known are gpt2, llama"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["gpt2"]))
    with pytest.raises(FileNotFoundError, match=r"neither model\.safetensors nor"):
        load_model(tmp_path)
    arrays = checkpoints.weights(CONFIGS["gpt2"])
    arrays["transformer.wpe.weight"] = arrays["transformer.wpe.weight"][:5]
    arrays["transformer.extra"] = arrays.pop("transformer.ln_f.bias")
    checkpoints.write(tmp_path, CONFIGS["gpt2"], arrays=arrays)
    with pytest.raises(ValueError) as caught:
        load_model(tmp_path)
    for part in ("ln_f.bias is missing", "extra is not part of the model", r"wpe.weight is of shape (5, 16), expected (32, 16)"):
        assert part in str(caught.value)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../elsewhere.safetensors"}}')
    with pytest.raises(ValueError, match="outside its folder"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CONFIGS["gpt2"] | {"activation_function": "swish_quadratic"}, "activation_function='swish_quadratic' is not supported"),
        (CONFIGS["gpt2"] | {"add_cross_attention": True}, "add_cross_attention"),
        (CONFIGS["gpt2"] | {"n_head": 3}, "divisible by n_head"),
        (CONFIGS["llama"] | {"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope scaling 'yarn' is not supported"),
        (CONFIGS["llama"] | {"hidden_act": "gelu"}, "hidden_act='gelu' is not supported"),
        (CONFIGS["llama"] | {"num_key_value_heads": 3}, "divisible by num_key_value_heads"),
    ],
)
def test_options_that_are_not_known(config, message):
    with pytest.raises(ValueError, match=message):
        {"gpt2": GPT2, "llama": Llama}[config["model_type"]](config)


def test_without_the_packages(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["gpt2"]))
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'flambeau\[safetensors\]'"):
        load_model(tmp_path)
    with pytest.raises(ImportError, match=r"pip install 'flambeau\[text\]'"):
        load_tokenizer(tmp_path)


def test_what_may_come_next():
    logits = torch.tensor([[1.0, 3.0, 2.0, -1.0], [0.0, 0.0, -2.0, 5.0]])
    inf = float("inf")
    assert top_k(logits, 2).tolist() == [[-inf, 3, 2, -inf], [0, 0, -inf, 5]]  # what equals the last one stays
    assert torch.equal(top_k(logits, 9), logits)
    assert top_p(logits, 0.85).tolist() == [[-inf, 3, 2, -inf], [-inf, -inf, -inf, 5]]
    assert top_p(logits, 1e-9).isfinite().sum(1).tolist() == [1, 1]
    assert repetition_penalty(logits, torch.tensor([[1, 1], [2, 3]]), 2.0).tolist() == [[1, 1.5, 2, -1], [0, 0, -4, 2.5]]
    for call, message in (
        (lambda: top_k(logits, 0), "top_k must be positive"),
        (lambda: top_p(logits, 0.0), r"top_p must be in \(0, 1\]"),
        (lambda: repetition_penalty(logits, torch.tensor([[0], [0]]), 0.0), "repetition_penalty must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def counting(ids):
    """A model of ten tokens that counts upwards."""
    return torch.nn.functional.one_hot((ids + 1) % 10, 10).float()


def test_any_model_generates():
    ids = torch.tensor([[1, 2], [6, 7]])
    assert generate(counting, ids, 3).tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 0]]
    assert generate(counting, ids, 0) is ids
    assert [row.tolist() for row in stream(counting, ids, 2)] == [[3, 8], [4, 9]]


def test_ends():
    """A row that has ended is filled up; when all have, it is over."""
    ids = torch.tensor([[1], [3]])
    assert generate(counting, ids, 8, eos_token_id=5).tolist() == [[1, 2, 3, 4, 5], [3, 4, 5, 5, 5]]
    assert generate(counting, ids, 8, eos_token_id=[9, 4]).tolist() == [[1, 2, 3, 4], [3, 4, 9, 9]]


def test_a_generator_is_used():
    model, ids = built(CONFIGS["llama"]), torch.tensor(PROMPT)
    draws = [generate(model, ids, 9, temperature=2.0, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_errors_of_generating():
    for ids in (torch.tensor([1, 2]), torch.zeros(1, 0, dtype=torch.int64)):
        with pytest.raises(ValueError, match="ids must be of shape"):
            generate(counting, ids, 1)
    with pytest.raises(ValueError, match="temperature must not be negative"):
        generate(counting, torch.tensor([[1]]), 1, temperature=-1.0)
    with pytest.raises(ValueError, match="the model has 32 positions, the text 33"):
        generate(built(CONFIGS["gpt2"]), torch.tensor(PROMPT), 29)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_cache_takes_pieces(name):
    """Positions may come one by one or several at once, beyond the room that the cache begins with."""
    torch.manual_seed(0)
    config = CONFIGS[name] | {"n_positions": 200}
    model = built(config) if name == "llama" else GPT2(config).eval()
    ids = torch.randint(0, 40, (2, 150))
    cache = model.make_cache()
    assert isinstance(cache, KeyValueCache)
    with torch.no_grad():
        whole = model(ids)
        pieces = torch.cat([model(piece, cache=cache) for piece in ids.split([3, 1, 70, 5, 71], 1)], 1)
    assert cache.length == 150
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-5)


def test_models_train():
    torch.manual_seed(0)
    model = GPT2(CONFIGS["gpt2"] | {"resid_pdrop": 0.1})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    ids = torch.tensor(PROMPT)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert model.lm_head.weight is model.transformer.wte.weight


# --- the example -------------------------------------------------------------------------------------------------


def test_the_example_generates(tmp_path):
    pytest.importorskip("safetensors")
    tokenizers = pytest.importorskip("tokenizers")
    checkpoints.write(tmp_path, CONFIGS["llama"], parts=2)
    words = {f"w{i}": i for i in range(40)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    example = ROOT / "examples" / "generate.py"
    wanted = EXPECTED["llama"]["greedy"][0]
    numbers = run_python(example, "--model", tmp_path, "--ids", ",".join(map(str, PROMPT[0])), "--max-new-tokens", 20).stdout
    assert numbers.strip() == ",".join(map(str, wanted))
    prompt = " ".join(f"w{i}" for i in PROMPT[0])
    text = run_python(example, "--model", tmp_path, "--prompt", prompt, "--max-new-tokens", 20, "--no-cache").stdout
    assert text.split() == [f"w{i}" for i in wanted]
    assert load_tokenizer(tmp_path).encode(prompt).ids == PROMPT[0]
    failed = run_python(example, "--model", tmp_path / "nowhere", check=False)
    assert failed.returncode == 1 and "config.json" in failed.stderr and "Traceback" not in failed.stderr


def test_tokenizers_of_two_files(tmp_path):
    pytest.importorskip("tokenizers")
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer.json nor vocab.json and merges.txt"):
        load_tokenizer(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    assert load_tokenizer(tmp_path).encode("abb").ids == [2, 1]
