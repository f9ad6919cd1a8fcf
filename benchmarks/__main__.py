"""`python -m benchmarks`: measures the engine beside restic."""

from benchmarks.engine import main

main()
