package signing

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/viadukt-eu/viadukt/trust/ades"
)

// operation is what a path does with the JSON of a request.
type operation = func(context.Context, *json.Decoder) (any, error)

// pending is a signature that a request asks for, but for its value.
type pending struct {
	*ades.Pending
	value  *signatureValueJSON // of the second request
	finish func(ctx context.Context, signed []byte) (Document, error)
}

// twoSteps are the operations of a signature whose key may be elsewhere: the first answers with what is to be signed, the second
// takes the value. Both get the same parameters, so nothing is remembered between them.
func twoSteps[R any](prepare func(*R) (*pending, error)) (dataToSign, sign operation) {
	read := func(d *json.Decoder) (*pending, error) {
		r, err := read[R](d)
		if err != nil {
			return nil, err
		}
		return prepare(r)
	}
	return func(_ context.Context, d *json.Decoder) (any, error) {
			p, err := read(d)
			if err != nil {
				return nil, err
			}
			return octets{p.ToBeSigned()}, nil
		}, func(ctx context.Context, d *json.Decoder) (any, error) {
			p, err := read(d)
			if err != nil {
				return nil, err
			}
			if p.value == nil || len(p.value.Value) == 0 {
				return nil, refuse(http.StatusBadRequest, "signatureValue is missing")
			}
			var b bytes.Buffer
			if err := p.Complete(&b, p.value.Value); err != nil {
				return nil, err
			}
			return p.finish(ctx, b.Bytes())
		}
}
