"""Recipes: the published ones parse and name things that exist; values are checked; schedules are their formulas."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("lightning", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from small_training import network, recipe  # noqa: E402

from onnx2snn.errors import InputError, UnknownNameError, UsageError  # noqa: E402
from onnx2snn.recipes import Plan, named_plans, read_plan  # noqa: E402
from onnx2snn.training import ARCHITECTURES, scheme  # noqa: E402
from onnx2snn.training.data import NAMES  # noqa: E402
from onnx2snn.training.fit.optimiser import frozen, optimiser_for, schedule_for  # noqa: E402

PLANS = named_plans()


def test_the_recipes_of_the_sources_are_there() -> None:
    assert {
        "fast-snn-cifar10",
        "fast-snn-imagenet",
        "fast-snn-mnist",
        "fast-snn-lfw",
        "median-mnist",
        "median-cifar",
    } <= PLANS.keys()
    assert {"rnl-stage1", "qcfs-cifar10", "apot-cifar10", "standard", "small-budget"} <= PLANS.keys()


@pytest.mark.parametrize("plan", PLANS.values(), ids=list(PLANS))
def test_a_recipe_names_things_that_exist(plan: Plan) -> None:
    assert plan.about
    assert plan.source
    assert plan.arch is None or plan.arch in ARCHITECTURES
    assert plan.data is None or plan.data in NAMES
    for bits in plan.bits or (4,):
        plan.at(bits)
        if plan.scheme is not None:
            assert scheme(plan.scheme, bits=bits, **plan.options).name == plan.scheme
    assert set(plan.stages) <= {*(plan.bits or range(2, 33))}


def test_published_numbers() -> None:
    stages = {bits: PLANS["fast-snn-cifar10"].at(bits) for bits in (32, 4, 3, 2)}
    assert {bits: (r.rate, r.decay) for bits, r in stages.items()} == {
        32: (0.1, 5e-4),
        4: (0.04, 1e-4),
        3: (0.04, 1e-4),
        2: (0.04, 3e-5),
    }
    assert {(r.epochs, r.batch, r.momentum, r.milestones, r.factor) for r in stages.values()} == {
        (300, 128, 0.9, (0.5, 0.75), 0.1)
    }
    apot = PLANS["apot-cifar10"].at(4)
    assert (apot.quantiser_rate, apot.activation_rate, apot.quantiser_decay) == (0.02, 0.1, 1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rat": 1}, r"recipe standard: one of epochs, .* expected, found 'rat'"),
        ({"rate": -1}, "rate: .* found -1"),
        ({"rate": "fast"}, "rate: .* found 'fast'"),
        ({"optimiser": "lbfgs"}, "optimiser: .*'sgd' or 'adam'.* found 'lbfgs'"),
        ({"milestones": [0.7, 0.5]}, "milestones rise"),
        ({"momentum": 0}, "nesterov needs a momentum"),
    ],
)
def test_wrong_values(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PLANS["standard"].at(4, changes)


def test_changes_win_over_stages_and_stages_over_the_rest() -> None:
    plan = PLANS["standard"]
    assert (plan.at(32).rate, plan.at(4).rate, plan.at(4, {"rate": 0.3}).rate) == (0.1, 0.04, 0.3)


def test_a_recipe_of_your_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('about = "mine"\nbits = [8]\n[recipe]\nepochs = 2\n[stages.8]\nrate = 0.5\n')
    plan = read_plan(str(path))
    assert (plan.name, plan.bits, plan.at(8).rate, plan.at(8).epochs) == ("mine", (8,), 0.5, 2)
    for text, message in (
        ("about =", "recipe mine: TOML expected"),
        ('about = "x"\n[recipe]\nepochs = 2\nbach = 2\n', "recipe mine: .* found 'bach'"),
        ('about = "x"\nbits = [4]\n[recipe]\nepochs = 1\n[stages.3]\nrate = 1', r"bits \(4\) expected, found 3"),
        ('about = "x"\n', "recipe: Field required"),
        ('about = "x"\nlayers = 2\n[recipe]\nepochs = 1', "found 'layers'"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_plan(str(path))
    with pytest.raises(InputError, match=r"none\.toml: a recipe expected: No such file"):
        read_plan(str(tmp_path / "none.toml"))
    with pytest.raises(UnknownNameError, match=r"fast-snn-mnist.* found 'fast'"):
        read_plan("fast")


# ---------------------------------------------------------------- schedules


def test_cosine_with_warm_up() -> None:
    factor = schedule_for(recipe(epochs=10, warmup=0.2, schedule="cosine"), 100)
    for step in range(100):
        assert factor(step) == pytest.approx(min((step + 1) / 20, (1 + math.cos(math.pi * step / 100)) / 2))


def test_milestones_fall_on_whole_epochs() -> None:
    imagenet = PLANS["fast-snn-imagenet"].at(4)
    factor = schedule_for(imagenet, 60 * 7)
    drops = [step // 7 for step in range(1, 420) if factor(step) < factor(step - 1)]
    assert drops == [20, 40, 50]
    assert factor(419) == pytest.approx(1e-3)


def test_a_constant_rate() -> None:
    factor = schedule_for(recipe(schedule="constant"), 30)
    assert {factor(step) for step in range(30)} == {1.0}


# ---------------------------------------------------------------- groups of parameters


def groups(**values: object) -> dict[str, tuple[float, float]]:
    """name of a parameter -> (rate, decay)"""
    model = network()
    optimiser = optimiser_for(model, recipe(rate=0.1, decay=0.01, **values))
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
    return {name: found[id(p)] for name, p in model.named_parameters() if id(p) in found}


def test_only_weights_decay_by_default() -> None:
    found = groups()
    assert len(found) == len(list(network().parameters()))
    assert {name for name, (_, decay) in found.items() if decay} == {"fc1.weight", "fc2.weight"}
    assert {rate for rate, _ in found.values()} == {0.1}


def test_quantisers_have_a_rate_and_a_decay_of_their_own() -> None:
    found = groups(quantiser_rate=0.02, activation_rate=0.03, quantiser_decay=0.5, decay_on="all")
    steps = {name: values for name, values in found.items() if "quantiser" in name or "act" in name}
    assert set(steps.values()) == {(0.02, 0.5), (0.03, 0.5)}
    assert {name for name, (rate, _) in steps.items() if rate == 0.03} == {n for n in steps if n.startswith("act1")}
    assert {values for name, values in found.items() if name not in steps} == {(0.1, 0.01)}


def test_what_is_not_trained_has_no_gradient() -> None:
    model = network()
    with frozen(model, recipe(trains="quantisers")):
        moving = {name for name, p in model.named_parameters() if p.requires_grad}
        assert moving
        assert all("quantiser" in name or "act1" in name for name in moving)
    with frozen(model, recipe(trains="weights")):
        assert {n for n, p in model.named_parameters() if p.requires_grad}.isdisjoint(moving)
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(UsageError, match="has no such parameters"), frozen(network(32), recipe(trains="quantisers")):
        pass
