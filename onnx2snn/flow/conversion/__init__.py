"""From a model file to networks and artifacts."""
