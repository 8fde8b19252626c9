"""Device-neutral passes, one a file, and the recipes made of them."""

from onnx2snn.passes.add_readouts import SPIKING, AddReadouts
from onnx2snn.passes.average_to_sum import AverageToSum
from onnx2snn.passes.base import Approximation, Pass, Recipe, Rewrite, approximate, run_passes
from onnx2snn.passes.cancel_transposes import CancelTransposes
from onnx2snn.passes.coarsen_staircases import CoarsenStaircases
from onnx2snn.passes.collect_bias import CollectBias
from onnx2snn.passes.completeness import check_complete, check_ends
from onnx2snn.passes.drop_repeated_staircases import DropRepeatedStaircases
from onnx2snn.passes.drop_requantisation import DropRequantisation
from onnx2snn.passes.drop_whole_rounding import DropWholeRounding
from onnx2snn.passes.encode_input import EncodeInput
from onnx2snn.passes.find_weight_grids import FindWeightGrids
from onnx2snn.passes.fold_batchnorm import FoldBatchnorm
from onnx2snn.passes.fold_moves import FoldMoves
from onnx2snn.passes.fold_sumpool import FoldSumpool
from onnx2snn.passes.inject_steps import InjectSteps
from onnx2snn.passes.insert_staircases import InsertStaircases
from onnx2snn.passes.lift_quantisers import LiftQuantisers
from onnx2snn.passes.make_integer import MakeInteger
from onnx2snn.passes.map_neurons import CODES, UNSIGNED, MapNeurons, check_leak, most_levels
from onnx2snn.passes.merge_linear import MergeLinear
from onnx2snn.passes.merge_moves import MergeMoves
from onnx2snn.passes.move_maxpool import MoveMaxpool
from onnx2snn.passes.offset_staircases import OffsetStaircases
from onnx2snn.passes.probe_staircases import ProbeStaircases
from onnx2snn.passes.quantise_activations import QuantiseActivations, steps_of
from onnx2snn.passes.quantise_weights import QuantiseWeights
from onnx2snn.passes.recipes import IMPORTED, STAIRCASES
from onnx2snn.passes.share_quantisers import ShareQuantisers
from onnx2snn.passes.shift_activations import ShiftActivations
from onnx2snn.passes.start_membranes import StartMembranes
from onnx2snn.passes.unroll_steps import UnrollSteps

#: Passes after which a network is another one than the model, in as far as they found something to do.
CALIBRATION: tuple[type[Pass], ...] = (QuantiseWeights, QuantiseActivations, ShiftActivations)

PASSES: dict[str, type[Pass]] = {
    kind.name: kind
    for kind in (
        QuantiseWeights,
        QuantiseActivations,
        ShiftActivations,
        FindWeightGrids,
        CancelTransposes,
        MergeMoves,
        FoldBatchnorm,
        DropWholeRounding,
        LiftQuantisers,
        ShareQuantisers,
        ProbeStaircases,
        InsertStaircases,
        UnrollSteps,
        DropRepeatedStaircases,
        MoveMaxpool,
        AverageToSum,
        AddReadouts,
        MergeLinear,
        EncodeInput,
        DropRequantisation,
        OffsetStaircases,
        CollectBias,
        InjectSteps,
        CoarsenStaircases,
        FoldSumpool,
        FoldMoves,
        MapNeurons,
        MakeInteger,
        StartMembranes,
    )
}

__all__ = [
    "CALIBRATION",
    "CODES",
    "IMPORTED",
    "PASSES",
    "SPIKING",
    "STAIRCASES",
    "UNSIGNED",
    "AddReadouts",
    "Approximation",
    "AverageToSum",
    "CancelTransposes",
    "CoarsenStaircases",
    "CollectBias",
    "DropRepeatedStaircases",
    "DropRequantisation",
    "DropWholeRounding",
    "EncodeInput",
    "FindWeightGrids",
    "FoldBatchnorm",
    "FoldMoves",
    "FoldSumpool",
    "InjectSteps",
    "InsertStaircases",
    "LiftQuantisers",
    "MakeInteger",
    "MapNeurons",
    "MergeLinear",
    "MergeMoves",
    "MoveMaxpool",
    "OffsetStaircases",
    "Pass",
    "ProbeStaircases",
    "QuantiseActivations",
    "QuantiseWeights",
    "Recipe",
    "Rewrite",
    "ShareQuantisers",
    "ShiftActivations",
    "StartMembranes",
    "UnrollSteps",
    "approximate",
    "check_complete",
    "check_ends",
    "check_leak",
    "most_levels",
    "run_passes",
    "steps_of",
]
