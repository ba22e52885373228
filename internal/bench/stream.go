package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// largest is the payload in octets up to which a document is held in memory to be measured.
const largest = 50_000_000

// again is a block read over and over, so that making the payload costs nothing. The block is larger than any window in
// which a compressor looks back.
type again struct {
	block []byte
	at    int
	left  int64
}

func (r *again) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	r.left -= int64(n)
	return n, nil
}

const blockSize = 4 << 20

// stream sends a message too large for memory, of text and then of octets that do not compress, and reports its rate from
// the hand-over to the receipt and the most memory that the process with both nodes took.
func stream(ctx context.Context, o AS4Options, report Report) error {
	noise := make([]byte, blockSize)
	rand.Read(noise)
	for _, c := range []struct {
		name, mime string
		block      []byte
	}{
		{"", "application/xml", payload(blockSize)},
		{"/noise", "application/octet-stream", noise},
	} {
		if err := streamOne(ctx, o, "as4/"+sizeName(o.Payload)+c.name, c.mime, c.block, report); err != nil {
			return err
		}
	}
	return nil
}

func streamOne(ctx context.Context, o AS4Options, name, mime string, block []byte, report Report) (err error) {
	p, err := newPair(ctx, "eu-edelivery", 1, o.Domains)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	debug.FreeOSMemory()
	resetPeak()
	var accepted time.Duration
	took, used, err := p.send(ctx, func(ctx context.Context, n *node.Node) (*store.Message, error) {
		start := time.Now()
		defer func() { accepted = time.Since(start) }()
		return n.Accept(ctx, letter(mime, &again{block: block, left: int64(o.Payload)}))
	}, 1, 1)
	if err != nil {
		return err
	}
	report(Result{Name: name, Value: float64(o.Payload) / 1e6 / took.Seconds(), Unit: "MB/s", Detail: fmt.Sprintf(
		"one message of %d octets of %s from hand-over (%s) to receipt (%s), %s of processor time", o.Payload, mime,
		accepted.Round(time.Millisecond), took.Round(time.Millisecond), used.Round(time.Millisecond))})
	report(Result{Name: name + "/rss", Value: memory("VmHWM:"), Unit: "MB", Detail: "the most that this process with both nodes took"})
	return nil
}
