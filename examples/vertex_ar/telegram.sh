# shellcheck shell=bash
# Уведомление в Telegram, если заданы TELEGRAM_BOT_TOKEN и TELEGRAM_CHAT_ID:  . telegram.sh; telegram "текст"

telegram() {
    [[ -n "${TELEGRAM_BOT_TOKEN:-}" && -n "${TELEGRAM_CHAT_ID:-}" ]] || return 0
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    # Токен идёт через стандартный ввод: в списке процессов его не увидит никто.
    curl --silent --show-error --fail --max-time 20 --output /dev/null --config - <<CURL || echo "WARNING: Telegram notification was not sent" >&2
url = "${TELEGRAM_API_URL:-https://api.telegram.org}/bot${TELEGRAM_BOT_TOKEN}/sendMessage"
data-urlencode = "chat_id=${TELEGRAM_CHAT_ID}"
data-urlencode = "text=${text}"
CURL
}
