#!/bin/sh
command -v openssl >/dev/null || { echo "openssl is not installed" && exit 77; }
cd /tmp || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=lab -days 1 -keyout key.pem -out cert.pem 2>req.log || {
  cat req.log
  exit 1
}
exec openssl s_server -quiet -naccept 1 -accept "$LAB_LISTEN" -key key.pem -cert cert.pem
