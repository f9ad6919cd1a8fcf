"""The application's database: users, clients, portraits and videos in one SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "app_data" / "app_data.db"

SCHEMA = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE COLLATE NOCASE,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    password_hash BLOB NOT NULL,
    is_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)),
    created_at TEXT NOT NULL
);
CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    company TEXT,
    phone TEXT NOT NULL,
    email TEXT,
    address TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE portraits (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    permanent_link TEXT NOT NULL UNIQUE,
    image_path TEXT NOT NULL,
    preview_path TEXT NOT NULL,
    marker_path TEXT NOT NULL,
    price NUMERIC NOT NULL,
    views INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE TABLE videos (
    id INTEGER PRIMARY KEY,
    portrait_id INTEGER NOT NULL REFERENCES portraits (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    video_path TEXT NOT NULL,
    duration_s REAL NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE INDEX portraits_by_client ON portraits (client_id, created_at);
CREATE UNIQUE INDEX one_active_video ON videos (portrait_id) WHERE is_active = 1;
CREATE VIEW popular_portraits AS
    SELECT portraits.id, portraits.title, clients.name AS client, portraits.views
    FROM portraits JOIN clients ON clients.id = portraits.client_id ORDER BY portraits.views DESC;
CREATE TRIGGER first_video_is_active AFTER INSERT ON videos
    WHEN NOT EXISTS (SELECT 1 FROM videos WHERE portrait_id = NEW.portrait_id AND is_active = 1)
    BEGIN UPDATE videos SET is_active = 1 WHERE id = NEW.id; END;
"""


def connect(path: Path = PATH) -> sqlite3.Connection:
    """Opens the database as the application does: with a write-ahead log, and foreign keys enforced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def portrait(connection: sqlite3.Connection, link: str) -> dict[str, object] | None:
    """What a phone needs to play a portrait, and one more view for its owner; None if there is no such portrait."""
    with connection:
        connection.execute("UPDATE portraits SET views = views + 1 WHERE permanent_link = ?", (link,))
    row = connection.execute(
        """
        SELECT portraits.title, portraits.marker_path, portraits.views, videos.video_path, videos.duration_s
        FROM portraits LEFT JOIN videos ON videos.portrait_id = portraits.id AND videos.is_active = 1
        WHERE permanent_link = ?
        """,
        (link,),
    ).fetchone()
    return None if row is None else dict(row)


def totals(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows by table."""
    tables = ("users", "clients", "portraits", "videos")
    return {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}
