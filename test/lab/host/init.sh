#!/bin/sh
# The first process of a lab host. It gives the host its own view of the machine and then only buries orphans.
# When it is killed, the kernel kills everything in the host with it, at once (pid_namespaces(7)).
set -eu
name=$1 root=$2 run=$3 shared=$4

hostname "$name"
mount -t proc proc /proc
# A boot of its own: the machine's is the same for all hosts, and over their power cycles.
cat /proc/sys/kernel/random/uuid >"$run/boot-id"
mount --bind "$run/boot-id" /proc/sys/kernel/random/boot_id
# A new sysfs shows the network of the namespace that mounts it.
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

for folder in etc/libvirt etc/pki var/lib/libvirt var/cache/libvirt var/log/libvirt var/lib/drover; do
  mkdir -p "/$folder"
  mount --bind "$root/$folder" "/$folder"
done
for file in etc/hosts etc/hostname etc/machine-id usr/bin/qemu-system-x86_64; do
  if [ -e "/$file" ] && [ -e "$root/$file" ]; then mount --bind "$root/$file" "/$file"; fi
done
mount --bind "$shared" /var/lib/drover/datastores/shared
# Last, because the folders above may lie below it.
mount --bind "$run" /run
: >/run/host-is-up

while sleep 2147483647 & wait; do :; done
