package spool

import (
	"hash"
	"os"
	"sync/atomic"
)

const (
	// backgroundFrom is the size in octets from which a payload is hashed and written beside the work of its caller.
	backgroundFrom = 1 << 20
	blockSize      = 256 << 10
	blocks         = 4 // of one payload in memory
	// writebackStep is how much is written before the system is asked to bring it to the disk: what is left for the flush
	// at the end stays small, and so does the memory that waits for it.
	writebackStep = 16 << 20
)

// background hashes and writes what it is handed, in its order, in two goroutines of its own.
type background struct {
	full   chan []byte
	free   chan []byte
	block  []byte // being filled by the caller
	failed atomic.Pointer[error]
	ended  chan struct{}
}

// newBackground goes on where sum and file, whose first octets are written, stand.
func newBackground(file *os.File, sum hash.Hash, at int64) *background {
	b := &background{full: make(chan []byte, blocks), free: make(chan []byte, blocks), ended: make(chan struct{})}
	for range blocks {
		b.free <- nil
	}
	go b.run(file, sum, at)
	return b
}

func (b *background) run(file *os.File, sum hash.Hash, at int64) {
	defer close(b.ended)
	toHash, hashed := make(chan []byte), make(chan struct{})
	go func() {
		for block := range toHash {
			sum.Write(block)
			hashed <- struct{}{}
		}
	}()
	defer close(toHash)
	asked := at
	for block := range b.full {
		if b.failed.Load() == nil {
			toHash <- block
			_, err := file.Write(block)
			<-hashed
			if err != nil {
				b.failed.Store(&err)
			}
			if at += int64(len(block)); at-asked >= writebackStep {
				writeback(file, asked, at-asked)
				asked = at
			}
		}
		b.free <- block[:0]
	}
}

// err is the first failure so far.
func (b *background) err() error {
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (b *background) write(p []byte) error {
	for len(p) > 0 {
		if b.block == nil {
			if b.block = <-b.free; b.block == nil {
				b.block = make([]byte, 0, blockSize)
			}
		}
		n := min(len(p), blockSize-len(b.block))
		b.block = append(b.block, p[:n]...)
		p = p[n:]
		if len(b.block) == blockSize {
			b.hand()
		}
	}
	return b.err()
}

func (b *background) hand() {
	if len(b.block) > 0 {
		b.full <- b.block
	}
	b.block = nil
}

// end waits until everything is hashed and written. It may be called once.
func (b *background) end() error {
	b.hand()
	close(b.full)
	<-b.ended
	return b.err()
}
