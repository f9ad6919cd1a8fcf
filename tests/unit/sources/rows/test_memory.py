"""Many rows and large rows, in a process of its own, so that its peak memory is theirs alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.sources.rows.kit import Database

_PROGRAM = """
import json, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from unit.sources.rows import kit
given = json.loads(sys.argv[2])
server = kit.DatabaseServer(*given["server"]) if given["server"] else None
def database(path, name):
    made = object.__new__(kit.Database)
    made.kind, made.name, made.server, made.path, made.database = given["kind"], "app", server, Path(path), name
    return made
source, copy = database(*given["source"]), database(*given["copy"])
folder = Path(given["folder"])
class OnDisk(kit.Content):
    def entries(self, paths=()):
        for name, path in self.files:
            node = kit.Node(name=name, type=kit.NodeType.FILE)
            yield kit.Entry(path=name, node=node, open=lambda p=path: open(p, "rb"))
def dumped(base, state):
    rows, files = {}, []
    with source.row_store() as store:
        for entry in kit.changes_entries(store, kit.dump_request(folder, base, state), "app", rows):
            reader, path = entry.open(), folder / f"{len(files)}-{state.name}.json"
            with open(path, "wb") as file:
                while block := reader.read(1 << 20):
                    file.write(block)
            files.append((entry.path, path))
    return OnDisk(files, rows)
first = dumped(None, folder / "one")
counts = kit.apply(copy, first, folder)
source.run(*given["then"])
kit.apply(copy, dumped(folder / "one", folder / "two"), folder)
print(json.dumps([counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def peak_mib(source: Database, copy: Database, folder: Path, *then: str) -> tuple[dict[str, int], int]:
    given = {
        "kind": source.kind,
        "server": list(source.server) if source.server else None,
        "source": [str(source.path), source.database],
        "copy": [str(copy.path), copy.database],
        "folder": str(folder),
        "then": then,
    }
    tests = str(Path(__file__).resolve().parents[3])
    done = subprocess.run([sys.executable, "-c", _PROGRAM, tests, json.dumps(given)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts, peak = json.loads(done.stdout)
    return counts, peak


@pytest.mark.deep
def test_memory_does_not_grow_with_the_number_of_rows(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    for database in (source, copy):
        database.run("CREATE TABLE t (id integer PRIMARY KEY, v varchar(100), w varchar(100))")
    for first in range(0, 100_000, 10_000):
        values = ",".join(f"({number}, 'value {number}', '{'x' * 80}')" for number in range(first, first + 10_000))
        source.run(f"INSERT INTO t VALUES {values}")
    counts, peak = peak_mib(source, copy, tmp_path, "DELETE FROM t WHERE id < 50000", "UPDATE t SET v = 'new'")
    assert counts == {"t": 100_000}
    assert copy.run("SELECT count(*), min(id), max(v) FROM t") == [(50_000, 50_000, "new")]
    assert peak < 120


@pytest.mark.deep
def test_a_row_of_64_mib_is_one_row(new_database: Callable[[], Database], tmp_path: Path) -> None:
    source, copy = new_database(), new_database()
    kind = {"sqlite": "blob", "postgresql": "bytea", "mysql": "longblob"}[source.kind]
    size = 64 << 20 if source.kind != "mysql" else 12 << 20  # the server's packets have 16 MiB
    for database in (source, copy):
        database.run(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    for number in range(3):
        made = {
            "sqlite": f"randomblob({size})",
            "postgresql": f"decode(repeat('00ff275c', {size // 4}), 'hex')",
            "mysql": f"repeat(x'00ff275c', {size // 4})",
        }[source.kind]
        source.run(f"INSERT INTO t VALUES ({number}, {made})")
    _counts, peak = peak_mib(source, copy, tmp_path, "UPDATE t SET id = 7 WHERE id = 1")
    assert copy.run("SELECT id, length(v) FROM t ORDER BY id") == [(0, size), (2, size), (7, size)]
    assert peak < 700
