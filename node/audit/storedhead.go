package audit

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// CheckHead judges a head as a store keeps it: its signature, with the certificate that the store keeps beside it, and
// that it stands for the tree of its size. first is the hash of the log's first entry; meta reads the store's values. That
// the certificate is the node's own is for others to say.
func CheckHead(octets []byte, size int64, root, first merkle.Hash, meta func(key string) string) error {
	h, err := ParseHead(octets)
	if err != nil {
		return err
	}
	certs, err := pki.ParsePEMCertificates([]byte(meta(certificateKey(h.Certificate))))
	switch {
	case err != nil || len(certs) == 0:
		return fmt.Errorf("audit: the certificate of who signed it is not there")
	case h.Log != first:
		return fmt.Errorf("audit: it is the head of another log")
	case h.Size != size || h.Root != root:
		return fmt.Errorf("audit: it stands for other entries: root %x, and the entries have %x", h.Root, root)
	}
	return h.Verify(certs[0])
}
