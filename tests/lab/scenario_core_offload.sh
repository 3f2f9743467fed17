#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job again with segmentation offloads on at every host, where frames above the MTU and
# merged segments appear that a wire would never show.
export LAB_OFFLOAD=on LAB_MB=${LAB_MB:-64} TOPOLOGIES=${TOPOLOGIES:-one_nic}
exec "$(dirname "$0")/scenario_core.sh"
