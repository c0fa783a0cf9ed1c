#!/bin/sh
# Copies files, the libraries that they are linked with and a list of the packages that these are of into a folder that
# becomes the root of an image: gather.sh ROOT FILE... [-- ADDON...]. Of addons only the libraries.
set -eu
root=$1
shift

for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
  [ ! -e "$loader" ] || break
done

keep() {
  mkdir -p "$root$(dirname "$1")"
  [ -e "$root$1" ] || cp -L "$1" "$root$1"
}

keep "$loader"
is_addon=
for file; do
  if [ "$file" = -- ]; then
    is_addon=yes
    continue
  fi
  [ -n "$is_addon" ] || keep "$file"
  # Lines such as "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f...)".
  for library in $("$loader" --list "$file" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'); do keep "$library"; done
done

mkdir -p "$root/usr/share/bpf-sidecar"
find "$root" -name '*.so*' -exec basename {} \; | while read -r library; do
  dpkg-query --search "*/$library" 2> /dev/null | sed -n '1s/:.*//p'
done | sort -u | xargs dpkg-query --show --showformat '${Package} ${Version}\n' > "$root/usr/share/bpf-sidecar/packages"
