#!/usr/bin/env bash
# Let this machine run another architecture's programs until it restarts: scripts/emulate.sh aarch64
# What Debian's qemu-user-static does by itself where systemd runs; in containers and sandboxes nobody else does it.
set -euo pipefail
machine=${1:?usage: scripts/emulate.sh MACHINE, such as aarch64}
registry=/proc/sys/fs/binfmt_misc

[ "$(uname -m)" != "$machine" ] || exit 0
[ -e "$registry/register" ] || mount -t binfmt_misc binfmt_misc "$registry" ||
  { echo "emulate: programs for $machine cannot be registered here: run as root, or register them on the host" >&2; exit 2; }
[ -e "$registry/qemu-$machine" ] || cat "/usr/lib/binfmt.d/qemu-$machine.conf" >"$registry/register"
