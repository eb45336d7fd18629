#!/usr/bin/env bash
# A small real search on the spiral data, from one command to its best network. Called by `make demo`.
#
#   docs/demo.sh STUDIES TRIALS INSTANCES
set -Eeuo pipefail

studies=$1 trials=$2 instances=$3
bin=${VENV:-.venv}/bin
name=demo-$(date +%Y%m%d-%H%M%S)
study=$studies/$name

echo "== search: $trials settings of spiral/dale_backprop, each on $instances seeds"
SECONDS=0
"$bin/eiann" optimize spiral/dale_backprop --trials "$trials" --instances "$instances" --studies "$studies" --name "$name"
echo "== the search took $SECONDS s"
echo "== the best network, exported and trained again: the same numbers"
"$bin/eiann" best "$study" --top 1 --by accuracy --export "$study/best/network.yaml"
"$bin/eiann" train "$study/best/network.yaml" --out "$study/best/training"
echo "== done after $SECONDS s; everything is in $study"
