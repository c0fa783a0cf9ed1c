#!/bin/sh
# Installs what is missing on Debian or Ubuntu and builds what is out of date:
# setup.sh [test|bench|images|cluster|e2e|node]
# Without a word it is what the demo needs. Silent when there is nothing to do; else it tells on stderr, so that stdout has
# nothing but what the command has that this is the set-up of.
set -eu
exec >&2
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

log=$(mktemp)
job=
trap 'rm -f "$log"' EXIT
trap 'test -z "$job" || kill "$job" 2> /dev/null; exit 130' HUP INT TERM

fail() {
  echo "setup: $1"
  exit 1
}

# how_far: from the log of install-packages.sh, such as ", 3 of 45 unpacked"; nothing from another.
how_far() {
  awk '
    / newly installed, / { all = $1 + $3; done = 0 }
    /^Get:/ { see("fetched") }
    /^Unpacking / { see("unpacked") }
    /^Setting up / { see("set up") }
    function see(word) { if (word != what) done = 0; what = word; done++ }
    END { if (all && what) printf ", %d of %d %s", done, all, what }
  ' "$log"
}

# step DESCRIPTION COMMAND...: runs a command that takes its time, shows how long and how far, and its output if it fails;
# as scripts/progress.ts does, which needs what this installs.
step() {
  description=$1
  shift
  began=$(date +%s)
  "$@" > "$log" 2>&1 &
  job=$!
  seconds=0
  # Back to the begin of the line, and what is there goes.
  again=
  if [ -t 1 ]; then again=$(printf '\r\033[K'); else echo "$description ..."; fi
  while kill -0 "$job" 2> /dev/null; do
    if [ -n "$again" ]; then printf '%s%s ... %s s%s' "$again" "$description" "$seconds" "$(how_far)"; fi
    sleep 0.2
    seconds=$(($(date +%s) - began))
  done
  if wait "$job"; then
    job=
    echo "$again$description: done in $seconds s"
  else
    job=
    echo "$again$description: failed after $seconds s; its last lines:"
    tail -n 15 "$log" | cut -c 1-300 | sed 's/^/    /'
    return 1
  fi
}

has_command() { command -v "$1" > /dev/null; }
has_file() { [ -e "$1" ]; }
has_library() { ldconfig -p | grep -q "$1"; }

# need PACKAGE REASON CHECK...: a check that fails makes the package a missing one.
missing=
reasons=
need() {
  package=$1
  reason=$2
  shift 2
  "$@" && return
  missing="$missing $package"
  reasons="$reasons
$(printf '    %-26s %s' "$package" "$reason")"
}

need clang 'compiles the eBPF programs' has_command clang
need llvm 'strips what the compiled programs do not need' has_command llvm-strip
need libbpf-dev 'the headers of eBPF programs' has_file /usr/include/bpf/bpf_helpers.h
need linux-libc-dev 'the kernel headers of eBPF programs' has_file /usr/include/linux/bpf.h
need libbpf1 'loads eBPF programs into the kernel' has_library 'libbpf\.so\.1'
need python3 'builds ffi-napi, which calls libbpf' has_command python3
need make 'builds ffi-napi' has_command make
need g++ 'builds ffi-napi' has_command g++
need iproute2 'makes the network of a pod' has_command ip
need util-linux 'enters the namespaces of a pod' has_command setpriv
if [ "${1:-}" = bench ]; then
  need nginx-light 'is the web server of the benchmark' has_command nginx
  need wrk 'sends its requests' has_command wrk
fi
if [ "${1:-}" = images ]; then
  need buildah 'builds the images' has_command buildah
  need mmdebstrap 'makes the root that they take libraries from' has_command mmdebstrap
fi
if [ "${1:-}" = test ]; then
  need clang-format 'checks the format of the C code' has_command clang-format
  need nginx-light 'serves what the http probe counts in the tests' has_command nginx
  need prometheus 'scrapes the sidecar in the tests' has_command promtool
  need strace 'watches programs in the tests, and kills a sidecar at each of its system calls' has_command strace
  need e2fsprogs 'makes a file system on a disk in the tests' has_command mkfs.ext2
  need mount 'makes disks of files in the tests' has_command losetup
  need dnsmasq-base 'answers queries in the tests' has_command dnsmasq
  need bind9-dnsutils 'sends queries in the tests' has_command dig
  need faketime 'steps the clock in the tests' has_command faketime
  # Ubuntu has it only as a snap: there the tests of the status page are skipped.
  if grep -q '^ID=debian' /etc/os-release; then
    need chromium 'shows the status page in the tests' has_command chromium
  fi
  need nftables 'drops packets in the tests' has_command nft
  need python3-protobuf 'decodes profiles in the tests' has_file /usr/lib/python3/dist-packages/google/protobuf
  need python3-prometheus-client 'parses the metrics in the tests' \
    has_file /usr/lib/python3/dist-packages/prometheus_client
fi

if [ "${1:-}" = node ]; then
  need etcd-server 'keeps what is in the cluster' has_command etcd
  need containerd "runs the node's containers" has_command containerd
  need runc 'starts them' has_command runc
  need containernetworking-plugins 'makes the network of the pods' has_file /usr/lib/cni/ptp
  need nftables "leads to the cluster's Services" has_command nft
  need openssl 'makes the certificate that kubelet knows the API server by' has_command openssl
  need buildah 'builds the images' has_command buildah
  need mmdebstrap 'makes the root that they take libraries from' has_command mmdebstrap
fi

# The tests of a cluster take that of KUBECONFIG where it is set.
cluster=
case ${1:-} in
  cluster) cluster=yes ;;
  e2e) [ -n "${KUBECONFIG:-}" ] || cluster=yes ;;
esac
if [ -n "$cluster" ]; then
  need etcd-server 'keeps what is in the cluster' has_command etcd
fi

if [ -n "$missing" ]; then
  [ -r /etc/os-release ] && . /etc/os-release
  case " ${ID:-} ${ID_LIKE:-} " in
    *' debian '* | *' ubuntu '*) ;;
    *) fail "this is no Debian or Ubuntu, so install these yourself and run the command again:$missing" ;;
  esac
  echo "These packages are missing and will be installed:$reasons"
  # A password, if one is needed, is asked for before the screen is busy.
  sh scripts/as-root.sh true || exit 1
  # shellcheck disable=SC2086 # a list of words
  if ! step 'Installing packages' \
    sh scripts/as-root.sh sh scripts/install-packages.sh $missing; then
    # The epoch of Debian's version, if it has one, and then 0.
    case $(apt-cache policy libbpf-dev | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}//p') in
      0.*) fail "${PRETTY_NAME:-this release} has a libbpf older than 1.0: Debian 12 or Ubuntu 24.04 is the oldest that will do." ;;
    esac
    fail 'apt-get could not install the packages: see its last lines above, mend that and run the command again.'
  fi
fi

if [ ! -e node_modules/.package-lock.json ] ||
  [ -n "$(find package-lock.json -newer node_modules/.package-lock.json)" ]; then
  node=${npm_node_execpath:-$(command -v node || true)}
  if [ -z "$node" ] || ! has_command npm; then
    fail 'Node 20 or later and npm are needed: install them and run the command again.'
  fi
  [ "$("$node" -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    fail "Node 20 or later is needed and this is $("$node" --version): install a newer one and run the command again."
  # With the headers that a distribution puts beside its Node, node-gyp need not download them.
  prefix=$(dirname "$(dirname "$(readlink -f "$node")")")
  if [ -d "$prefix/include/node" ]; then export npm_config_nodedir="$prefix"; fi
  step 'Installing npm packages, among them Node 24' npm ci --no-audit --no-fund ||
    fail 'npm ci could not install the packages: see its last lines above, mend that and run the command again.'
fi

node_modules/.bin/node scripts/build-bpf.ts
node_modules/.bin/node scripts/build-page.ts
if [ -n "$cluster" ]; then node_modules/.bin/node scripts/build-cluster.ts; fi
if [ "${1:-}" = node ]; then node_modules/.bin/node scripts/build-cluster.ts node; fi
