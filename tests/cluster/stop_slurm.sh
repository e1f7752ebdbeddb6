#!/usr/bin/env bash
# Stops the Slurm that start_slurm.sh started: its jobs first, then each daemon by its process id. Only logs stay.
set -euo pipefail
folder=${HISTOLOOM_SLURM:-/var/tmp/histoloom-slurm}

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
is_ours() { [ "$(readlink "/etc/slurm/$1" 2>/dev/null)" = "$folder/$1" ]; }
# Processes that have a file of the folder open: the daemons and slurmstepd, by log file, database or socket.
# A process that ended meanwhile is not missed, and one that nobody waited for (a zombie) has no open file.
holders() { { find /proc/[0-9]*/fd -lname "$folder/*" 2>/dev/null || true; } | cut -d/ -f3 | sort -un; }
holds() { holders | grep -x "$1" >/dev/null; }

cancel_jobs() {
  is_ours slurm.conf && timeout 10 scontrol ping >/dev/null 2>&1 || return 0
  scancel --user=root || return 0
  for _ in $(seq 100); do [ -z "$(squeue -h)" ] && return; sleep 0.2; done
}

stop_daemon() {  # NAME: SIGTERM, and half a minute for it to end
  local pid
  pid=$(cat "$folder/run/$1.pid" 2>/dev/null) || return 0
  holds "$pid" || return 0  # ended long ago, and its number may be another's by now
  kill "$pid"
  for _ in $(seq 150); do holds "$pid" || return 0; sleep 0.2; done
}

[ "$(id -u)" = 0 ] || fail "user $(id -un) is not root; expected root, who started Slurm; use sudo"
[ -d "$folder" ] || exit 0
cancel_jobs
for daemon in slurmd.node2 slurmd.node1 slurmctld slurmdbd mariadbd munged; do stop_daemon "$daemon"; done
for pid in $(holders); do
  echo "killed: process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline")) did not end by itself" >&2
  kill -9 "$pid" 2>/dev/null || true
done
for name in slurm.conf gres.conf slurmdbd.conf; do if is_ours "$name"; then rm "/etc/slurm/$name"; fi; done
if grep -q '# histoloom tests/cluster$' /etc/hosts; then
  kept=$(grep -v '# histoloom tests/cluster$' /etc/hosts)
  printf '%s\n' "$kept" >/etc/hosts  # in place: in a container the file is mounted and cannot be renamed
fi
find "$folder" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf {} +
