"""Charger API: a charging station's service, with nothing but Python. `python charger.py` listens on 127.0.0.1:8000."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

ROOT = Path(__file__).resolve().parent
DATABASE = ROOT / "data" / "sessions.db"
STATION_INFO = ROOT / "data" / "station_info.json"

SCHEMA = """
CREATE TABLE stations (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    district TEXT NOT NULL,
    city TEXT NOT NULL,
    power_kw REAL NOT NULL CHECK (power_kw > 0),
    installed_on TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tariffs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    price_per_kwh NUMERIC NOT NULL,
    valid_from TEXT NOT NULL
);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    station_code TEXT NOT NULL REFERENCES stations (code),
    tariff_id INTEGER NOT NULL REFERENCES tariffs (id),
    driver TEXT NOT NULL,
    plate TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    energy_wh INTEGER NOT NULL DEFAULT 0 CHECK (energy_wh >= 0),
    meter_signature BLOB
);
CREATE INDEX sessions_by_time ON sessions (started_at);
CREATE INDEX open_sessions ON sessions (station_code) WHERE ended_at IS NULL;
CREATE VIEW income AS
    SELECT substr(sessions.started_at, 1, 7) AS month, stations.city, COUNT(*) AS sessions,
           ROUND(SUM(sessions.energy_wh / 1000.0 * tariffs.price_per_kwh), 2) AS lira
    FROM sessions JOIN stations ON stations.code = sessions.station_code JOIN tariffs ON tariffs.id = sessions.tariff_id
    GROUP BY month, stations.city;
"""


def connect(path: Path = DATABASE) -> sqlite3.Connection:
    """Opens the database as the service does: with a write-ahead log, and foreign keys enforced."""
    connection = sqlite3.connect(path, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def start(connection: sqlite3.Connection, station: str, driver: str, plate: str) -> int:
    """Begins a charging session by the newest tariff. Returns its number."""
    with connection:
        tariff = connection.execute("SELECT id FROM tariffs ORDER BY valid_from DESC LIMIT 1").fetchone()[0]
        row = (station, tariff, driver, plate)
        values = "(station_code, tariff_id, driver, plate, started_at) VALUES (?, ?, ?, ?, datetime('now'))"
        return connection.execute(f"INSERT INTO sessions {values}", row).lastrowid or 0


def recent(connection: sqlite3.Connection, number: int = 20) -> list[dict[str, object]]:
    """The newest sessions."""
    columns = "id, station_code, driver, plate, started_at, ended_at, energy_wh"
    rows = connection.execute(f"SELECT {columns} FROM sessions ORDER BY started_at DESC LIMIT ?", (number,))
    return [dict(row) for row in rows]


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answers `GET /health`, `GET /station` and `GET /sessions`, for any WSGI server."""
    path, document = environ["PATH_INFO"], None
    if path == "/health":
        document = {"status": "ok"}
    elif path == "/station":
        document = json.loads(STATION_INFO.read_text(encoding="utf-8"))
    elif path == "/sessions":
        connection = connect()
        document = {"sessions": recent(connection)}
        connection.close()
    body = json.dumps(document or {"detail": "Bulunamadı"}, ensure_ascii=False).encode()
    start_response("200 OK" if document else "404 Not Found", [("Content-Type", "application/json; charset=utf-8")])
    return [body]


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server:
        server.serve_forever()
