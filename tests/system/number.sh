#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# number.sh - give each result that passes by its number, as TAP wants them, at once
n=0
while IFS= read -r line; do
	case $line in
	"ok "* | "not ok "*) line=${line/ok /ok $((++n)) - } ;;
	esac
	printf '%s\n' "$line"
done
