package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
)

// told is a verdict about a file that is named by a number.
type told struct {
	file   string
	failed *exit
}

func (j *told) verdict() (bool, *exit) { return j.file != "7", j.failed }

func numbers(n int) (files []string) {
	for i := range n {
		files = append(files, strconv.Itoa(i))
	}
	return files
}

func TestVerdictsComeInTheOrderOfTheFiles(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 2, 5} {
		files := numbers(300)
		var got []string
		err := judgeEach(&call{}, files, atOnce, func(file string) *told { return &told{file: file} }, func(j *told) { got = append(got, j.file) })
		if !slices.Equal(got, files) {
			t.Errorf("%d at once: %v", atOnce, got)
		}
		var status *exit
		if !errors.As(err, &status) || status.status != statusInvalid || !status.silent {
			t.Errorf("%d at once: %v for files of which one is invalid", atOnce, err)
		}
	}
	if err := judgeEach(&call{}, nil, 2, func(file string) *told { return &told{file: file} }, func(*told) {}); err != nil {
		t.Error(err)
	}
}

// One file takes as long as all that may be judged before it is told; no others are.
func TestVerdictsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	const atOnce = 3
	const most = maxWaiting * atOnce
	files := numbers(2 * most)
	var begun, ended atomic.Int64
	full := make(chan struct{})
	err := judgeEach(&call{}, files, atOnce, func(file string) *told {
		if n := begun.Add(1); n > most && ended.Load() == 0 {
			t.Errorf("%d files were begun before the first was told", n)
		} else if n == most {
			close(full)
		}
		if file == "0" {
			<-full
		}
		return &told{file: file}
	}, func(*told) { ended.Add(1) })
	if n := ended.Load(); n != int64(len(files)) || err == nil {
		t.Errorf("%d verdicts, %v", n, err)
	}
}

// broken is where nobody reads any more.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestNothingIsJudgedForNobody(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 4} {
		var judged atomic.Int64
		c := &call{p: &program{out: &broken{left: 10}}, json: true}
		files := numbers(10_000)
		err := judgeEach(c, files, atOnce, func(file string) *told { judged.Add(1); return &told{file: file} }, nil)
		if n := judged.Load(); !errors.Is(err, io.ErrClosedPipe) || n > 11+int64(maxWaiting*atOnce) {
			t.Errorf("%d at once: %v after %d files", atOnce, err, n)
		}
	}
}

func TestTheWorstStatusCounts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &call{p: &program{out: &out}, json: true}
	err := judgeEach(c, numbers(20), 4, func(file string) *told {
		j := &told{file: file}
		if file == "3" {
			j.failed = &exit{status: statusFailed}
		}
		return j
	}, nil)
	var status *exit
	if !errors.As(err, &status) || status.status != statusFailed {
		t.Error(err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 20 {
		t.Errorf("%d lines for 20 files", n)
	}
}
