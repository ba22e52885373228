package procurement

import (
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
)

var _ node.Recogniser = (*Domain)(nil)

// Recognise implements [node.Recogniser].
func (d *Domain) Recognise(octets []byte) (receiver ids.Participant, t ids.DocumentType, process ids.Process, err error) {
	doc, err := Parse(octets)
	if err != nil {
		return receiver, t, process, err
	}
	return doc.Receiver, doc.Type, doc.Process, nil
}
