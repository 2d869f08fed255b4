#!/bin/bash
# A cluster of its own in the sandbox's /tmp, by the newest PostgreSQL that is installed. It listens before it is ready,
# and turns whoever comes early away: pg_ctl waits for the rest, and a connection to port 8081 says so.
cd "$(dirname "$0")" || exit 1
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/postgres" ] || { echo "postgresql is not installed" && exit 77; }
"$bin/initdb" --no-sync --no-instructions -A trust -U postgres -D /tmp/data --locale=C -E SQL_ASCII >/tmp/log 2>&1 || {
  cat /tmp/log
  exit 1
}
cat postgresql.conf >>/tmp/data/postgresql.conf
"$bin/pg_ctl" -D /tmp/data -w -t 60 -o "-h $LAB_HOST -p $LAB_PORT -k /tmp" start || exit 1
: >/dev/tcp/127.0.0.1/8081
