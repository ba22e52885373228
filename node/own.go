package node

import (
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Own is what partners have to know of a node with this configuration: its party identifier, and the certificates that it
// signs with and is encrypted for, which are usually one.
func Own(c *config.Config) (party ebms.PartyID, certificates []*pki.Certificate, err error) {
	k, err := loadKeys(c)
	if err != nil {
		return party, nil, err
	}
	certificates = append(certificates, k.sign.Certificate)
	if len(k.decrypt) > 0 && !k.decrypt[0].Certificate.Equal(k.sign.Certificate) {
		certificates = append(certificates, k.decrypt[0].Certificate)
	}
	return (&Node{Config: c, keys: k}).partyID(), certificates, nil
}

// PartnerCertificates reads the certificates of a partner, the current one first.
func PartnerCertificates(p *Partner) ([]*pki.Certificate, error) {
	loaded, err := loadPartner(p)
	if err != nil {
		return nil, err
	}
	out := loaded.template.Certificates
	if c := loaded.template.EncryptionCertificate; c != nil {
		out = append(out, c)
	}
	return out, nil
}
