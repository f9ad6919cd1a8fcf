"""`python -m benchmarks`: the engine beside restic; `python -m benchmarks application`: beside the plain tools."""

import sys

from benchmarks import application, engine

if sys.argv[1:2] == ["application"]:
    application.main(sys.argv[2:])
else:
    engine.main()
