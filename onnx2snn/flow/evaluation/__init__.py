"""Running artifacts on samples: batches, processes, partial results, latency."""
