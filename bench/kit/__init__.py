"""What the benchmarks share: keeping figures, and a running product to measure."""
