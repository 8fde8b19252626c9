"""How pass make-integer rewrites each op: the walk, linear ops, neurons."""
