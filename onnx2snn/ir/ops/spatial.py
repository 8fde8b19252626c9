"""Shape arithmetic of sliding windows, shared by convolution and pooling."""

from __future__ import annotations

from onnx2snn.ir.op import Shape, require


def check_window(kernel: Shape, strides: Shape, pads: Shape, dilations: Shape) -> None:
    """Constraints W1..W3 of every sliding window over `len(kernel)` spatial axes."""
    rank = len(kernel)
    require(len(strides) == len(dilations) == rank, "W1", f"strides and dilations need {rank} entries")
    require(
        len(pads) == 2 * rank and all(p >= 0 for p in pads),
        "W2",
        f"pads need {2 * rank} non-negative entries (begins, then ends), found {pads}",
    )
    positive = all(v >= 1 for v in (*kernel, *strides, *dilations))
    require(positive, "W3", f"kernel {kernel}, strides {strides} and dilations {dilations} must be at least 1")


def window_output(size: Shape, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape) -> Shape:
    """Spatial output size: floor((size + pads - dilation (kernel - 1) - 1) / stride) + 1 for each axis."""
    rank = len(kernel)
    require(len(size) == rank, "W4", f"{rank} spatial axes expected, found {len(size)} in {size}")
    result = tuple(
        (n + pads[i] + pads[i + rank] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i, n in enumerate(size)
    )
    require(all(n >= 1 for n in result), "W5", f"window {kernel} does not fit into {size} with pads {pads}")
    return result
