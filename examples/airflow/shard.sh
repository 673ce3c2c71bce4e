#!/bin/sh
# Reads one shard, named by TAP_QONTO_SHARD ("2/8"), through Meltano.
#
# Two `meltano run` of one project write the same files below .meltano/run and destroy each other's.
# So each shard gets a system folder of its own, with the plugins of the project linked into it, and
# a state id of its own.
set -eu
cd "$(dirname "$0")"
shard=$(echo "$TAP_QONTO_SHARD" | sed 's,/,-of-,')
own=$PWD/.meltano/shards/$shard
mkdir -p "$own"
for kind in extractors loaders; do
    ln -sfn "$PWD/.meltano/$kind" "$own/$kind"
done
export MELTANO_SYS_DIR_ROOT="$own"
exec meltano run --state-id-suffix "$shard" tap-qonto target-postgres
