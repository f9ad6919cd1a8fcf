"""Charger API yedekleri. Bütün işi Holdfast yapar; ne yedeklendiği `holdfast.toml` dosyasındadır.

python3 scripts/backup_manager.py [--backup-dir DIR] [--no-compress] [--database-only | --config-only]
python3 scripts/backup_manager.py --list | --cleanup DAYS
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from holdfast import BackupManager, create_backup_manager
from holdfast.cli.text import translate_error
from holdfast.errors import HoldfastError

ROOT = Path(__file__).resolve().parent.parent


def make_manager(backup_dir: str | None = None, compress: bool = True) -> BackupManager:
    """Bu projenin yedek yöneticisi; `compress` yalnızca veritabanı içindir."""
    return create_backup_manager(
        config=ROOT / "holdfast.toml",
        backup_dir=backup_dir,
        compress_databases=None if compress else False,
    )


def backup(manager: BackupManager, kind: str = "full") -> None:
    """Yedek alır ve dosyalarını sayar; uyarılar standart hataya, systemd altında günlüğe gider."""
    made = manager.create_backup(kind)
    print(f"Yedek alındı: {made.backup_id} ({made.file_size:,} bayt)")
    for name in made.files:
        print(f"  {os.path.relpath(name)}")
    for problem in made.problems:
        what = "bulunamadı, atlandı" if problem.code == "missing-accepted" else problem.detail or problem.code
        print(f"UYARI: {problem.subject} {what}", file=sys.stderr)


def show_list(manager: BackupManager) -> None:
    """Bütün yedek dosyalarını listeler, en yenisi üstte."""
    backups = manager.list_backups("all")
    for one in backups:
        print(f"{one.created_at}  {one.backup_id}  {one.file_size:>12,} bayt  {one.outcome}")
        for name in one.files:
            print(f"    {os.path.relpath(name)}")
    print(f"Toplam: {len(backups)} yedek" if backups else "Henüz yedek yok")


def cleanup(manager: BackupManager, days: int) -> None:
    """Verilen günden eski yedekleri siler; en yenisi her zaman kalır."""
    removed = manager.cleanup_backups(days)
    for one in removed:
        print(f"Silindi: {one.backup_id}")
    print(f"{days} günden eski {len(removed)} yedek silindi")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Komut satırını okur."""
    parser = argparse.ArgumentParser(description="Charger API yedekleme")
    parser.add_argument("--backup-dir", metavar="DIR", help="Yedek dizini (varsayılan: backups/)")
    parser.add_argument("--no-compress", action="store_true", help="Veritabanı yedeğini sıkıştırma")
    parser.add_argument("--cleanup", type=int, metavar="DAYS", help="Belirtilen günden eski yedekleri sil")
    parser.add_argument("--list", action="store_true", help="Tüm yedek dosyalarını listele")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--database-only", action="store_true", help="Sadece veritabanı yedeği")
    only.add_argument("--config-only", action="store_true", help="Sadece yapılandırma yedeği")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Bir komut çalıştırır; her şey yapıldıysa 0 döndürür."""
    options = parse(arguments)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    kind = "database" if options.database_only else "config" if options.config_only else "full"
    try:
        with make_manager(options.backup_dir, compress=not options.no_compress) as manager:
            if options.list:
                show_list(manager)
            elif options.cleanup is not None:
                cleanup(manager, options.cleanup)
            else:
                backup(manager, kind)
    except HoldfastError as error:
        message, hint = translate_error(error, "tr")
        print(f"HATA: {message}. {hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
