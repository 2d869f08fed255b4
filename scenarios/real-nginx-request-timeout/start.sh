#!/bin/sh
# nginx in the foreground; everything it writes is in the sandbox's own /tmp.
cd "$(dirname "$0")" || exit 1
nginx=/usr/sbin/nginx
[ -x $nginx ] || { echo "nginx is not installed" && exit 77; }
sed "s/@LISTEN@/$LAB_LISTEN/" nginx.conf >/tmp/nginx.conf
exec $nginx -e stderr -p /tmp -c /tmp/nginx.conf
