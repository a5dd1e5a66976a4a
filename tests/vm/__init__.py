"""The virtual-machine lane: what needs a kernel with cameras and systemd as its first process, `make test-vm`."""
