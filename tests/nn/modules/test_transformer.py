"""Transformers."""

import textwrap

import pytest

from harness import Row, parity, randint, randn, rows, run_python
from nn.layers import run_layer

CASES = [
    ("nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerEncoderLayer(8, 2, 16, 0.0, 'gelu', norm_first=True, batch_first=True)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
    ("nn.TransformerDecoderLayer(8, 2, 16, 0.2, norm_first=True, bias=False)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
    ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, enable_nested_tensor=False)", "[torch.randn(5, 2, 8)]"),
    (
        "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2, norm=nn.LayerNorm(8))",
        "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]",
    ),
    ("nn.Transformer(8, 2, 1, 1, 16, 0.0)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.Transformer.generate_square_subsequent_mask(4)"),
    Row("nn.TransformerEncoderLayer(8, 2, 16, activation='no')"),
    Row("nn.Transformer(8, 2, 1, 1, 16)(torch.ones(5, 2, 8), torch.ones(4, 3, 8))"),
    Row("nn.Transformer(8, 2, 1, 1, 16)(torch.ones(5, 2, 7), torch.ones(4, 2, 8))"),
    Row("m = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 1).eval(); x = torch.randn(2, 5, 8); "
        "m(x, mask=nn.Transformer.generate_square_subsequent_mask(5), is_causal=True).detach(), "
        "m(x, src_key_padding_mask=torch.tensor([[False] * 5, [False] * 4 + [True]])).detach()[0]", name="masks", warns=False),
)  # fmt: skip


def masks_of(torch, form, rows, columns):
    """A mask of one form for a batch of 2 and 2 heads; no row forbids everything."""
    forbidden = torch.arange(rows * columns).view(rows, columns) * 7 % 5 < 2
    forbidden[:, 0] = False
    float_mask = torch.zeros(rows, columns).masked_fill(forbidden, float("-inf"))
    causal = torch.triu(torch.ones(rows, columns, dtype=torch.bool), 1)
    forms = {"none": None, "bool": forbidden, "float": float_mask, "added": torch.linspace(-1, 1, rows * columns).view(rows, columns)}
    forms |= {"causal": causal, "3-D bool": torch.stack([forbidden] * 4), "3-D float": torch.stack([float_mask] * 4)}
    return forms[form]


def padding_of(torch, form, columns):
    padding = torch.zeros(2, columns, dtype=torch.bool)
    padding[0, -2:] = True
    holes = padding.flip(1)
    return {"none": None, "bool": padding, "float": torch.zeros(2, columns).masked_fill(padding, float("-inf")), "holes": holes}[form]


def attempt(torch, module, training, *inputs, **options):
    """The output, in training or for inference, or the error."""
    module.train(training)
    torch.manual_seed(4)
    try:
        with torch.set_grad_enabled(training):
            result = module(*inputs, **options)
        return [each if each is None else each.detach()[..., :3] for each in (result if isinstance(result, tuple) else (result,))]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("mask", ["none", "bool", "float", "added", "causal", "3-D bool", "3-D float"])
@parity
def test_masks(torch, mask, batch_first, norm_first):
    nn = torch.nn
    options = {"batch_first": batch_first, "norm_first": norm_first}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.2, **options), 2)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12, 0.2, **options), 1, nn.LayerNorm(8))
    attention = nn.MultiheadAttention(8, 2, 0.2, batch_first=batch_first)
    x, memory = (torch.randn((2, n, 8) if batch_first else (n, 2, 8)) for n in (4, 5))
    found = []
    for training in (True, False):
        for padding in ("none", "bool", "float", "holes"):
            for causal in (False, True):
                given = masks_of(torch, mask, 4, 4), padding_of(torch, padding, 4)
                if not training and batch_first and (mask == "added" or mask == "causal" and padding == "holes"):
                    continue  # PyTorch's kernel for inference gives NaN for masks that are added and for rows that forbid everything
                options = {"mask": given[0], "src_key_padding_mask": given[1], "is_causal": causal}
                found.append(attempt(torch, encoder, training, x, **options))
                options = {"tgt_mask": given[0], "tgt_key_padding_mask": given[1], "tgt_is_causal": causal}
                options |= {"memory_mask": None if mask == "causal" else masks_of(torch, mask, 4, 5)}
                options |= {"memory_key_padding_mask": padding_of(torch, padding, 5)}
                found.append(attempt(torch, decoder, training, x, memory, **options))
                options = {"attn_mask": given[0], "key_padding_mask": given[1], "is_causal": causal}
                found.append(attempt(torch, attention, training, x, x, x, **options))
                found.append(attempt(torch, attention, training, x, x, x, average_attn_weights=False, **options))
                found.append(attempt(torch, attention, training, x, x, x, need_weights=False, **options))
    return found


@pytest.mark.parametrize("check", [False, True])
@parity
def test_padding_at_inference(torch, check):
    """Where PyTorch makes nested tensors, the output has zeros at the padding."""
    nn, found = torch.nn, []
    for heads, nested in ((2, True), (2, False), (1, True)):
        layer = nn.TransformerEncoderLayer(8, heads, 12, 0.2, batch_first=True)
        encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8), enable_nested_tensor=nested, mask_check=check)
        for padding in ("bool", "float", "holes"):
            x = torch.randn(2, 4, 8)
            for causal in (None, False, True):
                found.append(attempt(torch, encoder, False, x, src_key_padding_mask=padding_of(torch, padding, 4), is_causal=causal))
            found.append(encoder.eval()(x, src_key_padding_mask=padding_of(torch, padding, 4)))
    return found


test_warnings = rows(
    Row("repr(nn.TransformerEncoder(nn.Linear(2, 2), 2))", name="another layer", warns=True),
    Row("repr(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2))", name="batch_first", warns=True),
    Row("repr(nn.TransformerEncoder(nn.TransformerEncoderLayer(9, 3, batch_first=True), 1))", name="odd heads", warns=True),
    Row("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True, norm_first=True), 1).norm", name="norm", warns=True),
    Row("repr(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True, activation=F.silu), 1))", name="silu", warns=True),
    Row("repr(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True, bias=False), 1))", name="no bias", warns=True),
)  # fmt: skip
test_errors = rows(
    Row("nn.MultiheadAttention(8, 2)(x, x, x, key_padding_mask=torch.ones(4, 2, dtype=torch.bool))", x=randn(4, 2, 8)),
    Row("nn.MultiheadAttention(8, 2)(x, x, x, key_padding_mask=torch.ones(2, 3, dtype=torch.bool))", x=randn(4, 2, 8)),
    Row("nn.MultiheadAttention(8, 2)(x, y, y)", x=randn(4, 2, 8), y=randn(5, 3, 8)),
    Row("nn.MultiheadAttention(8, 2, kdim=4)(x, x, x)", x=randn(4, 2, 8)),
    Row("nn.MultiheadAttention(8, 2, vdim=4)(x, x, x)", x=randn(4, 2, 8)),
    Row("F.scaled_dot_product_attention(x, x, x[:, :2])", x=randn(2, 3, 4)),
    Row("F.scaled_dot_product_attention(x, x[..., :3], x)", x=randn(2, 3, 4)),
    Row("F.scaled_dot_product_attention(x, x, x, attn_mask=torch.ones(3, 4))", x=randn(2, 3, 4)),
    Row("F.scaled_dot_product_attention(x, x, x, dropout_p=1.5)", x=randn(2, 3, 4)),
    Row("F.scaled_dot_product_attention(x, x, x)", x=randint(0, 3, (2, 3, 4)), name="whole numbers"),
    Row("F.scaled_dot_product_attention(x, x[:, :3], x[:, :3], enable_gqa=True)", x=randn(2, 4, 3, 8)),
)  # fmt: skip


def test_what_is_said_once():
    """Of nested tensors and of projections PyTorch warns once in a process."""
    source = """
        import warnings, flambeau as torch
        nn = torch.nn
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 1).eval()
        padding = torch.tensor([[False] * 3, [False, True, True]])
        with warnings.catch_warnings(record=True) as said, torch.no_grad():
            warnings.simplefilter("always")
            for _ in range(2):
                encoder(torch.ones(2, 3, 8), src_key_padding_mask=padding)
                nn.LSTM(3, 4, proj_size=2)(torch.ones(2, 1, 3))
        print([(w.category.__name__, str(w.message)[:52]) for w in said])
    """
    assert run_python("-c", textwrap.dedent(source)).stdout.strip() == str([
        ("UserWarning", "The PyTorch API of nested tensors is in prototype st"),
        ("UserWarning", "LSTM with projections is not supported with oneDNN. "),
    ])  # fmt: skip


def test_relu_behind_a_large_product(monkeypatch):
    """The feed-forward network computes ReLU with the product; results and gradients are those of the two steps, bit for bit."""
    import flambeau as torch
    from flambeau.nn.modules import _hooks, transformer

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 48, dropout=0.0, batch_first=True)
    input = torch.randn(16, 70, 32)

    def run(hooks):
        monkeypatch.setattr(_hooks, "in_use", hooks)  # with a hook somewhere, every module is called
        layer.zero_grad()
        x = input.clone().requires_grad_()
        hidden = transformer._hidden(layer, x)
        result = layer(x)
        result.square().sum().backward()
        return hidden.grad_fn, [result, x.grad, *(p.grad for p in layer.parameters())]

    (two_steps, expected), (one_step, found) = run(True), run(False)
    assert [node.name() for node in (two_steps, one_step)] == ["ReluBackward0"] * 2
    assert len(two_steps.next_functions) == 1 and len(one_step.next_functions) == 3
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    with torch.no_grad():
        assert torch.equal(layer(input), expected[0])
