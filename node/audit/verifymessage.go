package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/store"
)

// message checks what was exchanged: who signed the message, that the payloads are those that were signed, and that the
// receipt is for exactly that.
func (v *verification) message() error {
	origin, err := v.origin()
	if err != nil {
		return err
	}
	for _, f := range v.role(RoleReceipt) {
		if err := v.receipt(f, origin); err != nil {
			return err
		}
	}
	for _, f := range v.role(RoleError) {
		if err := v.errorSignal(f); err != nil {
			return err
		}
	}
	for _, f := range v.role(RoleHeader) {
		v.inLog("message", "header", f)
	}
	for _, f := range v.role(RoleEvidence) {
		v.inLog("evidence", f.Kind, f)
	}
	for _, m := range v.man.Missing {
		v.say(Unsettled, m.What, "", "not in the case: %s", m.Why)
	}
	return nil
}

// load reads an envelope of the case; nil after it said what is wrong.
func (v *verification) load(name string, f CaseFile) (*kept, error) {
	b, err := v.read(f.Name)
	var k *kept
	if err == nil {
		k, err = parseKept(b)
	}
	if err != nil {
		if e := (ioError{}); errors.As(err, &e) {
			return nil, e
		}
		v.say(Failed, name, f.Name, "%v", err)
		return nil, nil
	}
	return k, nil
}

// inLog says whether the log took note of a file.
func (v *verification) inLog(name, kind string, f CaseFile) (time.Time, bool) {
	at, ok := v.recorded(kind, v.sums[f.Name])
	if ok {
		v.say(Proven, name+": record", f.Name, "its SHA-256 was recorded at %s", at.Format(timeForm))
	} else if v.named(kind) {
		v.say(Failed, name+": record", f.Name, "the log recorded another %s", kind)
	} else {
		v.say(Unsettled, name+": record", f.Name, "the log did not record it: the policy did not want it")
	}
	return at, ok
}

// named says whether any proven entry names an object of this kind.
func (v *verification) named(kind string) bool {
	for _, e := range v.report.Entries {
		for _, o := range e.Objects {
			if o.Kind == kind {
				return true
			}
		}
	}
	return false
}

func (v *verification) in() bool { return v.man.Message.Direction == store.In.String() }

// origin checks the signed message and its payloads.
func (v *verification) origin() (*kept, error) {
	const name = "message"
	files := v.role(RoleOrigin)
	if len(files) == 0 {
		return nil, v.payloads(nil)
	}
	if len(files) > 1 {
		v.say(Failed, name, files[1].Name, "the case has a second signed message")
	}
	f := files[0]
	k, err := v.load(name, f)
	if err != nil || k == nil {
		return nil, err
	}
	um := k.messaging.UserMessage()
	if um == nil || um.MessageID != v.man.Message.MessageID {
		v.say(Failed, name, f.Name, "it is not the message %s", v.man.Message.MessageID)
		return nil, nil
	}
	kind := string(store.KindNonRepudiation)
	if v.in() {
		kind = "header"
	}
	at, recorded := v.inLog(name, kind, f)
	if !recorded {
		at = um.Timestamp
	}
	sums := map[string]*wss.Digests{} // by Content-ID, of the payloads that are there as they were signed
	var medium error
	err = k.signature(v.pool, func(cid, method string) ([][]byte, error) {
		p := v.payloadFile(cid, FormSigned)
		info := part(um, cid)
		if p == nil || info == nil {
			return nil, nil
		}
		d, err := wss.NewDigests(signedType(info), method)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(d, v.section(v.byName[p.Name])); err != nil {
			medium = err
			return nil, err
		}
		sums[cid] = d
		return d.Sums(), nil
	})
	if e := (ioError{}); errors.As(medium, &e) {
		return nil, e
	}
	if !v.check(err, name, f.Name, "signed by %s", keptSigner(k)) {
		return nil, v.payloads(nil)
	}
	v.chain(k.opened.Signer, k.opened.SignerPath, at, name, f.Name)
	return k, v.payloads(k)
}

func keptSigner(k *kept) string {
	if k.opened == nil {
		return "nobody"
	}
	return signerName(k.opened.Signer)
}

func (v *verification) payloadFile(cid, form string) *CaseFile {
	for _, f := range v.role(RolePayload) {
		if f.Form == form && ebms.SameContentID(f.ContentID, cid) {
			return &f
		}
	}
	return nil
}

// payloads says of each payload how it is proven: under the message's signature, or by the log.
func (v *verification) payloads(origin *kept) error {
	for i, f := range v.role(RolePayload) {
		name := fmt.Sprintf("payload %d", i+1)
		var info *ebms.PartInfo
		if origin != nil {
			info = part(origin.messaging.UserMessage(), f.ContentID)
		}
		switch {
		case origin != nil && info == nil:
			v.say(Failed, name, f.Name, "the message has no payload %.200q", f.ContentID)
			continue
		case origin != nil && f.Form == FormSigned:
			v.say(Proven, name, f.Name, "its digest is under the message's signature")
		case f.Form != FormSigned && f.Form != FormExpanded:
			v.say(Failed, name, f.Name, "unknown form %.40q", f.Form)
			continue
		}
		sum, err := v.keptSum(f, info)
		if e := (ioError{}); errors.As(err, &e) {
			return e
		}
		if err != nil {
			v.say(Failed, name, f.Name, "%v", err)
			continue
		}
		at, ok := v.recorded("payload", sum)
		switch {
		case ok && f.Form == FormExpanded:
			v.say(Proven, name, f.Name, "the node recorded its SHA-256 at %s, when it had checked the signature over the compressed form", at.Format(timeForm))
		case ok:
			v.say(Proven, name+": record", f.Name, "its SHA-256 was recorded at %s", at.Format(timeForm))
		case v.named("payload"):
			v.say(Failed, name+": record", f.Name, "the log recorded another payload")
		case f.Form == FormExpanded:
			v.say(Unsettled, name, f.Name, "it was signed in compressed form, and the log did not record what that contained: the policy did not want it")
		}
	}
	return nil
}

// keptSum is the SHA-256 of a payload as its node kept it: expanded where it was received.
func (v *verification) keptSum(f CaseFile, info *ebms.PartInfo) (sum [32]byte, err error) {
	if !v.in() || f.Form == FormExpanded || info == nil {
		return v.sums[f.Name], nil
	}
	if compressed, err := info.Compressed(); err != nil || !compressed {
		return v.sums[f.Name], err
	}
	z, err := gzip.NewReader(v.section(v.byName[f.Name]))
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	if n, err := io.Copy(h, io.LimitReader(z, maxRecompressed+1)); err != nil {
		return sum, err
	} else if n > maxRecompressed {
		return sum, fmt.Errorf("it expands to more than %d octets", maxRecompressed)
	}
	return [32]byte(h.Sum(nil)), nil
}

// receipt checks who signed a receipt and that it is for the message.
func (v *verification) receipt(f CaseFile, origin *kept) error {
	const name = "receipt"
	k, err := v.load(name, f)
	if err != nil || k == nil {
		return err
	}
	at, recorded := v.inLog(name, string(store.KindReceipt), f)
	s := k.receipt()
	switch {
	case s == nil:
		err = errors.New("the signal message is no receipt")
	case s.RefToMessageID != v.man.Message.MessageID:
		err = fmt.Errorf("it is for the message %.200q", s.RefToMessageID)
	default:
		err = k.signature(v.pool, nil)
	}
	if !v.check(err, name, f.Name, "signed by %s", keptSigner(k)) {
		return nil
	}
	if !recorded {
		at = s.Timestamp
	}
	v.chain(k.opened.Signer, k.opened.SignerPath, at, name, f.Name)
	if origin == nil || origin.opened == nil {
		v.say(Unsettled, name+": digests", f.Name, "%d digests; the signed message that they belong to is not in the case", len(s.Receipt.References))
		return nil
	}
	if len(s.Receipt.References) == 0 {
		v.say(Unsettled, name+": digests", f.Name, "it repeats the message's header and no digests: it proves that the message arrived, not what was in it")
		return nil
	}
	v.check(sameDigests(s.Receipt, origin.opened), name+": digests", f.Name, "all %d digests are those that the message's signature covers", len(s.Receipt.References))
	if k.opened.Signer.Equal(origin.opened.Signer) {
		v.say(Unsettled, name+": parties", f.Name, "message and receipt were signed with the same certificate: they bind one party")
	}
	return nil
}

// errorSignal says what an answer proves that was no receipt: it was kept as it came, whatever it was, so that what is
// wrong with it is no fault of the case.
func (v *verification) errorSignal(f CaseFile) error {
	const name = "error"
	at, recorded := v.inLog(name, string(store.KindError), f)
	b, err := v.read(f.Name)
	if e := (ioError{}); errors.As(err, &e) {
		return e
	}
	nothing := func(why any) error {
		v.say(Unsettled, name, f.Name, "the answer proves nothing about the partner: %v", why)
		return nil
	}
	if err != nil {
		return nothing(err)
	}
	k, err := parseKept(b)
	if err != nil {
		return nothing(err)
	}
	if !k.env.Security.Valid() {
		return nothing("nobody signed it")
	}
	code, about := "", ""
	for _, s := range k.messaging.Signals {
		for _, e := range s.Errors {
			code, about = string(e.Code), cmp.Or(e.RefToMessageInError, s.RefToMessageID)
		}
		if !recorded {
			at = s.Timestamp
		}
	}
	if about != "" && about != v.man.Message.MessageID {
		return nothing(fmt.Errorf("it is about the message %.200q", about))
	}
	if err := k.signature(v.pool, nil); err != nil {
		return nothing(err)
	}
	if r, text := v.judge(k.opened.Signer, k.opened.SignerPath, at); r == Failed {
		return nothing(text)
	}
	v.say(Proven, name, f.Name, "%s, signed by %s", cmp.Or(code, "no error"), keptSigner(k))
	v.chain(k.opened.Signer, k.opened.SignerPath, at, name, f.Name)
	return nil
}
