#!/usr/bin/env bash
# Trains on 2 machines with 4 GPUs each: sbatch docs/launch/slurm.sh
#SBATCH --job-name=chainer-seg
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
# Ten minutes before the time is over, SIGTERM lets the training save and end. Submit the script again, or let
# Slurm requeue it after a machine has failed: it resumes.
#SBATCH --signal=B:TERM@600
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# The environment in which chainer_seg is installed, and the MPI that its mpi4py uses.
# shellcheck source=/dev/null
source "$HOME/chainer_seg/.venv/bin/activate"

# mpiexec starts the ranks through Slurm. exec, so that it receives the signal itself.
exec mpiexec -n "$SLURM_NTASKS" chainer-seg train yolact \
    --communicator pure_nccl --lr-scaling linear --resume --out out/coco \
    --dataset coco --annotations coco/annotations/instances_train2017.json --images coco/train2017 \
    --val-annotations coco/annotations/instances_val2017.json --val-images coco/val2017
