"""The NIR frontend: trained spiking networks of snnTorch, Norse, SpikingJelly and sinabs."""

from onnx2snn.frontends.nir import rules
from onnx2snn.frontends.nir.dynamics import Discretisation
from onnx2snn.frontends.nir.reader import RULES, read_nir

FAMILIES = (rules,)

__all__ = ["FAMILIES", "RULES", "Discretisation", "read_nir"]
