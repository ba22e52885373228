package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Manifest is the cover sheet of a case, the file case.json. The node signs it, in case.sig.
type Manifest struct {
	Format  string       `json:"format"` // "viadukt-case/1"
	Made    time.Time    `json:"made"`
	Node    string       `json:"node"`
	Program string       `json:"program"`
	Log     string       `json:"log"` // hash of the log's first entry
	Message CaseMessage  `json:"message"`
	Files   []CaseFile   `json:"files"`
	Missing []CaseAbsent `json:"missing"` // what belongs to the case and is not in it
}

// CaseMessage says which message a case is about.
type CaseMessage struct {
	Number    int64  `json:"number"` // in its node
	Direction string `json:"direction"`
	MessageID string `json:"messageId"`
	State     string `json:"state"`
	From      string `json:"from"`
	To        string `json:"to"`
	Service   string `json:"service"`
	Action    string `json:"action"`
}

// Role says what a file of a case is.
type Role string

const (
	RoleReadme      Role = "readme"
	RoleOrigin      Role = "origin"  // the signed message without its payloads
	RoleHeader      Role = "header"  // the message as it was handed over, where the signed one was not kept
	RoleReceipt     Role = "receipt" // a signed receipt
	RoleError       Role = "error"   // an error, signed or not
	RoleEvidence    Role = "evidence"
	RolePayload     Role = "payload"
	RoleEntry       Role = "entry"
	RoleProof       Role = "proof"
	RoleHead        Role = "head"
	RoleFirstHead   Role = "first-head" // the first head that was signed after the message's first entry
	RoleConsistency Role = "consistency"
	RoleStamped     Role = "stamped-head"        // a head that was time-stamped
	RoleStampedWay  Role = "stamped-consistency" // that the head continues it
	RoleStamp       Role = "time-stamp"          // the evidence record over it
	RoleNode        Role = "node-certificate"    // of the node, with those of its issuers
	RoleCertificate Role = "certificates"        // of partners and their issuers
	RoleRevocation  Role = "revocation"          // a revocation list
)

// CaseFile is one file of a case.
type CaseFile struct {
	Name   string `json:"name"`
	Role   Role   `json:"role"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Index  *int64 `json:"index,omitempty"` // of an entry and its proof
	// Of a payload: its Content-ID, and in which form its octets are: "signed", as the signature covers them, or
	// "expanded", as the receiving node kept them after it had checked and decompressed what was signed.
	ContentID string `json:"contentId,omitempty"`
	Form      string `json:"form,omitempty"`
	Kind      string `json:"kind,omitempty"` // of other evidence
}

// CaseAbsent is something that is not in the case.
type CaseAbsent struct {
	What      string `json:"what"`
	ContentID string `json:"contentId,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Why       string `json:"why"`
}

const (
	caseFormat    = "viadukt-case/1"
	manifestFile  = "case.json"
	signatureFile = "case.sig"
	sealTitle     = "viadukt case signature 1\n"
)

// Forms of a payload in a case.
const (
	FormSigned   = "signed"
	FormExpanded = "expanded"
)

// ErrManifest says that the cover sheet cannot be read.
var ErrManifest = errors.New("audit: not the cover sheet of a case")

func parseManifest(b []byte) (*Manifest, error) {
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", ErrManifest)
	}
	if m.Format != caseFormat {
		return nil, fmt.Errorf("%w: format %.40q, this program knows %s", ErrManifest, m.Format, caseFormat)
	}
	return m, nil
}

// sealText is what case.sig signs.
func sealText(manifest [32]byte, log string, at time.Time) []byte {
	return fmt.Appendf(nil, "%sfile %s\nsha256 %x\nlog %s\ntime %s\n", sealTitle, manifestFile, manifest, log, at.UTC().Format(timeForm))
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
