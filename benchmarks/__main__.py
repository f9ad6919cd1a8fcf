"""`python -m benchmarks`: the engine beside restic; `… application`: beside the plain tools; `… server`: under load."""

import sys

from benchmarks import application, engine, server

if sys.argv[1:2] == ["application"]:
    application.main(sys.argv[2:])
elif sys.argv[1:2] == ["server"]:
    server.main(sys.argv[2:])
else:
    engine.main()
