"""The operations of `busjax.ops.interface`, made fast for XLA:CPU.

A feature is (C, B, H, W): a skip is joined along the slowest axis, every 1x1 and 3x3 convolution is
a product of matrices without a transposition, and a channel's sum runs over neighbours in memory.
"""

from busjax.ops.cpu.batch import map_batch
from busjax.ops.cpu.convolution import conv1x1, conv3x3, conv_transpose2x2
from busjax.ops.cpu.depthwise import depthwise_conv
from busjax.ops.cpu.layout import concatenate, load, shape, unload
from busjax.ops.cpu.norm import add_bias, batch_moments, group_norm_act, scale_shift_act
from busjax.ops.cpu.pixelwise import scale_channels, scale_pixels, spatial_max, spatial_mean
from busjax.ops.cpu.resample import max_pool2x2, upsample2x

__all__ = [
    "add_bias",
    "batch_moments",
    "concatenate",
    "conv1x1",
    "conv3x3",
    "conv_transpose2x2",
    "depthwise_conv",
    "group_norm_act",
    "load",
    "map_batch",
    "max_pool2x2",
    "scale_channels",
    "scale_pixels",
    "scale_shift_act",
    "shape",
    "spatial_max",
    "spatial_mean",
    "unload",
    "upsample2x",
]
