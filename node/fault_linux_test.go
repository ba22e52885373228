package node_test

import (
	"syscall"
	"unsafe"
)

// limitFiles says how many files another process may have open.
func limitFiles(pid int, n uint64) error {
	limit := syscall.Rlimit{Cur: n, Max: n}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
