#!/usr/bin/env bash
# Stops or starts what uses the database, around a restore. Replace the lines below by those of your own machine,
# for example: systemctl stop sarvcast-queue php-fpm
set -euo pipefail
cd "$(dirname "$0")"

case "${1:-}" in
    stop) echo "$(date -u +%FT%TZ) stopped" >> services.log ;;
    start) echo "$(date -u +%FT%TZ) started" >> services.log ;;
    *) echo "usage: services.sh stop|start" >&2; exit 64 ;;
esac
