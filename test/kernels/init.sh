#!/bin/sh
# What the first process of a virtual machine becomes, with /proc, /dev and /project mounted: makes the machine a node with
# cgroup v2, runs the test files that /project/tests names, a line each, and switches it off. What goes wrong is said on
# the console, and the results go to the second serial port.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
export PATH HOME=/root

mount -t sysfs sysfs /sys
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
ln -s /proc/self/fd /dev/fd
ip link set lo up
# Debian's kernels begin with 3, at which a sidecar that is not privileged may open no perf event.
sysctl -q kernel.perf_event_paranoid=2
modprobe loop

cd /project || exit
stty -F /dev/ttyS1 raw -echo
# shellcheck disable=SC2046 # a list of words
node_modules/node/bin/node --test --test-concurrency=1 \
  --test-reporter=./test/kernels/reporter.ts $(cat tests) > /dev/ttyS1
sync
echo o > /proc/sysrq-trigger
# It takes effect a moment later, and the first process must not end.
sleep 60
