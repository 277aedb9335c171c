"""Configuration files of the cluster of `slurm_cluster`, to be filled in by str.format."""

# cgroups need a machine of one's own, so memory is watched by polling
COMMON = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
DefMemPerCPU=500
GresTypes=gpu
ReturnToService=2
MinJobAge=300
KillWait={kill_wait}
OverTimeLimit=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
"""
NODES = """\
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=4 RealMemory=12000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=4 RealMemory=12000 Gres=gpu:1
PartitionName=main Nodes=n[1-2] Default=YES PriorityTier=5 DefaultTime=10 PreemptMode=off
PartitionName=spare Nodes=n2 PriorityTier=1 DefaultTime=10 PreemptMode=REQUEUE
PartitionName=urgent Nodes=n2 PriorityTier=9 DefaultTime=10 PreemptMode=off
"""
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={database_port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
"""
DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
CommunicationParameters=NoInAddrAny
DbdAddr=127.0.0.1
DbdPort={database_port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_accounts
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
