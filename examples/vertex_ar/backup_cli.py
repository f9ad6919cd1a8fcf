"""Бэкапы Vertex AR из командной строки: create, list, stats, restore, rotate."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable

from backup_manager import BackupManager, create_backup_manager

from holdfast.cli.text import translate_error
from holdfast.errors import HoldfastError

MESSAGES = {
    "ru": {
        "created": "Бэкап {id} создан ({type}): {mb:.1f} МБ",
        "total": "Всего бэкапов: {total_backups}\nОбщий размер: {total_size_mb:.1f} МБ",
        "period": "Самый старый: {oldest_backup}\nСамый новый: {newest_backup}",
        "empty": "Бэкапов пока нет",
        "restored": "Восстановлено из бэкапа {id}: {what}",
        "kept": "Прежнее состояние сохранено: {path}",
        "rotated": "Удалено старых бэкапов: {count}",
        "error": "Ошибка",
    },
    "en": {
        "created": "Backup {id} was created ({type}): {mb:.1f} MB",
        "total": "Total backups: {total_backups}\nTotal size: {total_size_mb:.1f} MB",
        "period": "Oldest: {oldest_backup}\nNewest: {newest_backup}",
        "empty": "There are no backups yet",
        "restored": "Restored from backup {id}: {what}",
        "kept": "The former state is kept: {path}",
        "rotated": "Old backups removed: {count}",
        "error": "Error",
    },
}
Say = Callable[..., None]


def main() -> int:
    """Выполняет одну команду и возвращает код завершения: 0, если всё сделано."""
    options = parse()
    # `list | head` обрывает вывод: это не ошибка.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    language = "ru"
    try:
        with create_backup_manager(options.max_backups, options.backup_dir) as manager:
            language = "ru" if manager.language == "ru" else "en"
            COMMANDS[options.command](
                manager, options, lambda key, **values: print(MESSAGES[language][key].format(**values))
            )
    except HoldfastError as error:
        message, hint = translate_error(error, language)
        print(f"{MESSAGES[language]['error']}: {message}. {hint}", file=sys.stderr)
        return error.exit_code
    return 0


def parse() -> argparse.Namespace:
    """Читает командную строку."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("--backup-dir", metavar="DIR", help="куда складывать бэкапы (backups/)")
    parser.set_defaults(max_backups=7)
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="создать бэкап")
    create.add_argument("--type", choices=["full", "database", "storage"], default="full")
    commands.add_parser("list", help="список бэкапов, новые сверху")
    commands.add_parser("stats", help="статистика")
    restore = commands.add_parser("restore", help="восстановить из файла бэкапа")
    restore.add_argument("backup_path", metavar="PATH")
    restore.add_argument("--no-verify", action="store_true", help="не проверять чексуммы (не рекомендуется)")
    rotate = commands.add_parser("rotate", help="удалить старые бэкапы")
    rotate.add_argument("--max-backups", type=int, default=7, metavar="N", help="сколько последних оставить (7)")
    return parser.parse_args()


def create(manager: BackupManager, options: argparse.Namespace, say: Say) -> None:
    """Создаёт бэкап и называет его файлы."""
    made = manager.create_backup(options.type)
    say("created", id=made.backup_id, type=made.type, mb=made.file_size / 1_048_576)
    for part in made.components.values():
        print(f"  {os.path.relpath(part.backup_path)}  sha256:{part.checksum}")


def show_list(manager: BackupManager, _options: argparse.Namespace, say: Say) -> None:
    """Строка на бэкап и по строке на каждый его файл."""
    backups = manager.list_backups("all")
    for backup in backups:
        print(f"{backup.created_at}  {backup.type:<9} {backup.file_size / 1_048_576:9.1f} MB  {backup.backup_id}")
        for part in backup.components.values():
            print(f"    {os.path.relpath(part.backup_path)}")
    if not backups:
        say("empty")


def stats(manager: BackupManager, _options: argparse.Namespace, say: Say) -> None:
    """Сколько бэкапов и сколько они занимают."""
    totals = manager.get_backup_stats()
    say("total", **totals)
    if totals.total_backups:
        say("period", **totals)
    for kind, number in totals.by_type.items():
        print(f"  {kind}: {number}")


def restore(manager: BackupManager, options: argparse.Namespace, say: Say) -> None:
    """Восстанавливает то, что в файле; что это, видно по самому бэкапу."""
    done = manager.restore_backup(options.backup_path, verify_checksum=not options.no_verify)
    say("restored", id=done.backup_id, what=", ".join(done.restored))
    for path in done.safety_copies:
        say("kept", path=os.path.relpath(path))


def rotate(manager: BackupManager, _options: argparse.Namespace, say: Say) -> None:
    """Оставляет последние бэкапы каждого типа."""
    say("rotated", count=len(manager.rotate_backups()))


COMMANDS = {"create": create, "list": show_list, "stats": stats, "restore": restore, "rotate": rotate}

if __name__ == "__main__":
    sys.exit(main())
