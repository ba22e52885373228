package signing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/report"
)

// maxBatch bounds the files of one batch.
const maxBatch = 10_000

// each reads the files of a form one after the other, judges several at a time, and tells of each as it is done, one at a time.
func (s *Service) each(ctx context.Context, parts *multipart.Reader, tell func(name string, v *report.Verdict, err error)) {
	var work sync.WaitGroup
	var mu sync.Mutex
	defer work.Wait()
	one := func(name string, v *report.Verdict, err error) {
		mu.Lock()
		defer mu.Unlock()
		tell(name, v, err)
	}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			one("", nil, refuse(http.StatusBadRequest, "the form is cut off or malformed: %v", err))
			return
		}
		if n == maxBatch {
			one("", nil, refuse(http.StatusRequestEntityTooLarge, "a batch holds at most %d files", maxBatch))
			return
		}
		leave, err := s.enter(ctx)
		if err != nil {
			one(part.FileName(), nil, err)
			return
		}
		b, err := io.ReadAll(io.LimitReader(part, s.opt.MaxDocument+1))
		switch {
		case err != nil:
			leave()
			one(part.FileName(), nil, refuse(http.StatusBadRequest, "the form is cut off: %v", err))
			return
		case int64(len(b)) > s.opt.MaxDocument:
			leave()
			one(part.FileName(), nil, refuse(http.StatusRequestEntityTooLarge, "the file is larger than %d octets", s.opt.MaxDocument))
			continue
		}
		name := part.FileName()
		work.Go(func() {
			defer leave()
			ctx, cancel := context.WithTimeout(ctx, s.opt.Longest)
			defer cancel()
			v, err := s.Judge(ctx, name, bytes.NewReader(b), int64(len(b)), nil, time.Time{})
			one(name, v, err)
		})
	}
}
