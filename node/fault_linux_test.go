package node_test

import (
	"syscall"
	"unsafe"
)

// limitFiles says how many files another process may have open.
func limitFiles(pid int, n uint64) error {
	return limit(pid, syscall.RLIMIT_NOFILE, syscall.Rlimit{Cur: n, Max: n})
}

// limitSize says up to which octet another process may write its files: a write across it is torn there by the kernel, one
// behind it fails.
func limitSize(pid int, n uint64) error {
	return limit(pid, syscall.RLIMIT_FSIZE, syscall.Rlimit{Cur: n, Max: noLimit})
}

const noLimit = ^uint64(0)

func limit(pid, resource int, limit syscall.Rlimit) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(&limit)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
