"""From files of other tools to graphs of ANN ops."""
