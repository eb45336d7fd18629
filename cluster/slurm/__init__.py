"""The kind "slurm": a Ray cluster within an allocation, and the job that goes on after its walltime.

* `profile`: what a site's file says; `script` renders it and a job into one batch script; `runner` sends and follows
  it; `scheduler` is Slurm's commands.
* Run by the batch script as ``python -m``: `node` on every node, `gather` to wait for them, `progress` to see whether
  a job that was restarted gets on.
"""
