#!/bin/bash
# check_backup_status.sh
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" || exit 2
. ./telegram.sh

# Проверить возраст последнего бэкапа
LATEST_BACKUP=$(find backups/database -name "*.db" -type f -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -1 | cut -d' ' -f2)
if [ -z "$LATEST_BACKUP" ]; then
    echo "WARNING: There is no backup!"
    telegram "⚠️ Vertex AR ($HOSTNAME): There is no backup!"
    exit 5
fi
BACKUP_AGE=$(($(date +%s) - $(stat -c %Y "$LATEST_BACKUP")))
MAX_AGE=$((24 * 60 * 60))  # 24 часа

if [ $BACKUP_AGE -gt $MAX_AGE ]; then
    echo "WARNING: Last backup is older than 24 hours!"
    # Отправить уведомление
    telegram "⚠️ Vertex AR ($HOSTNAME): Last backup is older than 24 hours!"
    exit 5
fi
