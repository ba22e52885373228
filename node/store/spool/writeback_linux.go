package spool

import (
	"os"
	"syscall"
)

const syncFileRangeWrite = 2 // SYNC_FILE_RANGE_WRITE of sync_file_range(2): begin, do not wait

// writeback asks the system to begin to write a part of a file to the disk. That it did not is no error: Sync will.
func writeback(f *os.File, from, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	c.Control(func(fd uintptr) { syscall.SyncFileRange(int(fd), from, n, syncFileRangeWrite) })
}
