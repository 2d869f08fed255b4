#!/bin/sh
command -v socat >/dev/null || { echo "socat is not installed" && exit 77; }
case $LAB_HOST in
  *:*) exec socat "TCP6-LISTEN:$LAB_PORT,bind=[$LAB_HOST],reuseaddr,fork" "TCP6:[$LAB_HOST]:8081" ;;
  *) exec socat "TCP4-LISTEN:$LAB_PORT,bind=$LAB_HOST,reuseaddr,fork" "TCP4:$LAB_HOST:8081" ;;
esac
