"""Assigning networks to the cores of chips."""

from onnx2snn.backends.chains.partition.blocks import HOST, Block, Projection
from onnx2snn.backends.chains.partition.partition import Partition, Placed, partition
from onnx2snn.backends.chains.partition.profile import Arriving, Load, Profile, Resource
from onnx2snn.backends.chains.partition.record import UNBOUND, Cores, differences, read_cores, record_of, write_cores
from onnx2snn.backends.chains.partition.tiling import Tiling

__all__ = [
    "HOST",
    "UNBOUND",
    "Arriving",
    "Block",
    "Cores",
    "Load",
    "Partition",
    "Placed",
    "Profile",
    "Projection",
    "Resource",
    "Tiling",
    "differences",
    "partition",
    "read_cores",
    "record_of",
    "write_cores",
]
