package as4

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// checkReceipt compares a receipt with what was signed: every reference once, each digest equal, nothing besides
// [AS4 5.1.8]. A receipt that repeats the UserMessage proves less and is taken only where the P-Mode says so.
func checkReceipt(r *ebms.Receipt, signed []wss.SignedReference, out *Outgoing) error {
	if out.Split { // the pieces have receipts that prove more
		if r.UserMessage == nil || r.UserMessage.MessageID != out.Message.MessageID {
			return errors.New("the receipt of a message that was split repeats its header [ebMS3-2 4.5]")
		}
		return nil
	}
	if out.PMode.NoReceiptProof || out.PMode.Unsigned {
		if len(r.References) == 0 {
			if r.UserMessage == nil && len(r.Children) == 0 {
				return errors.New("the receipt is empty")
			}
			if r.UserMessage != nil && r.UserMessage.MessageID != out.Message.MessageID {
				return errors.New("the receipt repeats another message")
			}
			return nil
		}
		if out.PMode.Unsigned {
			return nil
		}
	}
	if len(r.References) == 0 {
		return errors.New("the receipt carries no non-repudiation information")
	}
	byURI := make(map[string][]byte, len(r.References))
	for _, ref := range r.References {
		if _, twice := byURI[ref.URI]; twice {
			return fmt.Errorf("the receipt names %q twice", ref.URI)
		}
		byURI[ref.URI] = ref.Digest
	}
	for _, s := range signed {
		digest, ok := byURI[s.URI]
		switch {
		case !ok:
			return fmt.Errorf("the receipt does not cover %q", s.URI)
		case len(digest) == 0 || !bytes.Equal(digest, s.Digest):
			return fmt.Errorf("the receipt has another digest for %q", s.URI)
		}
	}
	if len(byURI) != len(signed) {
		return fmt.Errorf("the receipt covers %d parts, %d were signed", len(byURI), len(signed))
	}
	return nil
}

// receiptFor makes the receipt of a received message: copies of the references that were signed, or of the
// UserMessage where the P-Mode wants no proof or nothing was signed [AS4 5.1.8].
func receiptFor(rcv *Received) *ebms.Receipt {
	if rcv.PMode.NoReceiptProof || len(rcv.References) == 0 {
		return &ebms.Receipt{UserMessage: rcv.Message}
	}
	r := &ebms.Receipt{References: make([]ebms.NRReference, len(rcv.References))}
	for i, ref := range rcv.References {
		r.References[i] = ebms.NRReference{URI: ref.URI, DigestMethod: ref.DigestMethod, Digest: ref.Digest, Node: ref.Element}
	}
	return r
}
