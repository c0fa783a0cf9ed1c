#!/bin/sh
# Runs a command as root: as-root.sh COMMAND...
# sudo on its own would lose the PATH, where npm has put our Node, the user's cache and NO_COLOR.
PATH=$PATH:/usr/sbin:/sbin
export PATH

if [ "$(id -u)" -eq 0 ]; then
  exec "$@"
fi
if ! command -v sudo > /dev/null; then
  echo 'Root is needed and there is no sudo: run the same command as root.' >&2
  exit 1
fi
exec sudo env "PATH=$PATH" "XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}" ${NO_COLOR+"NO_COLOR=$NO_COLOR"} "$@"
