#!/bin/sh
# Installs Debian packages, as root, without starting a service or leaving one to start at the next boot:
# install-packages.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive
# What it says is counted, to tell how far it is.
export LC_ALL=C

# invoke-rc.d asks this program before it starts a service; 101 says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi

# One repository out of many that does not answer need not matter: the installation itself tells.
apt-get update || true
# A new machine may still be installing its updates.
apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@"

if command -v systemctl > /dev/null; then
  for package; do
    case $package in
      prometheus) systemctl disable prometheus.service ;;
      etcd-server) systemctl disable etcd.service ;;
      containerd) systemctl disable containerd.service ;;
    esac
  done
fi
