package authority

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Actions of records.
const (
	issued  = "issued"
	revoked = "revoked"
)

// Record is one thing that the authority did.
type Record struct {
	Time       time.Time
	Action     string // issued or revoked
	Serial     *big.Int
	Generation int // of the key that issued
	Profile    string
	NotAfter   time.Time
	Reason     pki.Reason
	Subject    string
}

func (r Record) line() string {
	return strings.Join([]string{r.Time.Format(time.RFC3339), r.Action, r.Serial.Text(16), strconv.Itoa(r.Generation), r.Profile,
		r.NotAfter.UTC().Format(time.RFC3339), strconv.Itoa(int(r.Reason)), strings.Join(strings.Fields(r.Subject), " ")}, "\t") + "\n"
}

func parseRecord(line string) (r Record, err error) {
	f := strings.Split(line, "\t")
	bad := func(what string) (Record, error) { return r, fmt.Errorf("%w: %s in %q", ErrRecords, what, line) }
	if len(f) != 8 || f[1] != issued && f[1] != revoked {
		return bad("fields")
	}
	if r.Time, err = time.Parse(time.RFC3339, f[0]); err != nil {
		return bad("time")
	}
	serial, ok := new(big.Int).SetString(f[2], 16)
	if !ok {
		return bad("serial number")
	}
	if r.Generation, err = strconv.Atoi(f[3]); err != nil {
		return bad("generation")
	}
	if r.NotAfter, err = time.Parse(time.RFC3339, f[5]); err != nil {
		return bad("end")
	}
	reason, err := strconv.Atoi(f[6])
	if err != nil || reason < 0 || reason > 10 {
		return bad("reason")
	}
	r.Action, r.Serial, r.Profile, r.Reason, r.Subject = f[1], serial, f[4], pki.Reason(reason), f[7]
	return r, nil
}

// append writes a record through to the disk. It is one write, so that another process never mixes with it.
func (a *Authority) append(r Record) error {
	f, err := os.OpenFile(filepath.Join(a.dir, recordsFile), os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err = wholeLines(f); err == nil {
		_, err = f.WriteString(r.line())
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return a.refresh()
}

// wholeLines refuses to write behind half a line, which a machine left that stopped while writing.
func wholeLines(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], info.Size()-1); err != nil {
		return err
	}
	if b[0] != '\n' {
		return fmt.Errorf("%w: the last line of %s is cut off; nothing was given away for it: remove it", ErrRecords, recordsFile)
	}
	return nil
}

// refresh reads the records again where they grew, by whichever process, and keys that came with a rollover.
func (a *Authority) refresh() error {
	path := filepath.Join(a.dir, recordsFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if a.seen != nil && info.Size() == a.seen.Size() && info.ModTime().Equal(a.seen.ModTime()) {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1] // a line that is being written belongs to the next reading
	var list []Record
	for line := range strings.Lines(string(whole)) {
		r, err := parseRecord(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	if err := a.loadGenerations(); err != nil {
		return err
	}
	a.records, a.seen, a.last = list, info, make(map[string]Record, len(list))
	for _, r := range list {
		if key := string(r.Serial.Bytes()); a.last[key].Action != revoked { // the first revocation counts
			a.last[key] = r
		}
	}
	return nil
}

// Entry is a certificate with what became of it.
type Entry struct {
	Record
	RevokedAt time.Time // zero where it is not
	Why       pki.Reason
}

// List returns the certificates that were issued, in that order.
func (a *Authority) List() ([]Entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refresh(); err != nil {
		return nil, err
	}
	var out []Entry
	index := map[string]int{}
	for _, r := range a.records {
		key := string(r.Serial.Bytes())
		i, known := index[key]
		switch {
		case r.Action == issued:
			index[key] = len(out)
			out = append(out, Entry{Record: r})
		case known && out[i].RevokedAt.IsZero():
			out[i].RevokedAt, out[i].Why = r.Time, r.Reason
		}
	}
	return out, nil
}

// Revoke revokes a certificate, now and for good.
func (a *Authority) Revoke(serial *big.Int, reason pki.Reason) error {
	if reason == pki.ReasonHold || reason == pki.ReasonRemoveFromCRL {
		return fmt.Errorf("%w: revoked is for good, nothing is put on hold here", ErrRequest)
	}
	list, err := a.List()
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Serial.Cmp(serial) != 0 {
			continue
		}
		if !e.RevokedAt.IsZero() {
			return fmt.Errorf("%w: %x", ErrRevoked, serial)
		}
		r := e.Record
		r.Time, r.Action, r.Reason = a.now(), revoked, reason
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.append(r)
	}
	return fmt.Errorf("%w: %x", ErrUnknown, serial)
}

func marshalOIDs(list []pki.OID) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, o := range list {
			pki.AddOID(b, o)
		}
	})
	return b.Bytes()
}

func isRSA(k crypto.PublicKey) bool { _, ok := k.(*rsa.PublicKey); return ok }
