"""Artifacts: the converted network, its manifest, and the folder that holds both."""

from onnx2snn.artifact.fine_tuning import FineTuning
from onnx2snn.artifact.folder import MANIFEST, check_files, check_target, read_manifest, seal, writing
from onnx2snn.artifact.manifest import LayerRecord, Manifest, ModelRecord, Record
from onnx2snn.artifact.network import Network, Schedule, Source
from onnx2snn.artifact.replacing import replacing

__all__ = [
    "MANIFEST",
    "FineTuning",
    "LayerRecord",
    "Manifest",
    "ModelRecord",
    "Network",
    "Record",
    "Schedule",
    "Source",
    "check_files",
    "check_target",
    "read_manifest",
    "replacing",
    "seal",
    "writing",
]
