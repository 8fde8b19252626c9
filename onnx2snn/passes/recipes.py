"""Recipes: plain tuples of passes."""

from __future__ import annotations

from onnx2snn.passes.add_readouts import AddReadouts
from onnx2snn.passes.average_to_sum import AverageToSum
from onnx2snn.passes.base import Recipe
from onnx2snn.passes.cancel_transposes import CancelTransposes
from onnx2snn.passes.collect_bias import CollectBias
from onnx2snn.passes.drop_repeated_staircases import DropRepeatedStaircases
from onnx2snn.passes.drop_whole_rounding import DropWholeRounding
from onnx2snn.passes.encode_input import EncodeInput
from onnx2snn.passes.find_weight_grids import FindWeightGrids
from onnx2snn.passes.fold_batchnorm import FoldBatchnorm
from onnx2snn.passes.insert_staircases import InsertStaircases
from onnx2snn.passes.lift_quantisers import LiftQuantisers
from onnx2snn.passes.merge_linear import MergeLinear
from onnx2snn.passes.merge_moves import MergeMoves
from onnx2snn.passes.move_maxpool import MoveMaxpool
from onnx2snn.passes.probe_staircases import ProbeStaircases
from onnx2snn.passes.share_quantisers import ShareQuantisers
from onnx2snn.passes.unroll_steps import UnrollSteps

#: From a graph of ANN ops to one of staircases and bias-free linear ops.
STAIRCASES: Recipe = (
    FindWeightGrids(),
    CancelTransposes(),
    MergeMoves(),
    FoldBatchnorm(),
    DropWholeRounding(),
    LiftQuantisers(),
    ShareQuantisers(),
    ProbeStaircases(),
    InsertStaircases(),
    UnrollSteps(),
    DropRepeatedStaircases(),
    MoveMaxpool(),
    AverageToSum(),
    AddReadouts(),
    MergeLinear(),
    EncodeInput(),
    CollectBias(),
)

#: From a trained spiking graph to one whose synapses can become whole numbers; `inject-steps` follows.
IMPORTED: Recipe = (FindWeightGrids(), CancelTransposes(), MergeMoves(), AverageToSum(), MergeLinear())
