"""An artifact of a trained spiking network measured against that network, run in float64 step by step."""

from __future__ import annotations

import numpy as np

from onnx2snn.artifact import Schedule
from onnx2snn.flow.batches import batch_size
from onnx2snn.flow.evaluation.simulate import Progress
from onnx2snn.flow.evaluation.stream import SampleStream
from onnx2snn.flow.opening import Artifact
from onnx2snn.flow.verification.parity import LayerParity, Parity, agreeing
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import run

EXECUTOR = "the trained spiking network in float64"


def measure_imported(artifact: Artifact, reference: Graph, samples: SampleStream, progress: Progress | None) -> Parity:
    """Counts and outputs of the artifact beside those of the network as it was read."""
    schedule: Schedule = artifact.manifest.schedule
    parity = Parity(executor=EXECUTOR, steps=schedule.steps + (schedule.settle or 0))
    layers: dict[str, LayerParity] = {}
    simulator = artifact.simulator()
    answers, expected, agree = list[Array](), list[Array](), 0
    for x in samples.batches(batch_size(reference)):
        wanted = run(reference, x, schedule.steps, schedule.settle)
        found = simulator.run(x)
        parity.samples += len(x)
        for name, count in wanted.counts.items():
            layer = layers.setdefault(name, LayerParity(name))
            difference = np.abs(found.counts[name] - count)
            layer.counts += count.size
            layer.cumulative += int(np.count_nonzero(difference))
            layer.worst = max(layer.worst, int(difference.max(initial=0)))
        error = np.abs(found.output - wanted.output).max(initial=0.0)
        parity.largest_output_error = max(parity.largest_output_error, float(error))
        if wanted.output.ndim == 2 and wanted.output.shape[1] > 1:
            answers.append(found.output.argmax(axis=1))
            expected.append(wanted.output.argmax(axis=1))
            agree += agreeing(found.output, wanted.output)
        if progress is not None:
            progress(parity.samples, len(samples))
    parity.layers = list(layers.values())
    if answers:
        parity.argmax_agreement = agree / parity.samples
        if samples.y is not None:
            parity.accuracy = float((np.concatenate(answers) == samples.y).mean())
            parity.model_accuracy = float((np.concatenate(expected) == samples.y).mean())
    return parity
