#!/bin/sh
cd "$(dirname "$0")" || exit 1
haproxy=/usr/sbin/haproxy
[ -x $haproxy ] || { echo "haproxy is not installed" && exit 77; }
sed "s/@LISTEN@/$LAB_LISTEN/; s/@HOST@/$LAB_HOST/" haproxy.cfg >/tmp/haproxy.cfg
exec $haproxy -db -f /tmp/haproxy.cfg
