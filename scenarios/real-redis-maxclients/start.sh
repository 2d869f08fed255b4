#!/bin/sh
cd "$(dirname "$0")" || exit 1
command -v redis-server >/dev/null || { echo "redis-server is not installed" && exit 77; }
exec redis-server "$PWD/redis.conf" --bind "$LAB_HOST" --port "$LAB_PORT"
