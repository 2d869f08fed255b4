#!/bin/sh
# curl.sh OPTIONS…: one request to the server; --resolve takes addresses of both families.
command -v curl >/dev/null || { echo "curl is not installed" && exit 77; }
exec curl -sS --noproxy '*' --resolve "lab:$LAB_PORT:$LAB_HOST" "$@" "http://lab:$LAB_PORT/"
