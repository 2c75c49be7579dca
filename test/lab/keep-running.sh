#!/bin/sh
# Plays the part of the kubelet or of systemd for one program: whenever it ends, it is started again, later each time, at most 10 s later.
# A program that had run for a minute starts again at once.
pause=1
while :; do
  begun=$(date +%s)
  "$@"
  echo "keep-running: it ended with $? and starts again in $pause s: $*"
  sleep "$pause"
  if [ $(($(date +%s) - begun)) -gt 60 ]; then pause=1; elif [ "$pause" -lt 8 ]; then pause=$((pause * 2)); fi
done
