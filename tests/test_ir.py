"""Graphs: editing, order, errors, verification.  The constraints of the ops are in test_constraints.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.errors import ConstraintError, GraphError
from onnx2snn.ir import Graph, Node, Op, Origin, same, verify
from onnx2snn.ir.op import frozen
from onnx2snn.ir.ops import ALL_OPS, OP_BY_NAME, Add, Affine, Clip, Concat, Dense, Input, Relu, Reshape
from onnx2snn.testing.strategies import graphs, ops


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph]


@pytest.fixture
def diamond() -> Graph:
    """x -> a -> (b, c) -> d = b + c, read out at d."""
    graph = Graph("diamond")
    graph.add("x", Input(shape=(3,)))
    graph.add("a", Relu(), ["x"], Origin("/a", "Relu", "t"))
    graph.add("b", Clip(low=0.0, high=1.0), ["a"])
    graph.add("c", Relu(), ["a"])
    graph.add("d", Add(), ["b", "c"])
    graph.outputs = ("d",)
    return graph


# -- reading -------------------------------------------------------------------------------------------------


def test_nodes_iterate_in_topological_order_ties_by_insertion(diamond: Graph) -> None:
    assert names(diamond) == ["x", "a", "b", "c", "d"]
    diamond.replace("b", Relu(), ["c"])
    assert names(diamond) == ["x", "a", "c", "b", "d"]
    diamond.replace("b", Relu(), ["a"])
    assert names(diamond) == ["x", "a", "b", "c", "d"]


def test_lookups(diamond: Graph) -> None:
    assert len(diamond) == 5
    assert "a" in diamond
    assert "z" not in diamond
    assert diamond.shape("d") == (3,)
    assert [node.name for node in diamond.consumers("a")] == ["b", "c"]
    assert [node.name for node in diamond.of(Relu, Add)] == ["a", "c", "d"]
    with pytest.raises(GraphError, match="no node 'z' in graph 'diamond'"):
        _ = diamond["z"]
    with pytest.raises(GraphError, match="no node 'z'"):
        diamond.shape("z")


def test_both_inputs_of_one_add_may_read_one_node(diamond: Graph) -> None:
    diamond.add("twice", Add(), ["a", "a"])
    assert [node.name for node in diamond.consumers("a")] == ["b", "c", "twice", "twice"]
    diamond.remove("a", use="x")
    assert diamond["twice"].inputs == ("x", "x")
    assert [node.name for node in diamond.consumers("x")] == ["b", "c", "twice", "twice"]


def test_a_node_says_where_it_came_from(diamond: Graph) -> None:
    assert str(diamond["a"]) == "a (Relu, from Relu '/a')"
    assert str(diamond["b"]) == "b (Clip, made by a pass)"
    diamond.annotate("b", Origin("/clip", "Clip", "u"))
    assert diamond["b"].origin.tensor == "u"
    assert diamond["b"].inputs == ("a",)


def test_only_a_copy_that_nobody_edited_is_untouched(diamond: Graph) -> None:
    assert diamond.copy().untouched(diamond)
    same = diamond.copy()
    same.replace("b", same["b"].op, ["a"])
    assert same.untouched(diamond)
    edited = [diamond.copy() for _ in range(4)]
    edited[0].outputs = ("c",)
    edited[1].annotate("b", Origin("n"))
    edited[2].replace("b", Clip(low=0.0, high=1.0))
    edited[3].add("e", Relu(), ["d"])
    assert not any(other.untouched(diamond) for other in edited)


def test_equality_looks_at_everything_but_the_name(diamond: Graph) -> None:
    other = diamond.copy()
    other.name = "other"
    assert diamond.equal(other)
    other.outputs = ("c",)
    assert not diamond.equal(other)
    for edit in ("op", "origin"):
        other = diamond.copy()
        if edit == "op":
            other.replace("b", Clip(low=0.0, high=2.0))
        else:
            other.annotate("b", Origin("n"))
        assert not diamond.equal(other)


# -- editing -------------------------------------------------------------------------------------------------


def test_add_refuses_what_does_not_fit(diamond: Graph) -> None:
    with pytest.raises(GraphError, match="node 'a' exists already"):
        diamond.add("a", Relu(), ["x"])
    with pytest.raises(GraphError, match=r"e \(Relu, made by a pass\): input 'z' is not in graph 'diamond'"):
        diamond.add("e", Relu(), ["z"])
    with pytest.raises(GraphError, match="1 inputs expected, found 2"):
        diamond.add("e", Relu(), ["a", "b"])
    with pytest.raises(GraphError, match="one or more inputs expected, found 0"):
        diamond.add("e", Add(), [])
    with pytest.raises(
        ConstraintError,
        match=r"e \(Dense, made by a pass\): \(C3\) input \(3,\) does not fit weight \(2, 4\)",
    ):
        diamond.add("e", Dense(weight=np.zeros((2, 4))), ["a"])
    assert names(diamond) == ["x", "a", "b", "c", "d"]
    verify(diamond)


def test_replace_carries_shapes_onward(diamond: Graph) -> None:
    diamond.replace("a", Dense(weight=np.ones((2, 3))))
    assert [diamond.shape(name) for name in "xabcd"] == [(3,), (2,), (2,), (2,), (2,)]
    verify(diamond)
    with pytest.raises(GraphError, match=r"d \(Add, made by a pass\): \(C1\)"):
        diamond.replace("b", Dense(weight=np.ones((5, 2))))


def test_remove_hands_readers_and_outputs_over(diamond: Graph) -> None:
    diamond.remove("d", use="c")
    assert diamond.outputs == ("c",)
    diamond.remove("a", use="x")
    assert diamond["b"].inputs == diamond["c"].inputs == ("x",)
    assert names(diamond) == ["x", "b", "c"]
    verify(diamond)


def test_insert_before_touches_one_edge(diamond: Graph) -> None:
    diamond.replace("d", Add(), ["b", "b"])
    made = diamond.insert_before("d", Relu(), "new", slot=1)
    assert made == "new"
    assert diamond["d"].inputs == ("b", "new")
    assert diamond["new"].inputs == ("b",)
    assert diamond.insert_before("d", Relu(), "new") == "new.2"
    assert diamond["d"].inputs == ("new.2", "new")
    verify(diamond)


def test_rename_everywhere(diamond: Graph) -> None:
    diamond.rename("d", "sum")
    diamond.rename("a", "first")
    assert diamond.outputs == ("sum",)
    assert diamond["b"].inputs == diamond["c"].inputs == ("first",)
    assert diamond["first"].origin == Origin("/a", "Relu", "t")
    with pytest.raises(GraphError, match="node 'b' exists already"):
        diamond.rename("c", "b")
    verify(diamond)


def test_fresh_names(diamond: Graph) -> None:
    assert diamond.fresh("z") == "z"
    assert diamond.fresh("a") == "a.2"
    diamond.add("a.2", Relu(), ["a"])
    assert diamond.fresh("a") == "a.3"


def test_prune_keeps_inputs_and_what_outputs_need(diamond: Graph) -> None:
    diamond.add("y", Input(shape=(2,)))
    diamond.outputs = ("b",)
    diamond.prune()
    assert set(names(diamond)) == {"x", "a", "b", "y"}
    verify(diamond)


def test_prune_names_an_output_that_is_not_there(diamond: Graph) -> None:
    diamond.outputs = ("z",)
    with pytest.raises(GraphError, match="no node 'z' in graph 'diamond'"):
        diamond.prune()


def test_a_copy_is_independent(diamond: Graph) -> None:
    other = diamond.copy()
    other.remove("a", use="x")
    other.rename("c", "e")
    other.outputs = ("b",)
    other.prune()
    assert names(diamond) == ["x", "a", "b", "c", "d"]
    assert diamond["b"].inputs == ("a",)
    assert diamond.outputs == ("d",)
    verify(diamond)


def test_rebuilt_goes_from_node_to_node(diamond: Graph) -> None:
    def double_relus(new: Graph, node: Node) -> str | None:
        if not isinstance(node.op, Relu):
            return None
        new.add(node.name, node.op, node.inputs)
        return new.add(f"{node.name}.again", Relu(), [node.name])

    made = diamond.rebuilt(double_relus)
    assert names(made) == ["x", "a", "a.again", "b", "c", "c.again", "d"]
    assert made["d"].inputs == ("b", "c.again")
    verify(made)


@given(graphs(), st.data())
def test_any_edit_leaves_a_sound_graph(graph: Graph, data: st.DataObject) -> None:
    for node in [n for n in graph if n.op.arity == 1 and graph.shape(n.name) == graph.shape(n.inputs[0])]:
        edit = data.draw(st.sampled_from(["remove", "rename", "insert", "prune"]))
        if edit == "remove":
            graph.remove(node.name, use=graph[node.name].inputs[0])
        elif edit == "rename":
            graph.rename(node.name, graph.fresh("new"))
        elif edit == "insert":
            graph.insert_before(node.name, Relu(), "relu")
        else:
            graph.prune()
        verify(graph)
        assert_kept_as_worked_out_anew(graph)
        if edit == "prune":
            break
    assert sorted(names(graph)) == sorted({node.name for node in graph})
    verify(graph)


def assert_kept_as_worked_out_anew(graph: Graph) -> None:
    """Order and readers after edits are those of the nodes alone."""
    anew = graph.copy()
    anew._places = anew._reordered({name: i for i, name in enumerate(anew._nodes)})
    assert names(graph) == names(anew)
    for name in names(graph):
        readers = [node.name for node in anew for source in node.inputs if source == name]
        assert [node.name for node in graph.consumers(name)] == readers


# -- verify --------------------------------------------------------------------------------------------------


def test_verify_wants_outputs_that_are_there(diamond: Graph) -> None:
    for outputs, message in (((), "graph 'diamond' has no outputs"), (("z",), "no node 'z'")):
        diamond.outputs = outputs
        with pytest.raises(GraphError, match=message):
            verify(diamond)


def test_cycles_are_errors(diamond: Graph) -> None:
    diamond.replace("a", Relu(), ["d"])
    with pytest.raises(GraphError, match="graph 'diamond' has a cycle"):
        verify(diamond)
    with pytest.raises(GraphError, match="has a cycle"):
        list(diamond)


def test_verify_infers_every_shape_again(diamond: Graph) -> None:
    diamond._shapes["c"] = (4,)
    with pytest.raises(GraphError, match=r"c \(Relu, made by a pass\): shape \(3,\) expected, found \(4,\)"):
        verify(diamond)


# -- ops -----------------------------------------------------------------------------------------------------


def test_names_of_ops_are_distinct() -> None:
    assert len(OP_BY_NAME) == len(ALL_OPS) > 15
    assert {"conv", "st-bif", "signed-if", "batch-norm"} <= set(OP_BY_NAME)


@given(ops())
def test_arrays_of_an_op_are_read_only(made: tuple[Op, tuple[tuple[int, ...], ...]]) -> None:
    op, shapes = made
    assert op.infer(*shapes) is not None
    for value in op.parameters().values():
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable
            assert value.dtype in (np.float64, np.float32, np.int64, np.int8)


def test_the_array_that_was_given_stays_writeable() -> None:
    weight = np.zeros((2, 3))
    op = Dense(weight=weight)
    weight[:] = 1
    assert not op.weight.any()
    with pytest.raises(ValueError, match="read-only"):
        op.weight[0, 0] = 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.bool_, np.int64),
        (np.uint8, np.int64),
        (np.int32, np.int64),
        (np.int8, np.int8),
        (np.float16, np.float64),
        (np.float32, np.float32),
    ],
)
def test_four_types_of_numbers(given: type, kept: type) -> None:
    assert frozen(np.ones(2, given)).dtype == kept


def test_sameness_of_ops() -> None:
    one = Affine(scale=np.array([1.0, 2.0]))
    assert same(one, Affine(scale=np.array([1.0, 2.0])))
    assert not same(one, Affine(scale=np.array([1.0, 2.5])))
    assert not same(one, Affine(scale=np.array([[1.0, 2.0]])))
    assert not same(one, Affine(scale=np.array([1.0, 2.0], np.float32)))
    assert not same(one, Affine(shift=np.array([1.0, 2.0])))
    assert not same(Relu(), Add())
    assert not same(Concat(axis=0), Concat(axis=1))
    assert same(Reshape(shape=(2, 3)), Reshape(shape=(2, 3)))


def test_an_array_that_nobody_can_write_is_shared_and_every_other_is_copied() -> None:
    own = frozen(np.arange(6.0))
    assert frozen(own) is own
    view = own.reshape(2, 3)
    assert frozen(view) is view
    from_bytes = np.frombuffer(bytes(8), np.int8)
    assert frozen(from_bytes) is from_bytes
    writable = np.arange(6.0)
    seen = writable.view()
    seen.flags.writeable = False
    kept = frozen(seen)
    writable[0] = 7
    assert kept[0] == 0
    buffer = bytearray(8)
    lent = np.frombuffer(buffer, np.int8)
    lent.flags.writeable = False
    assert not np.shares_memory(frozen(lent), lent)
    assert frozen(view.T).flags.c_contiguous
