#!/bin/sh
# Makes of new mount and network namespaces those of a Kubernetes node, and holds them: enclosure.sh DIRECTORY
# What a node writes to in fixed places is in DIRECTORY or in memory, and goes with the namespaces.
set -eu
directory=$1

# The host's mounts are seen, ours are not by the host, and containers may share theirs with the node.
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
for name in lib log; do
  mkdir -p "$directory/var/$name"
  mount --bind "$directory/var/$name" "/var/$name"
done
mount -t bpf bpf /sys/fs/bpf

# kubelet sets these for the whole machine: it finds what it wants and changes nothing.
mkdir -p /run/sysctl
wanted() {
  [ -e "/proc/sys/$1" ] || return 0
  file=/run/sysctl/$(echo "$1" | tr / .)
  echo "$2" > "$file"
  mount --bind "$file" "/proc/sys/$1"
}
wanted vm/overcommit_memory 1
wanted vm/panic_on_oom 0
wanted kernel/panic 10
wanted kernel/panic_on_oops 1
wanted kernel/keys/root_maxkeys 1000000
wanted kernel/keys/root_maxbytes 25000000

ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward

echo made
exec sleep infinity > /dev/null 2>&1
