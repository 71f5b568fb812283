"""Where flambeau is slower than PyTorch: the time of some 300 operators and modules, forward and backward, as ratios.

    python benchmarks/operators.py                     at a million elements
    python benchmarks/operators.py --size 1000         what a call costs when there is little to compute
    python benchmarks/operators.py --only 'pool|conv'  the rows whose names match
    python benchmarks/operators.py --above 1.2         the rows above a ratio

Each side runs in a process of its own on one thread. Times are processor time of that thread, the smallest of several rounds; rows are
sorted by ratio, the slowest beside PyTorch first. Without PyTorch, flambeau's times alone are shown.
"""

import argparse
import importlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import time
from typing import Any, Callable, Iterator

Row = tuple[str, Callable[..., Any], tuple[Any, ...]]
"""A name, a function, and its arguments; the gradients of those that are floating-point tensors are timed, too."""


class Inputs:
    """Random tensors of about the wanted number of elements, the same for both sides."""

    def __init__(self, torch: Any, size: int) -> None:
        self.torch, self.size = torch, size
        self.side = max(4, math.isqrt(size) // 2 * 2)
        large = size >= 100_000
        self.batch, self.channels = (8, 32) if large else (1, 4)
        self.edge = max(4, math.isqrt(size // (self.batch * self.channels)))

    def matrix(self) -> Any:
        return self.torch.randn(self.side, self.side)

    def positive(self) -> Any:
        return self.torch.rand(self.side, self.side) * 0.9 + 0.05

    def integers(self, high: int) -> Any:
        return self.torch.randint(0, high, (self.side, self.side))

    def mask(self) -> Any:
        return self.torch.rand(self.side, self.side) > 0.5

    def image(self) -> Any:
        return self.torch.randn(self.batch, self.channels, self.edge, self.edge)

    def volume(self) -> Any:
        depth = max(4, round((self.size // (self.batch * self.channels)) ** (1 / 3)))
        return self.torch.randn(self.batch, self.channels, depth, depth, depth)

    def signal(self) -> Any:
        return self.torch.randn(self.batch, self.channels, self.edge * self.edge)


def elementwise(torch: Any, make: Inputs) -> Iterator[Row]:
    """Arithmetic, functions, comparisons, casts."""
    x, y, p = make.matrix(), make.matrix(), make.positive()
    for name in "add sub mul div maximum minimum fmax atan2 hypot logaddexp copysign fmod remainder".split():
        yield name, getattr(torch, name), (x, y)
    for name in "abs neg sign exp exp2 expm1 sin cos tan atan sinh cosh asinh tanh erf erfc floor ceil round trunc frac square".split():
        yield name, getattr(torch, name), (x,)
    for name in "log log2 log10 log1p sqrt rsqrt reciprocal asin acos atanh logit erfinv lgamma digamma sigmoid".split():
        yield name, getattr(torch, name), (p,)
    for name in "eq ne lt le gt ge".split():
        yield name, getattr(torch, name), (x, y)
    for name in "isnan isinf isfinite signbit logical_not".split():
        yield name, getattr(torch, name), (x,)
    yield "logical_and", torch.logical_and, (make.mask(), make.mask())
    yield "bitwise_and", torch.bitwise_and, (make.integers(1000), make.integers(1000))
    yield "add int64", torch.add, (make.integers(1000), make.integers(1000))
    yield "floor_divide int64", torch.floor_divide, (make.integers(1000), make.integers(1000) + 1)
    yield "add scalar", lambda x: x + 1.5, (x,)
    yield "mul row", torch.mul, (x, torch.randn(make.side))
    yield "mul column", torch.mul, (x, torch.randn(make.side, 1))
    yield "add transposed", lambda x, y: x + y.t(), (x, y)
    yield (
        "add in place",
        lambda x, y: x.add_(y),
        (torch.zeros(make.side, make.side), y.detach()),
    )
    yield "pow 2", lambda x: x**2, (x,)
    yield "pow 3", lambda x: x**3, (x,)
    yield "pow 2.5", lambda p: p**2.5, (p,)
    yield "pow tensor", torch.pow, (p, x)
    yield "clamp", lambda x: x.clamp(-1, 1), (x,)
    yield "clamp min", lambda x: x.clamp(min=0), (x,)
    yield "clamp tensor", lambda x, y: torch.clamp(x, min=y), (x, y)
    yield "lerp", lambda x, y: torch.lerp(x, y, 0.3), (x, y)
    yield "addcmul", lambda x, y, p: torch.addcmul(x, y, p), (x, y, p)
    yield "addcdiv", lambda x, y, p: torch.addcdiv(x, y, p), (x, y, p)
    yield "where", torch.where, (make.mask(), x, y)
    yield "where scalar", lambda m, x: torch.where(m, x, 0.0), (make.mask(), x)
    yield "masked_fill", lambda x, m: x.masked_fill(m, -1.0), (x, make.mask())
    yield "nan_to_num", torch.nan_to_num, (x,)
    yield "polar", torch.polar, (p, x)
    yield (
        "complex mul",
        torch.mul,
        (torch.randn(make.side, make.side, dtype=torch.complex64), torch.randn(make.side, make.side, dtype=torch.complex64)),
    )
    yield "complex abs", torch.abs, (torch.randn(make.side, make.side, dtype=torch.complex64),)
    for source in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
        values = (make.positive() * 100).to(source)
        for target in (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
            if source != target and (source == torch.float32 or target == torch.float32):
                yield f"{source}".split(".")[1] + f" to {target}".replace("torch.", ""), lambda v, t=target: v.to(t), (values,)
    for dtype in (torch.bfloat16, torch.float16):
        low = x.to(dtype)
        name = str(dtype).split(".")[1]
        yield f"add {name}", torch.add, (low, low)
        yield f"exp {name}", torch.exp, (low,)
        yield f"sum {name}", torch.sum, (low,)


def activations(torch: Any, make: Inputs) -> Iterator[Row]:
    """Activations and softmax."""
    functional = torch.nn.functional
    x = make.matrix()
    names = "relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign hardtanh hardswish hardsigmoid logsigmoid tanhshrink"
    for name in (names + " softshrink hardshrink glu").split():
        yield name, getattr(functional, name), (x,)
    yield "gelu tanh", lambda x: functional.gelu(x, approximate="tanh"), (x,)
    yield "glu dim 0", lambda x: functional.glu(x[: x.shape[0] // 2 * 2], 0), (x,)
    yield "prelu", functional.prelu, (make.image(), torch.rand(make.channels))
    yield "rrelu eval", functional.rrelu, (x,)
    yield "threshold", lambda x: functional.threshold(x, 0.1, 2.0), (x,)
    yield "softmax", lambda x: functional.softmax(x, -1), (x,)
    yield "softmax dim 0", lambda x: functional.softmax(x, 0), (x,)
    yield "softmax dim 1 image", lambda x: functional.softmax(x, 1), (make.image(),)
    yield "log_softmax", lambda x: functional.log_softmax(x, -1), (x,)
    yield "log_softmax dim 0", lambda x: functional.log_softmax(x, 0), (x,)
    yield "dropout", functional.dropout, (x,)
    yield "dropout2d", functional.dropout2d, (make.image(),)
    yield "gumbel_softmax", functional.gumbel_softmax, (x,)
    yield "normalize", functional.normalize, (x,)


def losses(torch: Any, make: Inputs) -> Iterator[Row]:
    """Losses."""
    functional = torch.nn.functional
    x, y, p, q = make.matrix(), make.matrix(), make.positive(), make.positive()
    target = torch.randint(0, make.side, (make.side,))
    signs = make.mask().float() * 2 - 1
    for name in "mse_loss l1_loss smooth_l1_loss huber_loss".split():
        yield name, getattr(functional, name), (x, y)
    yield "mse_loss none", lambda x, y: functional.mse_loss(x, y, reduction="none"), (x, y)
    yield "cross_entropy", functional.cross_entropy, (x, target)
    yield "cross_entropy smoothed", lambda x, t: functional.cross_entropy(x, t, label_smoothing=0.1), (x, target)
    yield "cross_entropy probabilities", functional.cross_entropy, (x, p.softmax(1))
    pixels = torch.randint(0, make.channels, (make.batch, make.edge, make.edge))
    yield "cross_entropy image", functional.cross_entropy, (make.image(), pixels)
    class_weights = torch.rand(make.side)
    yield "cross_entropy weight", lambda x, t: functional.cross_entropy(x, t, class_weights), (x, target)
    yield "nll_loss", functional.nll_loss, (x, target)
    yield "nll_loss image", functional.nll_loss, (make.image(), pixels)
    yield "binary_cross_entropy", functional.binary_cross_entropy, (p, q)
    yield "bce_with_logits", functional.binary_cross_entropy_with_logits, (x, q)
    bce = functional.binary_cross_entropy_with_logits
    yield "bce_with_logits pos_weight", lambda x, q: bce(x, q, pos_weight=p), (x, q)
    yield "kl_div", lambda x, q: functional.kl_div(x, q, reduction="batchmean"), (x, q)
    yield "poisson_nll_loss", functional.poisson_nll_loss, (x, q)
    yield "gaussian_nll_loss", functional.gaussian_nll_loss, (x, y, p)
    yield "soft_margin_loss", lambda x: functional.soft_margin_loss(x, signs), (x,)
    yield "hinge_embedding_loss", functional.hinge_embedding_loss, (x, signs)
    yield "multilabel_soft_margin_loss", functional.multilabel_soft_margin_loss, (x, q)
    yield "multi_margin_loss", functional.multi_margin_loss, (x, target)
    yield "margin_ranking_loss", functional.margin_ranking_loss, (x, y, signs)
    yield "cosine_embedding_loss", functional.cosine_embedding_loss, (x, y, signs[0])
    yield "triplet_margin_loss", functional.triplet_margin_loss, (x, y, p)
    yield "cosine_similarity", functional.cosine_similarity, (x, y)
    yield "pairwise_distance", functional.pairwise_distance, (x, y)
    yield "cdist", torch.cdist, (x[: make.side // 4], y[: make.side // 4])
    steps, classes = 50, 20
    logits = torch.randn(steps, 16, classes).log_softmax(-1)
    lengths = torch.full((16,), steps), torch.full((16,), 20)
    yield "ctc_loss", lambda x, t: functional.ctc_loss(x, t, *lengths), (logits, torch.randint(1, classes, (16, 20)))


def reductions(torch: Any, make: Inputs) -> Iterator[Row]:
    """Reductions along each axis, running ones, ordering."""
    x, image = make.matrix(), make.image()
    for name in "sum mean prod amax amin std var logsumexp norm all any argmax argmin max min median count_nonzero nansum".split():
        function = getattr(torch, name)
        if name not in ("logsumexp", "all", "any"):
            yield name, function, (x,)
        for dim in (0, 1):
            yield f"{name} dim {dim}", lambda x, f=function, d=dim: f(x, dim=d), (x,)
    yield "all bool", torch.all, (make.mask(),)
    yield "any bool", torch.any, (make.mask(),)
    yield "sum bool", torch.sum, (make.mask(),)
    yield "sum int64", torch.sum, (make.integers(1000),)
    yield "sum dims 0 2 3", lambda x: x.sum((0, 2, 3)), (image,)
    yield "mean dims 2 3", lambda x: x.mean((2, 3)), (image,)
    yield "var dims 0 2 3", lambda x: x.var((0, 2, 3)), (image,)
    yield "sum dim 1 image", lambda x: x.sum(1), (image,)
    yield "sum transposed", lambda x: x.t().sum(0), (x,)
    yield "norm 1", lambda x: torch.linalg.vector_norm(x, 1), (x,)
    yield "norm inf", lambda x: torch.linalg.vector_norm(x, float("inf")), (x,)
    yield "norm rows", lambda x: torch.linalg.vector_norm(x, dim=-1), (x,)
    yield "aminmax", torch.aminmax, (x,)
    yield "var_mean", torch.var_mean, (x,)
    for function in (torch.cumsum, torch.cumprod, torch.logcumsumexp, torch.cummax):
        for dim in (0, 1):
            yield f"{function.__name__} dim {dim}", lambda x, f=function, d=dim: f(x, d), (x,)
    yield "diff", torch.diff, (x,)
    yield "sort", torch.sort, (x,)
    yield "sort dim 0", lambda x: torch.sort(x, 0), (x,)
    yield "sort flat", lambda x: torch.sort(x.flatten()), (x,)
    yield "sort int64", torch.sort, (make.integers(1000),)
    yield "argsort", torch.argsort, (x,)
    yield "topk 10", lambda x: torch.topk(x, min(10, x.shape[1])), (x,)
    yield "topk 1 flat", lambda x: torch.topk(x.flatten(), 1), (x,)
    yield "kthvalue", lambda x: torch.kthvalue(x, 3), (x,)
    yield "unique", torch.unique, (make.integers(1000),)
    yield "unique inverse", lambda x: torch.unique(x, return_inverse=True), (make.integers(1000),)
    yield "unique_consecutive", torch.unique_consecutive, (make.integers(3).flatten(),)
    yield "bincount", torch.bincount, (make.integers(1000).flatten(),)
    yield "histc", torch.histc, (x,)
    yield "quantile", lambda x: torch.quantile(x, 0.3, dim=1), (x,)
    yield "searchsorted", torch.searchsorted, (torch.arange(0, 1, 0.001), make.positive())
    yield "bucketize", torch.bucketize, (make.positive(), torch.arange(0, 1, 0.01))
    yield "nonzero", torch.nonzero, (make.mask(),)
    yield "isin", torch.isin, (make.integers(1000), torch.arange(50))
    yield "equal", torch.equal, (x.detach(), x.clone())
    yield "isclose", torch.isclose, (x.detach(), x.clone())


def places(torch: Any, make: Inputs) -> Iterator[Row]:
    """Indexing, joining and moving."""
    x, y, image = make.matrix(), make.matrix(), make.image()
    side = make.side
    columns, chosen = torch.randint(0, side, (side, side)), torch.randint(0, side, (side,))
    for dim in (0, 1):
        yield f"gather dim {dim}", lambda x, i, d=dim: x.gather(d, i), (x, columns)
        yield f"scatter dim {dim}", lambda x, i, y, d=dim: x.scatter(d, i, y), (x, columns, y.detach())
        yield f"scatter_add dim {dim}", lambda x, i, y, d=dim: x.scatter_add(d, i, y), (x, columns, y)
        yield f"scatter_reduce amax dim {dim}", lambda x, i, y, d=dim: x.scatter_reduce(d, i, y, "amax"), (x.detach(), columns, y.detach())
        yield f"index_select dim {dim}", lambda x, i, d=dim: x.index_select(d, i), (x, chosen)
        yield f"index_add dim {dim}", lambda x, i, y, d=dim: x.index_add(d, i, y), (x, chosen, y)
        yield f"index_copy dim {dim}", lambda x, i, y, d=dim: x.index_copy(d, i, y), (x, torch.randperm(side), y)
        yield f"cat dim {dim}", lambda x, y, d=dim: torch.cat([x, y], d), (x, y)
        yield f"stack dim {dim}", lambda x, y, d=dim: torch.stack([x, y], d), (x, y)
        yield f"flip dim {dim}", lambda x, d=dim: x.flip(d), (x,)
        yield f"roll dim {dim}", lambda x, d=dim: x.roll(3, d), (x,)
        yield f"repeat_interleave dim {dim}", lambda x, d=dim: x.repeat_interleave(2, d), (x,)
        yield f"take_along_dim {dim}", lambda x, i, d=dim: torch.take_along_dim(x, i, d), (x, columns)
        yield f"index rows, dim {dim}", (lambda x, i: x[i]) if dim == 0 else (lambda x, i: x[:, i]), (x, chosen)
        yield f"chunk dim {dim}", lambda x, d=dim: torch.cat([c * 2 for c in x.chunk(4, d)], d), (x,)
    yield "index pairs", lambda x, i, j: x[i, j], (x, columns, columns.t().contiguous())
    yield "index mask", lambda x, m: x[m], (x, make.mask())
    yield "index_put mask", lambda x, m: x.index_put((m,), torch.tensor(0.0)), (x.detach(), make.mask())
    yield "index_put accumulate", lambda x, i, y: x.index_put((i,), y, accumulate=True), (x, chosen, y)
    yield "masked_select", torch.masked_select, (x, make.mask())
    yield "masked_scatter", torch.masked_scatter, (x, make.mask(), y)
    yield "take", lambda x, i: x.take(i), (x, columns)
    yield "one_hot", lambda i: torch.nn.functional.one_hot(i, side), (chosen,)
    yield "slice step", lambda x: x[:, ::2].contiguous(), (x,)
    yield "assign slice", lambda x, y: x.clone()[:, 1:].copy_(y[:, 1:]), (x.detach(), y.detach())
    yield "contiguous transposed", lambda x: x.t().contiguous(), (x,)
    yield "permute image", lambda x: x.permute(0, 2, 3, 1).contiguous(), (image,)
    yield "channels_last", lambda x: x.contiguous(memory_format=torch.channels_last), (image,)
    yield "clone", torch.clone, (x,)
    yield "repeat", lambda x: x.repeat(2, 2), (x,)
    yield "tile", lambda x: x.tile(3), (x,)
    yield "expand", lambda x: x[0].expand(side, side).contiguous(), (x,)
    yield "tril", torch.tril, (x,)
    yield "triu", torch.triu, (x,)
    yield "diag", torch.diag, (x,)
    yield "diagonal", lambda x: x.diagonal().contiguous(), (x,)
    yield "diag_embed", torch.diag_embed, (x[:, : max(1, side // 32)].contiguous(),)
    yield "meshgrid", lambda a: torch.cat([t.flatten() for t in torch.meshgrid(a, a, indexing="ij")]), (torch.randn(side),)
    pad = torch.nn.functional.pad
    yield "pad constant", lambda x: pad(x, (1, 1, 1, 1)), (image,)
    yield "pad reflect", lambda x: pad(x, (1, 1, 1, 1), mode="reflect"), (image,)
    yield "pad replicate", lambda x: pad(x, (1, 1, 1, 1), mode="replicate"), (image,)
    yield "pad circular", lambda x: pad(x, (1, 1, 1, 1), mode="circular"), (image,)
    yield "unfold", lambda x: torch.nn.functional.unfold(x, 3, padding=1), (image[: max(1, make.batch // 4)],)
    columns = torch.nn.functional.unfold(image[: max(1, make.batch // 4)], 3, padding=1)
    yield "fold", lambda c: torch.nn.functional.fold(c, (make.edge, make.edge), 3, padding=1), (columns,)
    yield "pixel_shuffle", lambda x: torch.nn.functional.pixel_shuffle(x, 2), (image,)
    even = image[:, :, : make.edge // 2 * 2, : make.edge // 2 * 2].contiguous()
    yield "pixel_unshuffle", lambda x: torch.nn.functional.pixel_unshuffle(x, 2), (even,)
    yield "tensor unfold", lambda x: x.unfold(1, 4, 2).contiguous(), (x,)


def products(torch: Any, make: Inputs) -> Iterator[Row]:
    """Matrix products and linear algebra."""
    side = max(8, make.side // 4)
    a, b, v = torch.randn(side, side), torch.randn(side, side), torch.randn(side)
    batches = torch.randn(max(1, side // 4), 32, 32)
    yield "matmul", torch.matmul, (a, b)
    yield "matmul float64", torch.matmul, (a.double(), b.double())
    yield "matmul bfloat16", torch.matmul, (a.bfloat16(), b.bfloat16())
    yield "matmul transposed", lambda a, b: a.t() @ b.t(), (a, b)
    yield "mv", torch.mv, (a, v)
    yield "vector matmul", lambda v, a: v @ a, (v, a)
    yield "dot", torch.dot, (make.matrix().flatten(), make.matrix().flatten())
    yield "outer", torch.outer, (torch.randn(make.side), torch.randn(make.side))
    yield "bmm", torch.bmm, (batches, batches.clone())
    yield "baddbmm", torch.baddbmm, (batches, batches.clone(), batches.clone())
    yield "addmm", torch.addmm, (v, a, b)
    yield "addmv", torch.addmv, (v, a, v.clone())
    yield "linear", torch.nn.functional.linear, (a, b, v)
    yield "bilinear", torch.nn.functional.bilinear, (torch.randn(64, 32), torch.randn(64, 32), torch.randn(16, 32, 32))
    yield "einsum bij,bjk->bik", lambda x, y: torch.einsum("bij,bjk->bik", x, y), (batches, batches.clone())
    heads = torch.randn(4, max(4, side // 4), 4, 16)
    yield "einsum bqhd,bkhd->bhqk", lambda x, y: torch.einsum("bqhd,bkhd->bhqk", x, y), (heads, heads.clone())
    yield "einsum ij->i", lambda x: torch.einsum("ij->i", x), (make.matrix(),)
    yield "einsum ii", lambda x: torch.einsum("ii", x), (make.matrix(),)
    yield "tensordot", lambda x, y: torch.tensordot(x, y, dims=([1, 2], [1, 2])), (batches, batches.clone())
    yield "kron", torch.kron, (torch.randn(side // 4, side // 4), torch.randn(4, 4))
    yield "trace", torch.trace, (make.matrix(),)
    yield "cross", torch.linalg.cross, (torch.randn(make.size // 3 + 1, 3), torch.randn(make.size // 3 + 1, 3))
    spd = a @ a.t() / side + torch.eye(side)
    small = batches @ batches.mT / 32 + torch.eye(32)
    linalg = torch.linalg
    for name, m in (("", spd), (" batch", small)):
        yield f"solve{name}", linalg.solve, (m, m.clone())
        yield f"inv{name}", linalg.inv, (m,)
        yield f"det{name}", linalg.det, (m / 2,)
        yield f"slogdet{name}", lambda m: linalg.slogdet(m)[1], (m,)
        yield f"cholesky{name}", linalg.cholesky, (m,)
        yield f"qr{name}", linalg.qr, (m,)
        yield f"eigh{name}", linalg.eigh, (m,)
        yield f"svd{name}", linalg.svdvals, (m,)
        yield f"solve_triangular{name}", lambda m, b: linalg.solve_triangular(m, b, upper=False), (linalg.cholesky(m), m.clone())
        yield f"matrix_exp{name}", torch.matrix_exp, (m / 10,)
    yield "matrix_power", lambda a: linalg.matrix_power(a, 5), (a / side,)
    yield "lstsq", lambda a, b: linalg.lstsq(a, b).solution, (spd.detach(), b.detach())


def images(torch: Any, make: Inputs) -> Iterator[Row]:
    """Convolution, pooling, resampling, normalisation."""
    f = torch.nn.functional
    image, signal, volume = make.image(), make.signal(), make.volume()
    c = make.channels
    weight = torch.randn(c, c, 3, 3)
    yield "conv1d", lambda x, w: f.conv1d(x, w, padding=1), (signal, torch.randn(c, c, 3))
    yield "conv1d dilated", lambda x, w: f.conv1d(x, w, padding=4, dilation=4), (signal, torch.randn(c, c, 3))
    yield "conv2d", lambda x, w: f.conv2d(x, w, padding=1), (image, weight)
    yield "conv2d bias", lambda x, w, b: f.conv2d(x, w, b, padding=1), (image, weight, torch.randn(c))
    yield "conv2d stride 2", lambda x, w: f.conv2d(x, w, padding=1, stride=2), (image, weight)
    yield "conv2d 1x1", f.conv2d, (image, torch.randn(c, c, 1, 1))
    yield "conv2d 7x7 stride 2", lambda x, w: f.conv2d(x, w, padding=3, stride=2), (image[:, :3].contiguous(), torch.randn(c, 3, 7, 7))
    yield "conv2d grouped", lambda x, w: f.conv2d(x, w, padding=1, groups=4), (image, torch.randn(c, c // 4, 3, 3))
    yield "conv2d depthwise", lambda x, w: f.conv2d(x, w, padding=1, groups=c), (image, torch.randn(c, 1, 3, 3))
    yield "conv2d depthwise 5x5 stride 2", lambda x, w: f.conv2d(x, w, padding=2, stride=2, groups=c), (image, torch.randn(c, 1, 5, 5))
    yield "conv2d dilated", lambda x, w: f.conv2d(x, w, padding=2, dilation=2), (image, weight)
    yield "conv3d", lambda x, w: f.conv3d(x, w, padding=1), (volume, torch.randn(c, c, 3, 3, 3))
    yield "conv_transpose1d", lambda x, w: f.conv_transpose1d(x, w, stride=2), (signal, torch.randn(c, c, 4))
    yield "conv_transpose2d", lambda x, w: f.conv_transpose2d(x, w, stride=2, padding=1), (image, torch.randn(c, c, 4, 4))
    yield "conv_transpose2d stride 1", lambda x, w: f.conv_transpose2d(x, w, padding=1), (image, weight)
    yield "conv_transpose3d", lambda x, w: f.conv_transpose3d(x, w, stride=2), (volume[:, :4].contiguous(), torch.randn(4, 4, 2, 2, 2))
    yield "max_pool1d", lambda x: f.max_pool1d(x, 2), (signal,)
    yield "max_pool2d", lambda x: f.max_pool2d(x, 2), (image,)
    yield "max_pool2d overlapping", lambda x: f.max_pool2d(x, 3, 2, 1), (image,)
    yield "max_pool2d 3x3 stride 1", lambda x: f.max_pool2d(x, 3, 1, 1), (image,)
    yield "max_pool2d indices", lambda x: f.max_pool2d(x, 2, return_indices=True)[0], (image,)
    yield "max_pool3d", lambda x: f.max_pool3d(x, 2), (volume,)
    yield "avg_pool1d", lambda x: f.avg_pool1d(x, 2), (signal,)
    yield "avg_pool2d", lambda x: f.avg_pool2d(x, 2), (image,)
    yield "avg_pool2d overlapping", lambda x: f.avg_pool2d(x, 3, 2, 1), (image,)
    yield "avg_pool3d", lambda x: f.avg_pool3d(x, 2), (volume,)
    yield "lp_pool2d", lambda x: f.lp_pool2d(x, 2.0, 2), (image,)
    yield "adaptive_avg_pool2d 1", lambda x: f.adaptive_avg_pool2d(x, 1), (image,)
    yield "adaptive_avg_pool2d 7", lambda x: f.adaptive_avg_pool2d(x, 7), (image,)
    yield "adaptive_max_pool2d 7", lambda x: f.adaptive_max_pool2d(x, 7), (image,)
    half = image[:, :, : make.edge // 2, : make.edge // 2].contiguous()
    for mode in "nearest bilinear bicubic area".split():
        yield f"interpolate {mode}", lambda x, m=mode: f.interpolate(x, scale_factor=2, mode=m), (half,)
    yield "interpolate bilinear down", lambda x: f.interpolate(x, scale_factor=0.5, mode="bilinear"), (image,)
    yield "interpolate antialias", lambda x: f.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True), (image,)
    grid = torch.rand(make.batch, make.edge, make.edge, 2) * 2 - 1
    yield "grid_sample", lambda x, g: f.grid_sample(x, g, align_corners=False), (image, grid)
    theta = torch.randn(make.batch, 2, 3)
    yield "affine_grid", lambda t: f.affine_grid(t, image.shape, align_corners=False), (theta,)
    scale, shift = torch.rand(c), torch.rand(c)
    means, variances = torch.zeros(c), torch.ones(c)
    yield "batch_norm", lambda x, s, b: f.batch_norm(x, means, variances, s, b, training=True), (image, scale, shift)
    yield "batch_norm eval", lambda x, s, b: f.batch_norm(x, means, variances, s, b), (image, scale, shift)
    yield "group_norm", lambda x, s, b: f.group_norm(x, 4, s, b), (image, scale, shift)
    yield "instance_norm", f.instance_norm, (image,)
    yield "layer_norm", lambda x, s, b: f.layer_norm(x, x.shape[-1:], s, b), (make.matrix(), torch.rand(make.side), torch.rand(make.side))
    yield "layer_norm image", lambda x: f.layer_norm(x, x.shape[1:]), (image,)
    yield "rms_norm", lambda x, s: f.rms_norm(x, x.shape[-1:], s), (make.matrix(), torch.rand(make.side))
    yield "local_response_norm", lambda x: f.local_response_norm(x, 3), (image,)


def sequences(torch: Any, make: Inputs) -> Iterator[Row]:
    """Embeddings, attention, recurrent layers, spectra."""
    f = torch.nn.functional
    large = make.size >= 100_000
    words, width, tokens = (10_000, 128, 8192) if large else (100, 16, 64)
    table, index = torch.randn(words, width), torch.randint(0, words, (tokens,))
    yield "embedding", lambda t, i: f.embedding(i, t), (table, index)
    yield "embedding padding_idx", lambda t, i: f.embedding(i, t, padding_idx=0), (table, index)
    offsets = torch.arange(0, tokens, 8)
    for mode in "sum mean max".split():
        yield f"embedding_bag {mode}", lambda t, i, m=mode: f.embedding_bag(i, t, offsets, mode=m), (table, index)
    batch, steps, features = (16, 64, 128) if large else (2, 8, 16)
    x = torch.randn(steps, batch, features)
    for name in "RNN LSTM GRU".split():
        layer = getattr(torch.nn, name)(features, features)
        yield name, lambda x, m=layer: m(x)[0], (x,)
        cell = getattr(torch.nn, name + "Cell")(features, features)
        yield f"{name}Cell", (lambda x, m=cell: m(x)[0]) if name == "LSTM" else cell, (x[0],)
    layer = torch.nn.LSTM(features, features, num_layers=2, bidirectional=True, batch_first=True)
    yield "LSTM bidirectional", lambda x, m=layer: m(x)[0], (x,)
    q, k, v = (torch.randn(2, 4, steps * 4, 32) for _ in range(3))
    yield "attention", f.scaled_dot_product_attention, (q, k, v)
    yield "attention causal", lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v)
    mask = torch.rand(steps * 4, steps * 4) > 0.3
    yield "attention mask", lambda q, k, v: f.scaled_dot_product_attention(q, k, v, attn_mask=mask), (q, k, v)
    attention = torch.nn.MultiheadAttention(features, 4)
    yield "MultiheadAttention", lambda x: attention(x, x, x, need_weights=False)[0], (x,)
    yield "MultiheadAttention weights", lambda x: attention(x, x, x)[0], (x,)
    encoder = torch.nn.TransformerEncoderLayer(features, 4, 2 * features, dropout=0.0)
    yield "TransformerEncoderLayer", encoder, (x,)
    matrix = make.matrix()
    for name in "fft rfft fft2 rfft2".split():
        function = getattr(torch.fft, name)
        yield name, lambda x, g=function: torch.view_as_real(g(x)), (matrix,)
    yield "irfft", torch.fft.irfft, (torch.fft.rfft(matrix),)
    yield "fftshift", torch.fft.fftshift, (matrix,)
    wave = torch.randn(4, max(1024, make.size // 4))
    window = torch.hann_window(512)
    yield "stft", lambda x: torch.view_as_real(torch.stft(x, 512, 128, window=window, return_complex=True)), (wave,)


def creation(torch: Any, make: Inputs) -> Iterator[Row]:
    """Fills and random numbers."""
    n = make.side
    p = make.positive()
    for name in "zeros ones rand randn empty eye".split():
        function = getattr(torch, name)
        yield name, lambda g=function: g(n, n), ()
    yield "full", lambda: torch.full((n, n), 2.5), ()
    yield "arange", lambda: torch.arange(n * n), ()
    yield "arange float", lambda: torch.arange(0.0, 1.0, 1.0 / (n * n)), ()
    yield "linspace", lambda: torch.linspace(0, 1, n * n), ()
    yield "randint", lambda: torch.randint(0, 100, (n, n)), ()
    yield "randperm", lambda: torch.randperm(n * n), ()
    yield "rand float64", lambda: torch.rand(n, n, dtype=torch.float64), ()
    yield "randn float64", lambda: torch.randn(n, n, dtype=torch.float64), ()
    yield "normal", lambda: torch.normal(torch.zeros(n, n), 1.0), ()
    yield "bernoulli", torch.bernoulli, (p.detach(),)
    yield "multinomial", lambda p: torch.multinomial(p, 5, replacement=True), (p.detach(),)
    x = torch.empty(n, n)
    for name in "uniform_ normal_ exponential_ cauchy_ log_normal_ bernoulli_".split():
        yield name, getattr(x, name), ()
    yield "geometric_", lambda: x.geometric_(0.3), ()
    yield "poisson", torch.poisson, (p.detach(),)
    yield "zeros_like", torch.zeros_like, (p.detach(),)
    yield "fill_", lambda: x.fill_(1.0), ()
    yield "zero_", lambda: x.zero_(), ()
    yield "kaiming_uniform_", lambda: torch.nn.init.kaiming_uniform_(x), ()
    yield "trunc_normal_", lambda: torch.nn.init.trunc_normal_(x), ()


FAMILIES = (elementwise, activations, losses, reductions, places, products, images, sequences, creation)


def seconds(action: Callable[[], Any], rounds: int) -> float:
    """The processor time of one call: the smallest of several rounds of about 10 ms."""
    action()
    start = time.thread_time()
    action()
    once = time.thread_time() - start
    calls = max(1, min(2000, round(0.01 / max(once, 1e-6))))
    if calls > 20:  # flambeau compiles small operators when a program has called them a few hundred times
        for _ in range(300):
            action()
    best = math.inf
    for _ in range(rounds if once < 0.3 else 1):
        start = time.thread_time()
        for _ in range(calls):
            action()
        best = min(best, (time.thread_time() - start) / calls)
    return best


def first_tensor(torch: Any, result: Any) -> Any:
    results = result if isinstance(result, tuple) else (result,)
    return next((r for r in results if torch.is_tensor(r)), None)


def backward(result: Any, leaves: list[Any], grad: Any) -> Callable[[], Any]:
    """A function that computes the gradients of leaves."""

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        result.backward(grad, retain_graph=True)

    return run


def measure(package: str, size: int, only: str, rounds: int) -> None:
    """Prints the times of one package, a line of JSON for each row."""
    torch = importlib.import_module(package)
    torch.set_num_threads(1)
    for family in FAMILIES:
        torch.manual_seed(0)
        for name, function, values in family(torch, Inputs(torch, size)):
            if not re.search(only, name):
                continue
            try:
                with torch.no_grad():
                    report(name, seconds(lambda f=function, v=values: f(*v), rounds))
                leaves = [
                    v.detach().requires_grad_() if torch.is_tensor(v) and (v.is_floating_point() or v.is_complex()) else v for v in values
                ]
                wanted = [v for v in leaves if torch.is_tensor(v) and v.requires_grad]
                if not wanted or name.endswith("in place"):
                    continue
                result = first_tensor(torch, function(*leaves))
                if result is not None and result.requires_grad:
                    report(name + ", backward", seconds(backward(result, wanted, torch.ones_like(result)), rounds))
            except Exception as error:
                print(f"{package}: {name}: {type(error).__name__}: {error}", file=sys.stderr)


def report(name: str, time_of_a_call: float) -> None:
    print(json.dumps([name, time_of_a_call]), flush=True)


def times(package: str, arguments: argparse.Namespace) -> dict[str, float]:
    """The times of one package, taken in a process of its own."""
    command = [sys.executable, __file__, "--measure", package, "--size", str(arguments.size), "--only", arguments.only]
    command += ["--rounds", str(arguments.rounds)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


def shown(time_of_a_call: float) -> str:
    return f"{time_of_a_call * 1e6:12,.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a regular expression that the names of rows match")
    parser.add_argument("--size", type=int, default=1 << 20, help="about how many elements the tensors have")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--above", type=float, default=0.0, help="show ratios from here on")
    parser.add_argument("--measure", metavar="PACKAGE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure, arguments.size, arguments.only, arguments.rounds)
    ours = times("flambeau", arguments)
    if importlib.util.find_spec("torch") is None:
        for name, t in ours.items():
            print(f"{shown(t)} us  {name}")
        return
    theirs = times("torch", arguments)
    rows = sorted(((ours[name] / theirs[name], name) for name in ours if name in theirs), reverse=True)
    print(f"{'ratio':>7} {'flambeau us':>12} {'torch us':>12}")
    for ratio, name in rows:
        if ratio >= arguments.above:
            print(f"{ratio:7.2f} {shown(ours[name])} {shown(theirs[name])}  {name}")
    mean = math.exp(sum(math.log(ratio) for ratio, _ in rows) / max(1, len(rows)))
    print(f"{len(rows)} rows, geometric mean {mean:.2f}")


if __name__ == "__main__":
    main()
