#!/usr/bin/env bash
# Drives all ten requests of the guide against a running `holdfast serve`, one after the other.
#
#     export ADMIN_TOKEN=$(holdfast token create --scope admin)
#     holdfast serve &
#     ./drive_api.sh
set -euo pipefail

base=${HOLDFAST_URL:-http://127.0.0.1:8321}/api/v1/admin/backup
token=${ADMIN_TOKEN:?make one with: holdfast token create --scope admin}
out=${OUT:-.}

# The token goes through a file descriptor: arguments of a program can be read by everybody on the machine.
ask() {
    local method=$1 place=$2
    shift 2
    curl --fail-with-body --silent --show-error --request "$method" \
        --header @<(printf 'Authorization: Bearer %s\n' "$token") "$@" "$base$place"
}
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][sys.argv[1]])' "$1"; }
json=(--header "Content-Type: application/json" --data)

echo "1. پشتیبان کامل"
full=$(ask POST /create-full | field backup_id)
echo "   $full"

echo "2. پشتیبان افزایشی"
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
changes=$(ask POST /create-incremental "${json[@]}" "{\"since\": \"$since\"}" | field backup_id)
echo "   $changes"

echo "3. فهرست"
ask GET /list | field total_count

echo "4. آمار"
ask GET /stats | field total_size

echo "5. دانلود، و بررسی چکیده"
ask GET "/download/$full" --output "$out/$full.zip" --dump-header "$out/headers.txt"
expected=$(tr -d '\r' < "$out/headers.txt" | sed -n 's/^x-checksum-sha256: //Ip')
echo "$expected  $out/$full.zip" | sha256sum --check --quiet
rm -f "$out/headers.txt"

echo "6. بازیابی"
ask POST /restore "${json[@]}" "{\"backup_id\": \"$changes\"}" | field restored

echo "7. تنظیم زمانبندی"
ask POST /schedule "${json[@]}" '{"full_backup_frequency": "weekly", "incremental_backup_frequency": "daily",
    "retention_days": 30, "enabled": true}' | field next_runs

echo "8. دریافت زمانبندی"
ask GET /schedule | field enabled

echo "9. پاکسازی"
ask POST /cleanup "${json[@]}" '{"days_to_keep": 30}' | field deleted_count

echo "10. حذف"
# آخرین پشتیبان سالم هرگز حذف نمی‌شود؛ نخست یکی دیگر
ask POST /create-full | field backup_id
ask DELETE "/$changes" | field backup_id
