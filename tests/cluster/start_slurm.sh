#!/usr/bin/env bash
# Starts a Slurm of two nodes on this one machine, for tests: munge, MariaDB, slurmdbd, slurmctld and two slurmd.
#
#     sudo tests/cluster/start_slurm.sh      and afterwards      sudo tests/cluster/stop_slurm.sh
#
# Everything lies in one folder ($HISTOLOOM_SLURM, else /var/tmp/histoloom-slurm); /etc/slurm gets three links into it.
# Sockets, ports and database are its own, so that a munge or MariaDB of the machine goes on unharmed. Started again
# while it runs it says so and changes nothing. Settings: HISTOLOOM_SLURM_CPUS (cores of a node, 2). The nodes' memory
# and GPUs are only declared, so that requests are really scheduled: the devices are empty files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${HISTOLOOM_SLURM:-/var/tmp/histoloom-slurm}
cpus=${HISTOLOOM_SLURM_CPUS:-2}
host=$(hostname -s)

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
runs() { [ -s "$folder/run/$1.pid" ] && kill -0 "$(cat "$folder/run/$1.pid")" 2>/dev/null; }

wait_for() {  # WHAT COMMAND...: at most a minute
  local what=$1; shift
  local deadline=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$deadline" ]; do timeout 10 "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  fail "$what did not start within a minute; expected the answer of: $*; read $folder/log"
}

both_nodes_up='test "$(timeout 10 sinfo -h -N -p gpu -t idle,alloc,mix -o %N 2>/dev/null | wc -l)" -eq 2'

install_missing() {
  local command missing=""
  for command in slurmctld:slurmctld slurmd:slurmd slurmdbd:slurmdbd srun:slurm-client munged:munge \
    mariadbd:mariadb-server start-stop-daemon:dpkg; do
    command -v "${command%:*}" >/dev/null || missing+=" ${command#*:}"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || fail "missing:$missing; expected Debian or Ubuntu with apt-get; install them yourself"
  echo "installing$missing"
  # Packages start their services at once; these would be left running. Debian asks this file first.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  # shellcheck disable=SC2086  # a list of words
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    >/dev/null || fail "apt-get could not install$missing; see above"
}

refuse_what_is_not_ours() {
  local name
  for name in slurm.conf gres.conf slurmdbd.conf; do
    [ -e "/etc/slurm/$name" ] || [ -L "/etc/slurm/$name" ] || continue
    [ "$(readlink "/etc/slurm/$name")" = "$folder/$name" ] ||
      fail "/etc/slurm/$name belongs to another Slurm; expected a machine without one; use a container"
  done
}

start_munge() {
  install -d -o munge -g munge -m 755 "$folder/munge"
  runuser -u munge -- mungekey --create --keyfile="$folder/munge/key"
  runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
  ln -sf ../munge/munged.pid "$folder/run/munged.pid"
  wait_for munge munge --no-input --socket="$folder/munge/socket"
}

start_database() {
  install -d -o mysql -g mysql -m 755 "$folder/mariadb"
  mariadb-install-db --no-defaults --user=mysql --datadir="$folder/mariadb/data" --skip-test-db \
    >"$folder/log/mariadb-install.log" 2>&1
  start-stop-daemon --start --background --make-pidfile --pidfile "$folder/run/mariadbd.pid" --chuid mysql \
    --startas /usr/sbin/mariadbd --output "$folder/log/mariadbd.log" -- --no-defaults --skip-networking \
    --datadir="$folder/mariadb/data" --socket="$folder/mariadb/socket" --innodb-buffer-pool-size=64M
  wait_for MariaDB mariadb-admin --no-defaults --socket="$folder/mariadb/socket" ping
}

write_configuration() {
  # root of the machine is root of the database, by its socket: no password anywhere.
  cat >"$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
PidFile=$folder/run/slurmdbd.pid
LogFile=$folder/log/slurmdbd.log
CONF
  chmod 600 "$folder/slurmdbd.conf"
  # cred_expire: a job that lost its node or was preempted waits for so many seconds before it starts again.
  # config_overrides: a node has what is declared here, whatever the machine has.
  # KillWait, GraceTime: seconds from SIGTERM to SIGKILL, for saving. Partition cpu asks a job that is preempted to end,
  # and takes it off after GraceTime if it did not; partition gpu takes it off at once and lets it run again.
  cat >"$folder/slurm.conf" <<CONF
ClusterName=histoloom
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=20
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$folder/munge/socket
AccountingStorageTRES=gres/gpu
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=20
KillWait=30
MinJobAge=300
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdSpoolDir=$folder/spool.%n
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmdLogFile=$folder/log/slurmd.%n.log
NodeName=node[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17002] CPUs=$cpus RealMemory=250000 Gres=gpu:2
PartitionName=cpu Nodes=node[1-2] Default=YES MaxTime=1-0 PriorityTier=1 PreemptMode=REQUEUE GraceTime=30
PartitionName=gpu Nodes=node[1-2] MaxTime=1-0 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=node[1-2] MaxTime=1-0 PriorityTier=10 PreemptMode=OFF
CONF
  printf 'AutoDetect=off\nNodeName=node[1-2] Name=gpu File=%s/gpu[0-1]\n' "$folder" >"$folder/gres.conf"
  : >"$folder/gpu0"
  : >"$folder/gpu1"
  mkdir -p /etc/slurm
  ln -sf "$folder"/{slurm,gres,slurmdbd}.conf /etc/slurm/
  getent hosts "$host" >/dev/null || echo "127.0.0.1 $host # histoloom tests/cluster" >>/etc/hosts
}

start_slurm() {
  MYSQL_UNIX_PORT="$folder/mariadb/socket" slurmdbd
  wait_for slurmdbd sacctmgr -n list cluster
  sacctmgr -i add cluster histoloom >/dev/null
  sacctmgr -i add account lab Cluster=histoloom >/dev/null
  sacctmgr -i add user root Account=lab DefaultAccount=lab >/dev/null
  slurmctld
  wait_for slurmctld scontrol ping
  for node in node1 node2; do mkdir -p "$folder/spool.$node"; slurmd -N "$node"; done
  wait_for "a node" sh -c "$both_nodes_up"
}

[ "$(id -u)" = 0 ] || fail "user $(id -un) is not root; expected root, as Slurm's daemons start jobs of any user; use sudo"
if runs slurmctld && sh -c "$both_nodes_up"; then echo "Slurm runs already in $folder"; exit; fi
refuse_what_is_not_ours
install_missing
"$here/stop_slurm.sh"  # what a killed start left
mkdir -p "$folder"/{run,log,state}
start_munge
start_database
write_configuration
start_slurm
echo "Slurm runs in $folder: $(sinfo -h -N -p gpu -o '%N %c cores %G' | tr '\n' ';') account lab"
