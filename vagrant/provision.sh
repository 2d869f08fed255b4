#!/usr/bin/env bash
# Makes a fresh Debian 12 or Ubuntu 24.04 a machine with lab installed, completion and man pages included:
#
#   provision.sh SOURCE
#
# As root. Packages come from the distribution alone; a second call only rebuilds what changed.
set -euo pipefail
source=${1:-/lab}
export DEBIAN_FRONTEND=noninteractive
"$source/bootstrap" package
apt-get install -y -qq --no-install-recommends python3 bash-completion man-db nftables iproute2
apt-get install -y -qq --no-install-recommends --reinstall "$source"/build-package/lab_*.deb
lab --version
