#!/bin/bash
# Works a planned run off as an array of Slurm, and merges it when all of its tasks are done:
#
#     spiq plan SPACE.ron -o run/
#     sbatch --array=0-15 --requeue python/engines/slurm.sh run/
#     sbatch --dependency=afterok:JOB --wrap 'spiq merge run/'
#
# A task that is requeued skips what it had left.
#SBATCH --cpus-per-task=1
#SBATCH --job-name=spiq-work
set -euo pipefail
exec "${SPIQ:-spiq}" work "$1" --quiet --threads "${SLURM_CPUS_PER_TASK:-1}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
