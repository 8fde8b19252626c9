"""Device-neutral passes, one a file, and the recipes made of them."""

from onnx2snn.passes.add_readouts import AddReadouts
from onnx2snn.passes.average_to_sum import AverageToSum
from onnx2snn.passes.base import Pass, Recipe, Rewrite, run_passes
from onnx2snn.passes.calibrate_activations import CalibrateActivations
from onnx2snn.passes.collect_bias import CollectBias
from onnx2snn.passes.drop_repeated_staircases import DropRepeatedStaircases
from onnx2snn.passes.encode_input import EncodeInput
from onnx2snn.passes.fold_batchnorm import FoldBatchnorm
from onnx2snn.passes.fold_sumpool import FoldSumpool
from onnx2snn.passes.insert_staircases import InsertStaircases
from onnx2snn.passes.make_integer import MakeInteger
from onnx2snn.passes.map_neurons import CODES, MapNeurons, most_levels
from onnx2snn.passes.merge_linear import MergeLinear
from onnx2snn.passes.move_maxpool import MoveMaxpool
from onnx2snn.passes.recipes import STAIRCASES

PASSES: dict[str, type[Pass]] = {
    kind.name: kind
    for kind in (
        FoldBatchnorm,
        CalibrateActivations,
        InsertStaircases,
        DropRepeatedStaircases,
        MoveMaxpool,
        AverageToSum,
        AddReadouts,
        MergeLinear,
        EncodeInput,
        CollectBias,
        FoldSumpool,
        MapNeurons,
        MakeInteger,
    )
}

__all__ = [
    "CODES",
    "PASSES",
    "STAIRCASES",
    "AddReadouts",
    "AverageToSum",
    "CalibrateActivations",
    "CollectBias",
    "DropRepeatedStaircases",
    "EncodeInput",
    "FoldBatchnorm",
    "FoldSumpool",
    "InsertStaircases",
    "MakeInteger",
    "MapNeurons",
    "MergeLinear",
    "MoveMaxpool",
    "Pass",
    "Recipe",
    "Rewrite",
    "most_levels",
    "run_passes",
]
