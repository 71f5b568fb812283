"""`torch.nn.attention`: the choice of a backend, and masks by rule."""

import importlib
import pickle

import pytest

import flambeau
from harness import parity


def attention_of(torch):
    return importlib.import_module(f"{torch.__name__}.nn.attention")


def bias_of(torch):
    return importlib.import_module(f"{torch.__name__}.nn.attention.bias")


@parity
def test_backends(torch):
    A = attention_of(torch)
    backend = A.SDPBackend
    names = [(repr(b), str(b), int(b), b.name, b.value) for b in backend.__members__.values()]
    before = A._cur_sdpa_kernel_backends(True)
    with A.sdpa_kernel([backend.MATH, backend.FLASH_ATTENTION], set_priority=True):
        inside = A._cur_sdpa_kernel_backends(True), A._cur_sdpa_kernel_backends()
        switches = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()

    @A.sdpa_kernel(backend.MATH)
    def decorated():
        return A._cur_sdpa_kernel_backends()

    after = A._cur_sdpa_kernel_backends(True)
    return names, *(repr(found) for found in (before, inside, switches, decorated(), after))


def test_backends_can_be_pickled():
    backend = attention_of(flambeau).SDPBackend.MATH
    assert pickle.loads(pickle.dumps(backend)) is backend


@pytest.mark.parametrize("backend", ["MATH", "FLASH_ATTENTION", "EFFICIENT_ATTENTION", "ERROR"])
@pytest.mark.parametrize("call", ["plain", "mask", "dropout", "three dims"])
@parity
def test_what_a_backend_takes(torch, backend, call):
    A = attention_of(torch)
    q = torch.randn(1, 2, 4, 8)
    options = {"mask": {"attn_mask": torch.zeros(4, 4, requires_grad=True)}, "dropout": {"dropout_p": 0.5}}.get(call, {})
    q = q[0] if call == "three dims" else q
    with A.sdpa_kernel(getattr(A.SDPBackend, backend)):
        found = torch.nn.functional.scaled_dot_product_attention(q, q, q, **options)
    return found.shape if call == "dropout" else found.detach()


@pytest.mark.parametrize("backends", ["3", "{A.SDPBackend.MATH}"])
@parity
def test_wrong_backends(torch, backends):
    A = attention_of(torch)
    with A.sdpa_kernel(eval(backends)):
        pass


@parity
def test_implementations(torch):
    A = attention_of(torch)
    removed = []

    class Handle:
        def remove(self):
            removed.append(1)

    A.register_flash_attention_impl("mine", register_fn=Handle)
    A.activate_flash_attention_impl("mine")
    active = A.current_flash_attention_impl()
    A.restore_flash_attention_impl()
    listed = A.list_flash_attention_impls()
    A._registry._FLASH_ATTENTION_IMPLS.pop("mine") if hasattr(A, "_registry") else A._implementations.pop("mine")
    return active, A.current_flash_attention_impl(), listed, removed


@pytest.mark.parametrize("variant", ["causal_upper_left", "causal_lower_right"])
@pytest.mark.parametrize("size", [(3, 4), (3, 3)])
@parity
def test_causal_bias(torch, variant, size):
    B = bias_of(torch)
    mask = getattr(B, variant)(*size)
    q, k = torch.randn(1, 2, size[0], 8, requires_grad=True), torch.randn(1, 2, size[1], 8)
    found = torch.nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=mask)
    found.sum().backward()
    return repr(mask), mask._materialize(), int(mask.variant), type(mask).__name__, isinstance(mask, torch.Tensor), found.detach(), q.grad


@pytest.mark.parametrize("call", ["B.causal_upper_left(3)", "B.causal_lower_right(2, 3, 4)", "B.CausalBias(1, 2, 4)",
    "F.scaled_dot_product_attention(q, q, q, attn_mask=B.causal_lower_right(3, 4), is_causal=True)",
    "F.scaled_dot_product_attention(q, q, q, attn_mask=B.causal_lower_right(2, 9))"])  # fmt: skip
@parity
def test_wrong_masks(torch, call):
    B, F, q = bias_of(torch), torch.nn.functional, torch.ones(1, 1, 3, 8)
    eval(call, {"B": B, "F": F, "q": q})


@parity(warns=True)
def test_too_many_queries(torch):
    return repr(bias_of(torch).causal_lower_right(2, 1))
