#!/bin/sh
# Nobody can log in here, and nobody has to: the limit counts connections before their login.
cd "$(dirname "$0")" || exit 1
sshd=/usr/sbin/sshd
[ -x $sshd ] || { echo "openssh-server is not installed" && exit 77; }
ssh-keygen -q -t ed25519 -N '' -f /tmp/host_key || exit 1
exec $sshd -D -e -f "$PWD/sshd_config" -o "ListenAddress=$LAB_LISTEN"
