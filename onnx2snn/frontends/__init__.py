"""From files of other tools to graphs of the IR: ANN ops from ONNX, neurons and synapses from NIR."""
