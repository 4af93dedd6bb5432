package gateway_test

import "syscall"

// What stops a process for a while.
const (
	pause  = syscall.SIGSTOP
	resume = syscall.SIGCONT
)
