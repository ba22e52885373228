package authority

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// ErrClock says that the clock of the machine stands before what was issued already.
var ErrClock = errors.New("authority: the clock went back")

// TimeLog is what a time-stamping authority issued, a line each: time, serial number, policy, digest algorithm, digest, and the SHA-256
// of all before and of this line, so that no line can be changed, taken out or put in without all after it [EN 319 421 7.12].
// Every line is on disk before its time-stamp is given away.
type TimeLog struct {
	mu   sync.Mutex
	f    *os.File
	hash [32]byte
	last time.Time
	n    int
}

// OpenTimeLog continues a log, or begins one, and checks all that is in it.
func OpenTimeLog(path string) (*TimeLog, error) {
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &TimeLog{f: f}
	err = l.read()
	if err == nil && fresh {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

func (l *TimeLog) read() error {
	in := bufio.NewReader(l.f)
	for {
		line, err := in.ReadString('\n')
		if err != nil && line != "" {
			return fmt.Errorf("%w: line %d is cut off; a time-stamp with it was never given away: remove it", ErrRecords, l.n+1)
		}
		if err != nil {
			return nil // io.EOF, or the next write says what is wrong
		}
		text, sum, _ := cutLast(strings.TrimSuffix(line, "\n"))
		next := l.next(text)
		at, _, _ := strings.Cut(text, "\t")
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil || sum != hex.EncodeToString(next[:]) {
			return fmt.Errorf("%w: line %d is not what was written", ErrRecords, l.n+1)
		}
		l.hash, l.last, l.n = next, t, l.n+1
	}
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '\t')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func (l *TimeLog) next(text string) (out [32]byte) {
	h := sha256.New()
	h.Write(l.hash[:])
	h.Write([]byte(text))
	h.Sum(out[:0])
	return out
}

// Len is how many time-stamps were issued.
func (l *TimeLog) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// Record is for tsp.Responder.Issued.
func (l *TimeLog) Record(_ context.Context, t *tsp.Token) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := t.Info
	text := strings.Join([]string{i.Time.UTC().Format(time.RFC3339Nano), i.SerialNumber.Text(16), string(i.Policy), string(i.HashOID), hex.EncodeToString(i.Imprint)}, "\t")
	next := l.next(text)
	if _, err := l.f.WriteString(text + "\t" + hex.EncodeToString(next[:]) + "\n"); err != nil {
		return err
	}
	if err := l.f.Sync(); err != nil {
		return err
	}
	l.hash, l.n = next, l.n+1
	if i.Time.After(l.last) {
		l.last = i.Time
	}
	return nil
}

// Clock is for tsp.Responder.Clock: the time of now, unless that stands more than a second before what was issued already.
func (l *TimeLog) Clock(now func() time.Time) func() (time.Time, error) {
	return func() (time.Time, error) {
		t := now()
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.Before(l.last.Add(-time.Second)) {
			return t, fmt.Errorf("%w: it says %s, and %s was stated already", ErrClock, t.UTC().Format(time.RFC3339), l.last.Format(time.RFC3339))
		}
		return t, nil
	}
}

// Close closes the file.
func (l *TimeLog) Close() error { return l.f.Close() }
