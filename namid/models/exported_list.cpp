// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/models/exported_ops.h"

namespace namid::models {

// What a classifier of images can need. Left out on purpose: operators that draw random numbers,
// that write to given tensors, that read memory by strides (as_strided), kernels that trust
// the shapes they are given (fused attention by its inner name), and custom ones.
const std::vector<std::string>& allowed_operators() {
  static const std::vector<std::string> sorted = [] {
    std::vector<std::string> names{
        // layers
        "conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d", "linear", "bilinear", "addmm", "addmv", "addbmm", "baddbmm", "mm",
        "bmm", "mv", "dot", "matmul", "einsum", "embedding", "batch_norm", "native_batch_norm",
        "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "_batch_norm_no_update",
        "layer_norm", "native_layer_norm", "group_norm", "native_group_norm", "instance_norm",
        "rms_norm", "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout",
        "native_dropout", "cosine_similarity", "pairwise_distance", "cdist",
        "scaled_dot_product_attention", "_safe_softmax",
        // pooling and sampling
        "max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices",
        "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
        "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d",
        "_adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
        "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
        "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "upsample_linear1d",
        "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d",
        "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler", "grid_sampler_2d",
        "affine_grid_generator", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "unfold",
        "im2col", "col2im", "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d",
        "replication_pad1d", "replication_pad2d", "_pad_enum", "_pad_circular",
        // activations
        "relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel", "elu", "selu", "celu", "gelu",
        "silu", "mish", "hardswish", "hardsigmoid", "hardtanh", "softplus", "softshrink",
        "hardshrink", "log_sigmoid", "glu", "sigmoid", "tanh", "threshold", "softmax", "_softmax",
        "log_softmax", "_log_softmax",
        // arithmetic
        "add", "sub", "rsub", "mul", "div", "true_divide", "divide", "multiply", "subtract",
        "floor_divide", "remainder", "fmod", "pow", "square", "sqrt", "rsqrt", "reciprocal", "neg",
        "abs", "sign", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan",
        "asin", "acos", "atan", "atan2", "sinh", "cosh", "erf", "erfc", "floor", "ceil", "round",
        "trunc", "frac", "clamp", "clamp_min", "clamp_max", "clip", "maximum", "minimum", "lerp",
        "addcmul", "addcdiv", "logaddexp", "nan_to_num", "heaviside", "hypot",
        // comparison and selection
        "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_not",
        "logical_xor", "bitwise_and", "bitwise_or", "bitwise_not", "isnan", "isinf", "isfinite",
        "where", "masked_fill", "any", "all", "one_hot", "tril", "triu",
        // reductions
        "sum", "mean", "prod", "var", "std", "var_mean", "std_mean", "amax", "amin", "max", "min",
        "argmax", "argmin", "norm", "linalg_vector_norm", "logsumexp", "cumsum", "cumprod", "topk",
        "sort", "argsort", "median", "count_nonzero",
        // shape
        "view", "_unsafe_view", "reshape", "view_as", "reshape_as", "flatten", "unflatten",
        "squeeze", "unsqueeze", "permute", "transpose", "t", "numpy_T", "movedim", "swapaxes",
        "expand", "expand_as", "repeat", "repeat_interleave", "tile", "cat", "concat", "stack",
        "hstack", "vstack", "split", "split_with_sizes", "chunk", "tensor_split", "unbind", "slice",
        "select", "narrow", "index", "index_select", "gather", "take_along_dim", "flip", "roll",
        "rot90", "slice_scatter", "select_scatter", "broadcast_tensors", "broadcast_to", "diagonal",
        "meshgrid", "sym_size", "sym_numel", "item", "_local_scalar_dense",
        // copies and constants
        "clone", "contiguous", "detach", "alias", "lift_fresh", "lift_fresh_copy", "to", "_to_copy",
        "type_as", "copy", "zeros", "ones", "full", "zeros_like", "ones_like", "full_like",
        "new_zeros", "new_ones", "new_full", "scalar_tensor", "arange", "linspace", "eye", "fill"};
    std::sort(names.begin(), names.end());
    return names;
  }();
  return sorted;
}

}  // namespace namid::models
