# Written by tools/stubs.py from the definitions. Do not edit: run `make stubs`.
import builtins
from typing import Any

from ..tensor import Tensor as Tensor

def __getattr__(name: builtins.str) -> Any: ...
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any: ...
def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any: ...
def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any: ...
def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def adaptive_max_pool1d_with_indices(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def adaptive_max_pool2d_with_indices(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def adaptive_max_pool3d_with_indices(input: Any, output_size: Any, return_indices: builtins.bool = False) -> Any: ...
def affine_grid(theta: Any, size: Any, align_corners: builtins.bool | None = None) -> Any: ...
def alpha_dropout(input: Any, p: builtins.float = 0.5, training: builtins.bool = False, inplace: builtins.bool = False) -> Any: ...
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
) -> Any: ...
def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
    divisor_override: builtins.int | None = None,
    *,
    out: Any = None,
) -> Any: ...
def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
    divisor_override: builtins.int | None = None,
    *,
    out: Any = None,
) -> Any: ...
def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: builtins.bool = False,
    momentum: builtins.float = 0.1,
    eps: builtins.float = 1e-05,
) -> Any: ...
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any: ...
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean"
) -> Any: ...
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
    pos_weight: Any = None,
) -> Any: ...
def celu(input: Any, alpha: builtins.float = 1.0, inplace: builtins.bool = False) -> Any: ...
def celu_(input: Any, alpha: builtins.float = 1.0) -> Any: ...
def channel_shuffle(input: Any, groups: builtins.int) -> Any: ...
def conv1d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1) -> Any: ...
def conv2d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1) -> Any: ...
def conv3d(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1) -> Any: ...
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: Any = 0) -> Tensor: ...
def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Any: ...
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Any: ...
def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Any: ...
def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: builtins.float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def cosine_similarity(x1: Any, x2: Any, dim: builtins.int = 1, eps: builtins.float = 1e-08) -> Any: ...
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: builtins.int = -100,
    reduce: Any = None,
    reduction: builtins.str = "mean",
    label_smoothing: builtins.float = 0.0,
) -> Any: ...
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: builtins.int = 0,
    reduction: builtins.str = "mean",
    zero_infinity: builtins.bool = False,
) -> Any: ...
def dropout(input: Any, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False) -> Any: ...
def dropout1d(input: Any, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False) -> Any: ...
def dropout2d(input: Any, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False) -> Any: ...
def dropout3d(input: Any, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False) -> Any: ...
def elu(input: Any, alpha: builtins.float = 1.0, inplace: builtins.bool = False) -> Any: ...
def elu_(input: Any, alpha: builtins.float = 1.0) -> Any: ...
def embedding(
    input: Any,
    weight: Any,
    padding_idx: builtins.int | None = None,
    max_norm: builtins.float | None = None,
    norm_type: builtins.float = 2.0,
    scale_grad_by_freq: builtins.bool = False,
    sparse: builtins.bool = False,
) -> Any: ...
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: builtins.float | None = None,
    norm_type: builtins.float = 2,
    scale_grad_by_freq: builtins.bool = False,
    mode: builtins.str = "mean",
    sparse: builtins.bool = False,
    per_sample_weights: Any = None,
    include_last_offset: builtins.bool = False,
    padding_idx: builtins.int | None = None,
) -> Any: ...
def feature_alpha_dropout(input: Any, p: builtins.float = 0.5, training: builtins.bool = False, inplace: builtins.bool = False) -> Any: ...
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any: ...
def fractional_max_pool2d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: builtins.bool = False,
    _random_samples: Any = None,
) -> Any: ...
def fractional_max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: builtins.bool = False,
    _random_samples: Any = None,
) -> Any: ...
def fractional_max_pool3d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: builtins.bool = False,
    _random_samples: Any = None,
) -> Any: ...
def fractional_max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: builtins.bool = False,
    _random_samples: Any = None,
) -> Any: ...
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: builtins.bool = False, eps: builtins.float = 1e-06, reduction: builtins.str = "mean"
) -> Any: ...
def gelu(input: Tensor, *, approximate: Any = "none", out: Any = None) -> Tensor: ...
def glu(input: Tensor, dim: builtins.int = -1) -> Tensor: ...
def grid_sample(
    input: Any, grid: Any, mode: builtins.str = "bilinear", padding_mode: builtins.str = "zeros", align_corners: builtins.bool | None = None
) -> Any: ...
def group_norm(
    input: Any,
    num_groups: builtins.int,
    weight: Any = None,
    bias: Any = None,
    eps: builtins.float = 1e-05,
    cudnn_enabled: builtins.bool = True,
) -> Any: ...
def gumbel_softmax(
    logits: Any, tau: builtins.float = 1, hard: builtins.bool = False, eps: builtins.float = 1e-10, dim: builtins.int = -1
) -> Any: ...
def hardshrink(input: Tensor, lambd: Any = 0.5, *, out: Any = None) -> Tensor: ...
def hardsigmoid(input: Any, inplace: builtins.bool = False) -> Any: ...
def hardswish(input: Any, inplace: builtins.bool = False) -> Any: ...
def hardtanh(input: Any, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0, inplace: builtins.bool = False) -> Any: ...
def hardtanh_(input: Any, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0) -> Any: ...
def hinge_embedding_loss(
    input: Any, target: Any, margin: builtins.float = 1.0, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean"
) -> Any: ...
def huber_loss(input: Any, target: Any, reduction: builtins.str = "mean", delta: builtins.float = 1.0, weight: Any = None) -> Any: ...
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: builtins.bool = True,
    momentum: builtins.float = 0.1,
    eps: builtins.float = 1e-05,
) -> Any: ...
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: builtins.str = "nearest",
    align_corners: builtins.bool | None = None,
    recompute_scale_factor: builtins.bool | None = None,
    antialias: builtins.bool = False,
) -> Any: ...
def kl_div(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
    log_target: builtins.bool = False,
) -> Any: ...
def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean", weight: Any = None
) -> Any: ...
def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: builtins.float = 1e-05, cudnn_enable: builtins.bool = True
) -> Any: ...
def leaky_relu(input: Any, negative_slope: builtins.float = 0.01, inplace: builtins.bool = False) -> Any: ...
def leaky_relu_(input: Any, negative_slope: builtins.float = 0.01) -> Any: ...
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor: ...
def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: builtins.str = "mean",
    ignore_index: builtins.int | None = None,
    label_smoothing: builtins.float = 0.0,
    options: Any = None,
) -> Any: ...
def local_response_norm(
    input: Any, size: builtins.int, alpha: builtins.float = 0.0001, beta: builtins.float = 0.75, k: builtins.float = 1.0
) -> Any: ...
def log_softmax(input: Any, dim: builtins.int | None = None, _stacklevel: builtins.int = 3, dtype: Any = None) -> Any: ...
def logsigmoid(input: Tensor, *, out: Any = None) -> Tensor: ...
def lp_pool1d(input: Any, norm_type: builtins.float, kernel_size: Any, stride: Any = None, ceil_mode: builtins.bool = False) -> Any: ...
def lp_pool2d(input: Any, norm_type: builtins.float, kernel_size: Any, stride: Any = None, ceil_mode: builtins.bool = False) -> Any: ...
def lp_pool3d(input: Any, norm_type: builtins.float, kernel_size: Any, stride: Any = None, ceil_mode: builtins.bool = False) -> Any: ...
def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: builtins.float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any: ...
def max_unpool1d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any: ...
def max_unpool2d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any: ...
def max_unpool3d(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any: ...
def mish(input: Any, inplace: builtins.bool = False) -> Any: ...
def missing_name(module: builtins.str) -> Any: ...
def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean", weight: Any = None
) -> Any: ...
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: builtins.int,
    num_heads: builtins.int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: builtins.bool,
    dropout_p: builtins.float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: builtins.bool = True,
    key_padding_mask: Any = None,
    need_weights: builtins.bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: builtins.bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: builtins.bool = True,
    is_causal: builtins.bool = False,
) -> Any: ...
def multi_margin_loss(
    input: Any,
    target: Any,
    p: builtins.int = 1,
    margin: builtins.float = 1.0,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def multilabel_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean"
) -> Any: ...
def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean"
) -> Any: ...
def native_channel_shuffle(input: Any, groups: builtins.int) -> Any: ...
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: builtins.int = -100,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def normalize(input: Any, p: builtins.float = 2.0, dim: Any = 1, eps: builtins.float = 1e-12, out: Any = None) -> Any: ...
def one_hot(input: Tensor, num_classes: builtins.int = -1) -> Tensor: ...
def pad(input: Tensor, pad: Any, mode: builtins.str = "constant", value: builtins.float | None = None) -> Tensor: ...
def pairwise_distance(x1: Any, x2: Any, p: builtins.float = 2.0, eps: builtins.float = 1e-06, keepdim: builtins.bool = False) -> Any: ...
def pdist(input: Any, p: builtins.float = 2) -> Any: ...
def pixel_shuffle(input: Any, upscale_factor: builtins.int) -> Any: ...
def pixel_unshuffle(input: Any, downscale_factor: builtins.int) -> Any: ...
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: builtins.bool = True,
    full: builtins.bool = False,
    size_average: Any = None,
    eps: builtins.float = 1e-08,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def prelu(input: Any, weight: Any) -> Any: ...
def relu(input: Any, inplace: builtins.bool = False) -> Any: ...
def relu6(input: Any, inplace: builtins.bool = False) -> Any: ...
def relu_(input: Tensor, *, out: Any = None) -> Tensor: ...
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: builtins.float | None = None) -> Any: ...
def rrelu(
    input: Any,
    lower: builtins.float = 0.125,
    upper: builtins.float = 0.3333333333333333,
    training: builtins.bool = False,
    inplace: builtins.bool = False,
) -> Any: ...
def rrelu_(
    input: Any, lower: builtins.float = 0.125, upper: builtins.float = 0.3333333333333333, training: builtins.bool = False
) -> Any: ...
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: builtins.float = 0.0,
    is_causal: builtins.bool = False,
    scale: builtins.float | None = None,
    enable_gqa: builtins.bool = False,
) -> Any: ...
def selu(input: Any, inplace: builtins.bool = False) -> Any: ...
def selu_(input: Any) -> Any: ...
def sigmoid(input: Tensor, *, out: Any = None) -> Tensor: ...
def silu(input: Any, inplace: builtins.bool = False) -> Any: ...
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean", beta: builtins.float = 1.0
) -> Any: ...
def soft_margin_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: builtins.str = "mean") -> Any: ...
def softmax(input: Any, dim: builtins.int | None = None, _stacklevel: builtins.int = 3, dtype: Any = None) -> Any: ...
def softmin(input: Any, dim: builtins.int | None = None, _stacklevel: builtins.int = 3, dtype: Any = None) -> Any: ...
def softplus(input: Any, beta: builtins.float = 1, threshold: builtins.float = 20, *, out: Any = None) -> Any: ...
def softshrink(input: Tensor, lambd: Any = 0.5, *, out: Any = None) -> Tensor: ...
def softsign(input: Any) -> Any: ...
def tanh(input: Tensor, *, out: Any = None) -> Tensor: ...
def tanhshrink(input: Any) -> Any: ...
def threshold(input: Any, threshold: builtins.float, value: builtins.float, inplace: builtins.bool = False) -> Any: ...
def threshold_(input: Any, threshold_value: builtins.float, value: builtins.float) -> Any: ...
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: builtins.float = 1.0,
    p: builtins.float = 2,
    eps: builtins.float = 1e-06,
    swap: builtins.bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: builtins.str = "mean",
) -> Any: ...
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Any = None,
    margin: builtins.float = 1.0,
    swap: builtins.bool = False,
    reduction: builtins.str = "mean",
) -> Any: ...
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any: ...
def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: builtins.str = "nearest", align_corners: builtins.bool | None = None
) -> Any: ...
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any: ...
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any: ...
