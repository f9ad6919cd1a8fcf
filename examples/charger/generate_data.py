"""Fills the service with believable data: stations, tariffs and charging sessions, the station's file and `.env`.

    python generate_data.py --sessions 2000

The same seed gives the same rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import charger

WOMEN = (
    "Ayşe", "Fatma", "Zeynep", "Elif", "Gülşen", "Özlem", "Çiğdem", "Şule", "İpek", "Yağmur", "Hatice", "Büşra",
)  # fmt: skip
MEN = (
    "Mehmet", "Mustafa", "Ahmet", "Ali", "Hüseyin", "Çağrı", "Oğuz", "Ömer", "İbrahim", "Şükrü", "Barış", "Yiğit",
)  # fmt: skip
FAMILIES = (
    "Yılmaz", "Kaya", "Demir", "Şahin", "Çelik", "Yıldız", "Yıldırım", "Öztürk", "Aydın", "Özdemir", "Arslan",
    "Doğan", "Kılıç", "Işık", "Güneş", "Tekin",
)  # fmt: skip
PLACES = (
    ("TR-34-001", "Kadıköy İskele", "Kadıköy", "İstanbul", 60.0),
    ("TR-34-002", "Beşiktaş Çarşı", "Beşiktaş", "İstanbul", 22.0),
    ("TR-06-001", "Kızılay Meydanı", "Çankaya", "Ankara", 120.0),
    ("TR-35-001", "Güzelyalı Sahil", "Konak", "İzmir", 60.0),
    ("TR-16-001", "Uludağ Yolu", "Osmangazi", "Bursa", 180.0),
    ("TR-07-001", "Kaleiçi Otopark", "Muratpaşa", "Antalya", 22.0),
    ("TR-26-001", "Porsuk Çayı", "Odunpazarı", "Eskişehir", 60.0),
    ("TR-61-001", "Boztepe Yokuşu", "Ortahisar", "Trabzon", 22.0),
)
TARIFFS = (("Gündüz", 8.49, "2024-01-01"), ("Gece", 6.99, "2024-01-01"), ("Hızlı şarj", 11.20, "2024-06-01"))
START = datetime(2024, 6, 1, 6, 0, tzinfo=UTC)


def main() -> None:
    """Replaces the service's data; an `.env` that is there already is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=2000, help="how many charging sessions")
    parser.add_argument("--seed", type=int, default=34, help="another number gives other data")
    options = parser.parse_args()
    generate(charger.ROOT, options.sessions, options.seed)
    print(f"sessions: {options.sessions}")


def generate(root: Path, sessions: int, seed: int) -> None:
    """Writes database, station file and, where there is none, `.env` below `root`."""
    rng = random.Random(seed)
    data = root / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("sessions.db", "sessions.db-wal", "sessions.db-shm"):
        (data / name).unlink(missing_ok=True)
    connection = charger.connect(data / "sessions.db")
    with connection:
        connection.executescript(charger.SCHEMA)
        rows = [(*place, f"2024-05-{number:02}") for number, place in enumerate(PLACES, 1)]
        connection.executemany("INSERT INTO stations VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO tariffs (name, price_per_kwh, valid_from) VALUES (?, ?, ?)", TARIFFS)
        _add_sessions(connection, rng, sessions)
    connection.close()
    _write_station(data / "station_info.json")
    if not (root / ".env").exists():
        _write_environment(root / ".env", rng)


def _add_sessions(connection: sqlite3.Connection, rng: random.Random, wanted: int) -> None:
    moment = START
    for number in range(1, wanted + 1):
        moment += timedelta(seconds=rng.randrange(60, 5400))
        ended = moment + timedelta(minutes=rng.randrange(8, 180))
        driver = f"{rng.choice((*WOMEN, *MEN))} {rng.choice(FAMILIES)}"
        letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVYZ") for _ in range(rng.choice((1, 2, 3))))
        plate = f"{rng.choice(('34', '06', '35', '16', '07', '26', '61'))} {letters} {rng.randrange(10, 9999)}"
        # The last session is still charging.
        end, energy = (
            (ended.strftime("%Y-%m-%d %H:%M:%S"), rng.randrange(900, 75_000)) if number < wanted else (None, 0)
        )
        signature = hashlib.sha256(f"{number}:{energy}".encode()).digest() if end else None
        place, tariff = rng.choice(PLACES)[0], rng.randrange(1, len(TARIFFS) + 1)
        row = (place, tariff, driver, plate, moment.strftime("%Y-%m-%d %H:%M:%S"), end, energy, signature)
        columns = "station_code, tariff_id, driver, plate, started_at, ended_at, energy_wh, meter_signature"
        connection.execute(f"INSERT INTO sessions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _write_station(path: Path) -> None:
    code, name, district, city, power = PLACES[0]
    connectors = [{"id": 1, "type": "CCS2", "power_kw": power}, {"id": 2, "type": "Type 2", "power_kw": 22.0}]
    address = {"street": "Rıhtım Caddesi No: 12", "district": district, "city": city, "postal_code": "34710"}
    document = {
        "station_id": code, "name": name, "operator": "Başar Şarj A.Ş.", "address": address, "connectors": connectors,
        "opening_hours": "7/24", "phone": "+90 216 555 01 23",
    }  # fmt: skip
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_environment(path: Path, rng: random.Random) -> None:
    path.touch(mode=0o600)
    path.write_text(
        "# Charger API ortam değişkenleri\n"
        "CHARGER_STATION=TR-34-001\nCHARGER_PORT=8000\n"
        f"CHARGER_API_KEY={rng.randbytes(24).hex()}\nCHARGER_TIMEZONE=Europe/Istanbul\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
