"""Files: how fast, how much memory, and what faults cost. `python -m benchmarks.files`."""
