#!/bin/sh
# netcat.sh LINE: sends it, shuts its own direction and waits for the other end.
command -v nc >/dev/null || { echo "netcat is not installed" && exit 77; }
printf '%s\n' "$1" | exec nc -N "$LAB_HOST" "$LAB_PORT"
