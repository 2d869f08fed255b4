#!/bin/sh
command -v openssl >/dev/null || { echo "openssl is not installed" && exit 77; }
command -v stunnel4 >/dev/null || { echo "stunnel4 is not installed" && exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
cd /tmp || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lab -days 1 -keyout key.pem -out cert.pem 2>req.log || {
  cat req.log
  exit 1
}
sed "s/@LISTEN@/$LAB_HOST:$LAB_PORT/; s/@HOST@/$LAB_HOST/" "$here/stunnel.conf" >stunnel.conf
exec stunnel4 /tmp/stunnel.conf
