package as4

import (
	"errors"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// readEnvelope reads the SOAP envelope of a request or answer and leaves its attachments to be read. raw receives the
// envelope's octets. Without attachments the reader is nil.
func readEnvelope(contentType string, body io.Reader, lim ebms.Limits, raw *[]byte) (*ebms.Envelope, *ebms.MIMEReader, error) {
	media, err := ebms.ParseContentType(contentType)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case media.IsMultipart():
		r, err := ebms.NewReader(contentType, body, lim)
		if err != nil {
			return nil, nil, err
		}
		_, octets, err := r.Root()
		if err != nil {
			return nil, nil, mimeError(err)
		}
		*raw = octets
		env, err := ebms.ParseEnvelope(octets, dom.Limits{})
		return env, r, err
	case media.IsSOAP():
		octets, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
		if err != nil {
			return nil, nil, err
		}
		if len(octets) > maxAnswer {
			return nil, nil, fmt.Errorf("%w: envelope of more than %d octets", ebms.ErrTooLarge, maxAnswer)
		}
		*raw = octets
		env, err := ebms.ParseEnvelope(octets, dom.Limits{})
		return env, nil, err
	}
	return nil, nil, fmt.Errorf("%w: %s is neither multipart/related nor application/soap+xml", ebms.ErrContentType, media.Type)
}

// mimeError gives a malformed body its code [ebMS3 6.7.2].
func mimeError(err error) error {
	switch {
	case errors.Is(err, ebms.ErrMIME):
		return ebms.MimeInconsistency.Wrap(err, "malformed multipart body")
	case errors.Is(err, ebms.ErrTruncated):
		return ebms.MimeInconsistency.Wrap(err, "the multipart body ends before its end")
	}
	return err
}
