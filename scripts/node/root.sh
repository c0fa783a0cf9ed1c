#!/bin/sh
# Gives the calling process, which has a mount namespace of its own, the root of a privileged container, and
# runs a command there: root.sh DIRECTORY CGROUP TABLE COMMAND...
#   DIRECTORY  an empty directory to build the root in; the host sees nothing of it
#   CGROUP     where the host has cgroup v2 mounted
#   TABLE      what to bind, a line each: source, target and rw or ro, with tabs between
# The host's files show through an overlay, and what the command writes stays in memory and goes with it.
set -eu

directory=$1 cgroup=$2 table=$3
shift 3
here=$PWD
tab=$(printf '\t')

mount -t tmpfs -o mode=755 bpf-sidecar "$directory"
root=$directory/root
mkdir "$directory/upper" "$directory/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" bpf-sidecar "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
if [ "$cgroup" != /sys/fs/cgroup ]; then
  mount -t tmpfs -o mode=755 cgroup "$root/sys/fs/cgroup"
  mkdir -p "$root$cgroup"
fi
mount -t cgroup2 cgroup2 "$root$cgroup"

while IFS=$tab read -r source target mode; do
  [ -n "$source" ] || continue
  if [ -d "$source" ]; then
    mkdir -p "$root$target"
  elif [ ! -e "$root$target" ]; then
    mkdir -p "$(dirname "$root$target")"
    : > "$root$target"
  fi
  # As container runtimes do it: what is mounted below comes along, and read-only is the top mount alone.
  mount --rbind "$source" "$root$target"
  if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root$target"; fi
done <<END
$table
END

mkdir "$root/.host"
cd "$root"
pivot_root . .host
umount -l /.host
rmdir /.host
cd "$here"
exec "$@"
