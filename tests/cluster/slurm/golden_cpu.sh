#!/bin/bash
#SBATCH --job-name=demo
#SBATCH --output=/data/jobs/demo/log.txt
#SBATCH --open-mode=append
#SBATCH --export=ALL
#SBATCH --partition=cpu
#SBATCH --account=my_account
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=65536M
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --no-kill

# Job "demo", rendered by "eiann submit". Brings up a Ray cluster over the allocation, runs one command on it, and
# goes on in a further run of the job when the command ends with 85: it was told to finish, and has more to do.

job=/data/jobs/demo  # records, log, token: on the shared disk, for the user alone
python=/opt/venv/bin/python
nodes=$SLURM_JOB_NUM_NODES
reason= child= ray=

say() { echo "[$(date +%T)] $*"; }

finish() { # exit code, reason: the job's last word, for "eiann status"
    say "ends with exit code $1${2:+: $2}"
    printf '%s\n' "$1" "$(date -u +%FT%TZ)" "$2" >"$job/exit.new" && mv "$job/exit.new" "$job/exit"
    exit "$1"
}

set_up() { # exit code, line: of a line of the profile
    (($1 == 0)) || finish 1 "set-up line failed with exit code $1: $2"
}

waited() { # process: its exit code; goes on waiting after a signal that was passed on
    local code=0
    wait "$1" || code=$?
    while ((code > 128)) && kill -0 "$1" 2>/dev/null; do
        code=0
        wait "$1" || code=$?
    done
    return "$code"
}

told() { # reason, signal: by Slurm ahead of the walltime, by "eiann cancel", or for a preemption
    reason=$1
    say "told to finish: $1"
    [[ -z $child ]] || kill -s "$2" "$child" 2>/dev/null
}

# ---- this run: the first one, a requeued one, or a successor
cd / || finish 1 "the folder to run in is gone: "/
rm -f "$job/exit"
echo "$SLURM_JOB_ID $(date -u +%FT%TZ) $SLURM_JOB_NODELIST" >>"$job/runs"
restarts=$(($(wc -l <"$job/runs") - 1))
run=$job/run-$restarts
mask=$(umask)
umask 077
rm -rf "$job"/run-* && mkdir "$run"
say "job $SLURM_JOB_ID, run $((restarts + 1)), on $SLURM_JOB_NODELIST"
[[ -e $job/cancelled ]] && finish 143 cancelled
trap 'told walltime USR1' USR1
trap 'told stopped TERM' TERM

# ---- what this site needs first
module load gcc/12.2.0
set_up $? 'module load gcc/12.2.0'

# ---- Ray, private to this run: only who has the token may talk to it; each pack gets threads by its CPUs
(set -o pipefail; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$run/token") || finish 1 "cannot write a token"
unset RAY_AUTH_TOKEN OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS ROCR_VISIBLE_DEVICES
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$run/token RAY_USAGE_STATS_ENABLED=0
# Ports of metrics ask nobody for a token: there are none.
export RAY_enable_metrics_collection=0 DASHBOARD_METRIC_PORT=-1 AUTOSCALER_METRIC_PORT=-1
# A node that is gone, or whose cable is, shall be noticed within a minute; one that is slow to start is waited for.
export RAY_health_check_initial_delay_ms=${RAY_health_check_initial_delay_ms:-5000}
export RAY_health_check_period_ms=${RAY_health_check_period_ms:-3000}
export RAY_health_check_timeout_ms=${RAY_health_check_timeout_ms:-10000}
export RAY_health_check_failure_threshold=${RAY_health_check_failure_threshold:-4}
export RAY_grpc_keepalive_time_ms=${RAY_grpc_keepalive_time_ms:-10000}
export RAY_grpc_keepalive_timeout_ms=${RAY_grpc_keepalive_timeout_ms:-20000}
export RAY_grpc_client_keepalive_time_ms=${RAY_grpc_client_keepalive_time_ms:-10000}
export RAY_grpc_client_keepalive_timeout_ms=${RAY_grpc_client_keepalive_timeout_ms:-20000}
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=${RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S:-0}
export RAY_raylet_start_wait_time_s=${RAY_raylet_start_wait_time_s:-240}
# Set by the submitter: PGPASSWORD

srun --kill-on-bad-exit=0 --no-kill --overlap --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 \
    --cpus-per-task=32 --output="$run/ray-%t.log" \
    "$python" -P -m cluster.slurm.node "$run" --cpus 32 --scratch /tmp --interface ib0 &
ray=$!

stop_ray() { # TERM to the tasks alone: srun itself would have them killed at once
    rm -f "$run/token"
    [[ -s $run/step ]] && scancel --signal=TERM "$SLURM_JOB_ID.$(<"$run/step")" 2>/dev/null
    for _ in {1..150}; do
        kill -0 "$ray" 2>/dev/null || return
        sleep 0.1
    done
    kill -s KILL "$ray"
}

# ---- a job that gets nowhere does not go on for ever
"$python" -P -m cluster.slurm.progress --limit 2 "$job/progress" -- python -m optimize.cli status studies/demo --count &
progress=$!

"$python" -P -m cluster.slurm.gather "$run" --nodes "$nodes" --at-least 2 --seconds 300 --step $ray &
child=$!
waited $child || {
    stop_ray
    [[ -z $reason ]] && finish 1 "no Ray cluster: see the lines above"
}
child=
waited $progress
if (($? == 3)); then
    stop_ray
    finish 1 "no progress in 2 runs"
fi

# ---- the command
code=85
if [[ -z $reason ]]; then
    RAY_ADDRESS=$(<"$run/address")
    export RAY_ADDRESS
    (umask "$mask" && OMP_NUM_THREADS=1 exec python -m optimize.cli resume 'studies/it'"'"'s a demo' --address auto) &
    child=$!
    [[ -z $reason ]] || kill -s USR1 "$child"
    code=0
    waited $child || code=$?
fi
[[ $reason == walltime && $code -gt 128 ]] && code=85 # the signal came before the driver could listen
trap '' USR1 # a late one must not restart what has ended
child=
say "the command ended with exit code $code"
stop_ray

# ---- what comes next
[[ -e $job/cancelled ]] && finish 143 cancelled
[[ $reason == stopped ]] && exit 143 # preempted, or ended by hand: Slurm knows which
((code == 85)) || finish "$code"
((restarts < 50)) || finish 85 "restarted 50 times"
trap '' TERM # a requeue ends this script with TERM
say "more to do: requeue"
if answer=$(scontrol requeue "$SLURM_JOB_ID" 2>&1); then
    exit 0
fi
say "this site does not requeue ($answer)"
say "more to do: successor"
if next=$(sbatch --parsable --dependency=afterany:"$SLURM_JOB_ID" "$job/job.sh" 2>&1); then
    echo "${next%%;*}" >>"$job/ids"
    [[ -e $job/cancelled ]] && scancel "${next%%;*}"
    exit 0
fi
finish 85 "no successor: $next"
