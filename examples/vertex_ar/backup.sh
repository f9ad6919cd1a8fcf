#!/usr/bin/env bash
# Бэкап Vertex AR для cron: создать, удалить лишние, сообщить в Telegram.
#   ./backup.sh [--type full|database|storage] [--max-backups N] [--backup-dir DIR]
set -euo pipefail

TYPE=full
MAX_BACKUPS=7
DIRECTORY=()
while (($#)); do
    case $1 in
        --type | --max-backups | --backup-dir)
            (($# > 1)) || { echo "backup.sh: $1 needs a value" >&2; exit 2; }
            case $1 in
                --type) TYPE=$2 ;;
                --max-backups) MAX_BACKUPS=$2 ;;
                --backup-dir) DIRECTORY=(--backup-dir "$(realpath -m -- "$2")") ;;
            esac
            shift 2 ;;
        -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
        *) echo "backup.sh: unknown option $1; see ./backup.sh --help" >&2; exit 2 ;;
    esac
done

cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
. ./telegram.sh
PYTHON=${PYTHON:-python3}
[[ -x .venv/bin/python ]] && PYTHON=.venv/bin/python

STATUS=0
OUTPUT=$("$PYTHON" backup_cli.py "${DIRECTORY[@]}" create --type "$TYPE" 2>&1) || STATUS=$?
printf '%s\n' "$OUTPUT"
if ((STATUS == 0)); then
    "$PYTHON" backup_cli.py "${DIRECTORY[@]}" rotate --max-backups "$MAX_BACKUPS" || STATUS=$?
fi
if ((STATUS == 0)); then
    telegram "✅ Vertex AR ($HOSTNAME): $OUTPUT"
else
    telegram "❌ Vertex AR ($HOSTNAME), $STATUS: $OUTPUT"
fi
exit "$STATUS"
