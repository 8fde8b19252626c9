"""What is still proven of a network after fine-tuning."""

from __future__ import annotations

from dataclasses import replace

from onnx2snn.analysis.certificate import Certificate, Verdict, farthest
from onnx2snn.analysis.lattice import Places, lattices
from onnx2snn.analysis.registers import membrane_bits, sum_bits
from onnx2snn.artifact import FineTuning, Manifest
from onnx2snn.ir import Graph, same
from onnx2snn.ir.ops import Neuron
from onnx2snn.reference import settle_bound, tail_nodes
from onnx2snn.training.finetune.segments import segments

REASON = "fine-tuned: no longer the model's"


def certificate_of(manifest: Manifest, before: Graph, after: Graph, tuning: FineTuning | None) -> Certificate:
    """The certificate of an artifact after changes to the layers that `tuning` names; None: to none.

    What was proven of each of the others, given the counts that it reads, holds as before. Of whole-number layers that
    changed, nothing is proven but the width that no accumulator can exceed.
    """
    changed = _changed(before, after, () if tuning is None else tuning.layers)
    schedule = manifest.schedule
    bound = settle_bound(after, schedule.steps)
    ticks = schedule.steps + (bound if schedule.settle is None else schedule.settle)
    places, tail = lattices(after, ticks), tail_nodes(after)
    verdicts = [
        Verdict(
            name=layer.name,
            op=layer.op,
            exactness=layer.exactness,
            breakpoints=layer.breakpoints,
            proven=layer.proven,
            bound=layer.bound,
            accumulator_bits=layer.accumulator_bits,
            reason=layer.reason,
            tail=layer.name in tail,
            counts=layer.counts,
            shift=layer.shift,
            threshold_bits=layer.threshold_bits,
        )
        for layer in manifest.layers
    ]
    found = [_weaker(v, after, places, schedule.steps, ticks) if v.name in changed else v for v in verdicts]
    words = manifest.approximations if tuning is None else (*manifest.approximations, str(tuning))
    return Certificate(tuple(found), words)


def _changed(before: Graph, after: Graph, layers: tuple[str, ...]) -> set[str]:
    """Nodes of tuned layers that hold other numbers than before, and what reads them up to the population."""
    found: set[str] = set()
    for segment in segments(after):
        if segment.target in layers:
            touched: set[str] = set()
            for name in (*segment.nodes, segment.target):
                if not same(before[name].op, after[name].op) or touched.intersection(after[name].inputs):
                    touched.add(name)
            found |= touched
    return found


def _weaker(verdict: Verdict, graph: Graph, places: Places, steps: int, ticks: int) -> Verdict:
    if verdict.exactness == "analog":
        return replace(verdict, reason=f"{verdict.reason}; {REASON}")
    op = graph[verdict.name].op
    if isinstance(op, Neuron):
        bits = membrane_bits(op, places[graph[verdict.name].inputs[0]], ticks)
        bound = verdict.bound if verdict.counts is None else farthest(op, verdict.counts, steps, ticks)
        return replace(
            verdict, exactness="bounded", breakpoints=0, proven=0, bound=bound, accumulator_bits=bits, reason=REASON
        )
    return replace(verdict, exactness="bounded", accumulator_bits=sum_bits(places[verdict.name]), reason=REASON)
