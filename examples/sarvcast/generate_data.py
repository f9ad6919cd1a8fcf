"""Fills SarvCast with believable data: stories, episodes, pictures along them, comments, measurements, and media files.

    python generate_data.py mysql://user:password@127.0.0.1:3306/sarvcast --comments 500

The database must exist and is emptied first. The same seed gives the same rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

ROOT = Path(__file__).resolve().parent
FIRST = (
    "سارا", "مریم", "نگار", "شیرین", "پریسا", "یلدا", "آوا", "رها", "امیر", "کاوه", "آرش", "سیاوش", "بهرام", "کیان",
    "پویا", "سهراب",
)  # fmt: skip
LAST = (
    "احمدی", "کریمی", "رضایی", "موسوی", "حسینی", "جعفری", "نوری", "صادقی", "قاسمی", "شریفی", "طاهری", "یزدانی",
)  # fmt: skip
STORIES = (
    "ماهی سیاه کوچولو", "سیمرغ و زال", "شهر قصه", "پری دریایی شمال", "باغ انار", "شب‌های یلدا", "کلاغ و صابون",
    "دختر ماه", "رستم و رخش", "آهوی گردن‌دراز",
)  # fmt: skip
OPINIONS = (
    "خیلی زیبا بود، ممنون 🌹", "دخترم هر شب گوش می‌دهد", "صدای راوی عالی است", "پایانش را دوست نداشتم",
    "لطفاً قسمت بعد را زودتر بگذارید", "پسرم با این قصه خوابش برد 😴", "تصویرها با صدا هماهنگ نیست",
    "یاد کودکی‌ام افتادم",
)  # fmt: skip
METRICS = ("api_latency_ms", "queue_length", "cpu_percent", "memory_mb", "active_listeners")
TABLES = ("image_timelines", "story_comments", "performance_metrics", "episodes", "stories", "users")
START = datetime(2025, 3, 21, 8, 0, tzinfo=UTC)


def main() -> None:
    """Replaces all data of the application; an `.env` that is there already is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="mysql://user:password@host:port/database")
    parser.add_argument("--comments", type=int, default=500, help="how many comments; everything else goes with them")
    parser.add_argument("--media-kb", type=int, default=40, help="size of each media file")
    parser.add_argument("--seed", type=int, default=21, help="another number gives other data")
    options = parser.parse_args()
    counts = generate(options.url, options.comments, options.media_kb, options.seed)
    print(json.dumps(counts))


def connect(url: str) -> pymysql.Connection[Any]:
    """Connects to the database of a URL."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
    )


def generate(url: str, comments: int, media_kb: int, seed: int) -> dict[str, int]:
    """Writes everything; returns rows by table."""
    rng = random.Random(seed)
    write_files(rng, url, media_kb)
    with connect(url) as connection, connection.cursor() as cursor:
        empty(cursor)
        fill(cursor, rng, comments)
        connection.commit()
        counts: dict[str, int] = {}
        for table in TABLES:
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts


def empty(cursor: Any) -> None:
    """Drops what is there and makes the schema anew."""
    cursor.execute("DROP VIEW IF EXISTS approved_comments")
    for table in TABLES:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in (ROOT / "schema.sql").read_text().split(";\n"):
        if statement.strip():
            cursor.execute(statement)


def fill(cursor: Any, rng: random.Random, comments: int) -> None:
    """Writes all rows, parents first."""
    users = max(10, comments // 10)
    people = [f"{rng.choice(FIRST)} {rng.choice(LAST)}" for _ in range(users)]
    cursor.executemany(
        "INSERT INTO users (name, email, created_at) VALUES (%s, %s, %s)",
        [(name, f"user{number}@example.com", moment(rng)) for number, name in enumerate(people, 1)],
    )
    cursor.executemany(
        "INSERT INTO stories (title, narrator, cover_path, price) VALUES (%s, %s, %s, %s)",
        [
            (title, rng.choice(people), f"covers/story-{number}.jpg", f"{rng.randrange(0, 90) * 1000}.50")
            for number, title in enumerate(STORIES, 1)
        ],
    )
    episodes = [
        (story, f"قسمت {number}", f"audio/story-{story}-{number}.mp3", rng.randrange(300, 1500))
        for story in range(1, len(STORIES) + 1)
        for number in range(1, 4)
    ]
    cursor.executemany("INSERT INTO episodes (story_id, title, audio_path, seconds) VALUES (%s, %s, %s, %s)", episodes)
    cursor.executemany(
        "INSERT INTO image_timelines (episode_id, image_path, start_second, end_second, fingerprint, updated_at) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        [timeline(rng, number, len(episodes)) for number in range(max(30, comments * 3 // 10))],
    )
    cursor.executemany(
        "INSERT INTO story_comments (story_id, user_id, body, status, created_at) VALUES (%s, %s, %s, %s, %s)",
        [
            (
                rng.randrange(1, len(STORIES) + 1),
                rng.randrange(1, users + 1),
                rng.choice(OPINIONS),
                rng.choice(("pending", "approved", "approved", "rejected")),
                moment(rng),
            )
            for _ in range(comments)
        ],
    )
    cursor.executemany(
        "INSERT INTO performance_metrics (name, value, labels, alert, measured_at) VALUES (%s, %s, %s, %s, %s)",
        [metric(rng) for _ in range(comments * 2)],
    )


def timeline(rng: random.Random, number: int, episodes: int) -> tuple[Any, ...]:
    """One picture along an episode."""
    start = number // episodes * 20
    fingerprint = hashlib.md5(str(number).encode(), usedforsecurity=False).digest()
    episode = number % episodes + 1
    return episode, f"pictures/{episode}-{number}.jpg", start, start + rng.randrange(5, 20), fingerprint, moment(rng)


def metric(rng: random.Random) -> tuple[Any, ...]:
    """One measurement; some raise an alert."""
    name, value = rng.choice(METRICS), round(rng.lognormvariate(3, 1), 3)
    labels = json.dumps({"host": f"web{rng.randrange(1, 4)}", "نسخه": "1.0.0"}, ensure_ascii=False)
    return name, value, labels, "بیش از حد معمول" if value > 100 else None, moment(rng)


def moment(rng: random.Random) -> datetime:
    """Some moment of the half year after the start."""
    return (START + timedelta(seconds=rng.randrange(180 * 86400), microseconds=rng.randrange(1_000_000))).replace(
        tzinfo=None
    )


def write_files(rng: random.Random, url: str, media_kb: int) -> None:
    """Writes covers and sound, the configuration and, where there is none, `.env`."""
    public = ROOT / "storage" / "app" / "public"
    for folder in ("covers", "audio"):
        (public / folder).mkdir(parents=True, exist_ok=True)
    for number in range(1, len(STORIES) + 1):
        (public / "covers" / f"story-{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + rng.randbytes(media_kb * 256))
        (public / "audio" / f"story-{number}-1.mp3").write_bytes(b"ID3" + rng.randbytes(media_kb * 1024))
    (ROOT / "config").mkdir(exist_ok=True)
    settings = {"name": "سروکست", "support": {"email": "backup-support@sarvcast.com", "phone": "021-12345678"}}
    (ROOT / "config" / "sarvcast.json").write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n")
    if not (ROOT / ".env").exists():
        (ROOT / ".env").write_text(f"APP_NAME=SarvCast\nAPP_LOCALE=fa\nDATABASE_URL={url}\n")
        (ROOT / ".env").chmod(0o600)


if __name__ == "__main__":
    main()
