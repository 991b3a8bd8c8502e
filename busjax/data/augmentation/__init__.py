"""Random changes of training images: parts of them, the manner of others, warps, overlays."""
