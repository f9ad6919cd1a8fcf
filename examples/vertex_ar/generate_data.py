"""Fills the application with believable data: a studio's clients, their portraits, videos and NFT markers.

    python generate_data.py --size 100MB

The same seed gives the same rows and the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import database

MEN = (
    "Александр", "Сергей", "Дмитрий", "Андрей", "Алексей", "Максим", "Евгений", "Иван", "Михаил", "Артём", "Николай",
    "Илья", "Роман", "Фёдор", "Пётр", "Юрий", "Григорий", "Тимофей",
)  # fmt: skip
WOMEN = (
    "Анна", "Елена", "Ольга", "Наталья", "Екатерина", "Мария", "Ирина", "Светлана", "Татьяна", "Юлия", "Дарья",
    "Ксения", "Алёна", "Вера", "Любовь", "Софья", "Варвара", "Полина",
)  # fmt: skip
FAMILIES = (
    "Иванов", "Смирнов", "Кузнецов", "Попов", "Васильев", "Петров", "Соколов", "Михайлов", "Новиков", "Фёдоров",
    "Морозов", "Волков", "Алексеев", "Лебедев", "Семёнов", "Егоров", "Павлов", "Козлов", "Степанов", "Орлов",
    "Щербаков", "Чернышёв", "Ёлкин", "Подъячев",
)  # fmt: skip
COMPANIES = (
    "ООО «Светлый дом»", "Фотостудия «Ракурс»", "ИП Соколова А. В.", "АО «Северный ветер»", "Галерея «На Невском»",
    "Свадебное агентство «Вместе»", "Школа № 57", "ЗАО «Уральский камень»", None, None, None, None,
)  # fmt: skip
STREETS = (
    "ул. Ленина", "пр. Мира", "Невский пр.", "ул. Большая Морская", "ул. Садовая", "наб. реки Фонтанки", "ул. Пушкина",
    "пер. Кривоколенный", "ул. Красный Проспект", "б-р Гагарина",
)  # fmt: skip
CITIES = ("Москва", "Санкт-Петербург", "Казань", "Новосибирск", "Екатеринбург", "Пермь", "Ярославль", "Тверь")
OCCASIONS = (
    "Свадьба", "Выпускной", "Юбилей дедушки", "Первый класс", "Семейный портрет", "Новый год", "Крестины",
    "Золотая свадьба", "«Мама, 1974»", "Портрет с котом 🐈",
)  # fmt: skip
STUDIO = ("Администратор", "Менеджер", "Фотограф", "Ретушёр", "Монтажёр")
START = datetime(2023, 3, 1, 9, 0, tzinfo=UTC)
LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "yo", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
SHARES = {"videos": 0.66, "images": 0.22, "nft_markers": 0.10, "previews": 0.02}


def main() -> None:
    """Replaces the application's data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=parse_size, default=parse_size("20MB"), help="about how much, as in 100MB")
    parser.add_argument("--seed", type=int, default=20240101, help="another number gives other data")
    options = parser.parse_args()
    totals = generate(database.ROOT, options.size, options.seed)
    print(", ".join(f"{name}: {number}" for name, number in totals.items()))


def parse_size(text: str) -> int:
    """Bytes from a text such as `100MB`, `512KB` or `1GB`."""
    units = {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
    number, unit = (text[:-2], units[text[-2:].upper()]) if text[-2:].upper() in units else (text, 1)
    return int(float(number) * unit)


def generate(root: Path, size_bytes: int, seed: int) -> dict[str, int]:
    """Writes database and files below `root`, in place of what is there. Returns rows by table."""
    rng = random.Random(seed)
    portraits = max(4, min(4000, size_bytes // 700_000))
    shutil.rmtree(root / "storage", ignore_errors=True)
    path = root / "app_data" / "app_data.db"
    for leftover in (path, path.with_name("app_data.db-wal"), path.with_name("app_data.db-shm")):
        leftover.unlink(missing_ok=True)
    connection = database.connect(path)
    with connection:
        connection.executescript(database.SCHEMA)
        _add_users(connection, rng)
        clients = _add_clients(connection, rng, max(3, portraits * 2 // 3))
        for number in range(1, portraits + 1):
            _add_portrait(connection, rng, root, number, clients, size_bytes // portraits)
    totals = database.totals(connection)
    connection.close()
    return totals


def _person(rng: random.Random) -> tuple[str, str]:
    """(name, mail address)"""
    woman = rng.random() < 0.5
    first, family = rng.choice(WOMEN if woman else MEN), rng.choice(FAMILIES) + ("а" if woman else "")
    local = "".join(LATIN.get(letter, letter) for letter in f"{first[0]}.{family}".lower())
    return f"{first} {family}", f"{local}{rng.randrange(1000)}@example.ru"


def _moment(rng: random.Random) -> str:
    return (START + timedelta(seconds=rng.randrange(2 * 365 * 86_400))).strftime("%Y-%m-%d %H:%M:%S")


def _add_users(connection: sqlite3.Connection, rng: random.Random) -> None:
    for number, role in enumerate(STUDIO, 1):
        name, mail = _person(rng)
        secret = hashlib.scrypt(rng.randbytes(12), salt=rng.randbytes(16), n=2, r=8, p=1, dklen=32)
        row = (number, f"user{number}", f"{name} ({role})", mail, secret, number == 1, _moment(rng))
        connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _add_clients(connection: sqlite3.Connection, rng: random.Random, wanted: int) -> int:
    for number in range(1, wanted + 1):
        name, mail = _person(rng)
        phone = (
            f"+7 9{rng.randrange(10, 100)} {rng.randrange(100, 1000)}-{rng.randrange(10, 100)}-{rng.randrange(10, 100)}"
        )
        address = (
            f"г. {rng.choice(CITIES)}, {rng.choice(STREETS)}, д. {rng.randrange(1, 200)}, кв. {rng.randrange(1, 300)}"
        )
        row = (number, rng.randrange(1, 6), name, rng.choice(COMPANIES), phone, mail, address, _moment(rng))
        connection.execute("INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return wanted


def _add_portrait(
    connection: sqlite3.Connection, rng: random.Random, root: Path, number: int, clients: int, size_bytes: int
) -> None:
    link = hashlib.sha256(f"portrait {number}".encode()).hexdigest()[:16]
    image, preview = f"storage/images/{link}.jpg", f"storage/previews/{link}.webp"
    marker = f"storage/nft_markers/{link}"
    title = f"{rng.choice(OCCASIONS)} № {number}"
    price, views = rng.randrange(150_000, 900_000) / 100, rng.randrange(5_000)
    row = (number, rng.randrange(1, clients + 1), title, link, image, preview, marker, price, views, _moment(rng))
    connection.execute("INSERT INTO portraits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    jpeg = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
    _write(root / image, jpeg, rng, int(size_bytes * SHARES["images"]))
    _write(root / preview, b"RIFF" + bytes(4) + b"WEBPVP8 ", rng, int(size_bytes * SHARES["previews"]))
    for suffix, share in ((".iset", 0.5), (".fset", 0.3), (".fset3", 0.2)):
        _write(
            root / (marker + suffix), b"ARNFT\x00", rng, int(size_bytes * SHARES["nft_markers"] * share), dense=False
        )
    versions = rng.choice((1, 1, 2))
    for version in range(1, versions + 1):
        video = f"storage/videos/{link}_{version}.mp4"
        name = f"{title}, вариант {version}"
        row = (number, name, video, round(rng.uniform(5, 90), 2), 0, _moment(rng))
        columns = "portrait_id, title, video_path, duration_s, is_active, created_at"
        connection.execute(f"INSERT INTO videos ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
        head = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d")
        _write(root / video, head, rng, int(size_bytes * SHARES["videos"] / versions))


def _write(path: Path, head: bytes, rng: random.Random, size_bytes: int, *, dense: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head)
        left = max(64, size_bytes - len(head))
        while left > 0:
            block = (
                rng.randbytes(min(left, 1 << 20))
                if dense
                else (rng.randbytes(8) + bytes(24)) * (min(left, 1 << 20) // 32 + 1)
            )
            left -= file.write(block[: min(left, 1 << 20)])


if __name__ == "__main__":
    main()
