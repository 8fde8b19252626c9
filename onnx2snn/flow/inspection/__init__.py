"""How a model file is read for `inspect`: what was understood, and what would change it."""
