package main

import (
	"os"
	"syscall"
	"unsafe"
)

// terminalWidth asks the terminal; 0 when it does not know.
func terminalWidth(f *os.File) int {
	var size struct{ rows, columns, x, y uint16 }
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		return 0
	}
	return int(size.columns)
}
