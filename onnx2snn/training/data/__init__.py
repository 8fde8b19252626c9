"""Data sets in their original files: read, split by seed, augmented as fits them.

    data = load("cifar10", folder, split=run / "split.json")
    x, y = arrays(data.test)

Whatever cannot be read is a `DataError` of one line that names the file.
"""

from onnx2snn.training.data.augment import Augment, Chain, Crop, Flip, Warp
from onnx2snn.training.data.dataset import DataSet, Images
from onnx2snn.training.data.load import NAMES, default_data, load
from onnx2snn.training.data.samples import arrays, write_samples
from onnx2snn.training.data.splits import Split, read_split, write_split

__all__ = [
    "NAMES",
    "Augment",
    "Chain",
    "Crop",
    "DataSet",
    "Flip",
    "Images",
    "Split",
    "Warp",
    "arrays",
    "default_data",
    "load",
    "read_split",
    "write_samples",
    "write_split",
]
