"""What a spiking network does and costs: accuracy over time, rates, synaptic operations, energy.

Definitions and formulas: `docs/metrics.md`.
"""

from onnx2snn.metrics.activity import InputActivity, LayerActivity, Totals
from onnx2snn.metrics.answers import Answers, Exits
from onnx2snn.metrics.counters import Counters, merged
from onnx2snn.metrics.energy import Device, Energy, known_devices, load_device, price
from onnx2snn.metrics.fan_out import FanOut, fan_out, units
from onnx2snn.metrics.loss import SpikeLoss
from onnx2snn.metrics.noise import Noise
from onnx2snn.metrics.perturb import perturbed, real
from onnx2snn.metrics.tally import Tally

__all__ = [
    "Answers",
    "Counters",
    "Device",
    "Energy",
    "Exits",
    "FanOut",
    "InputActivity",
    "LayerActivity",
    "Noise",
    "SpikeLoss",
    "Tally",
    "Totals",
    "fan_out",
    "known_devices",
    "load_device",
    "merged",
    "perturbed",
    "price",
    "real",
    "units",
]
