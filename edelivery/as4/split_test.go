package as4_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// puzzle is a joiner that keeps pieces in memory.
type puzzle struct {
	pieces map[int][]byte
	last   *as4.Received
	said   *ebms.Fragment
	begin  error
}

type puzzlePiece struct {
	p *puzzle
	b bytes.Buffer
}

func (p *puzzle) Begin(context.Context, *ebms.UserMessage, *ebms.Fragment, *as4.PMode) (as4.Piece, error) {
	return &puzzlePiece{p: p}, p.begin
}
func (p *puzzlePiece) Payload() (io.Writer, error) { return &p.b, nil }
func (p *puzzlePiece) Close()                      {}
func (p *puzzlePiece) Commit(_ context.Context, r *as4.Received, f *ebms.Fragment, _, receipt []byte) ([]byte, error) {
	p.p.pieces[f.Num], p.p.last, p.p.said = bytes.Clone(p.b.Bytes()), r, f
	return receipt, nil
}

// joined is the whole as the pieces came.
func (p *puzzle) joined(pm *as4.PMode) *as4.Joined {
	var whole bytes.Buffer
	for n := 1; n <= len(p.pieces); n++ {
		whole.Write(p.pieces[n])
	}
	return &as4.Joined{Octets: &whole, Fragment: p.said, Header: p.last.Message, PMode: pm, Signer: p.last.Signer, Sender: p.last.Sender, Encrypted: p.last.Encrypted}
}

type splitWorld struct {
	*world
	puzzle *puzzle
	theirs *as4.PMode
}

func newSplitWorld(t testing.TB, change func(*as4.Splitting)) *splitWorld {
	t.Helper()
	w := &splitWorld{puzzle: &puzzle{pieces: map[int][]byte{}}}
	w.world = newWorld(t, "eu-edelivery", func(pm *as4.PMode) {
		pm.Splitting = &as4.Splitting{FragmentSize: 1000}
		if change != nil {
			change(pm.Splitting)
		}
	})
	w.receiver.Joiner = w.puzzle
	w.theirs = w.receiver.PModes().All()[0]
	return w
}

// cut prepares the pieces of a message.
func (w *splitWorld) cut(t testing.TB, msg *as4.Outgoing) (*as4.Cut, func(off, n int64) (io.ReadCloser, error)) {
	t.Helper()
	whole, err := as4.NewWhole(msg, nil)
	if err != nil {
		t.Fatal(err)
	}
	open, packed := whole.Open, int64(0)
	if w.pmode.Splitting.Compress {
		r, _ := whole.Open(0, whole.Size)
		var z bytes.Buffer
		if _, err := as4.Compress(&z, func(w io.Writer) error { _, err := io.Copy(w, r); return err }); err != nil {
			t.Fatal(err)
		}
		packed = int64(z.Len())
		open = func(off, n int64) (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(bytes.NewReader(z.Bytes()), off, n)), nil
		}
	}
	c, err := as4.NewCut(msg.Message.MessageID, whole, packed, w.pmode.Splitting)
	if err != nil {
		t.Fatal(err)
	}
	return c, open
}

// plain is a message whose payloads are not compressed, as messages that are split are.
func (w *world) plain(t testing.TB, id string, payloads ...[]byte) *as4.Outgoing {
	t.Helper()
	msg := w.message(t, id)
	for i, p := range payloads {
		cid, mime := fmt.Sprintf("p%d@a.example", i+1), "application/octet-stream"
		if bytes.HasPrefix(p, []byte("<")) {
			mime = "application/xml"
		}
		msg.Message.Parts = append(msg.Message.Parts, ebms.PartInfo{Href: "cid:" + cid, Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: mime}}})
		msg.Contents = append(msg.Contents, wss.Content{ContentID: cid, MimeType: mime, Size: int64(len(p)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p)), nil }})
	}
	return msg
}

func (w *splitWorld) send(t testing.TB, msg *as4.Outgoing, num int) *as4.Outcome {
	t.Helper()
	c, open := w.cut(t, msg)
	out, err := c.Outgoing(msg, num, 1, open)
	if err != nil {
		t.Fatal(err)
	}
	return w.sender.Send(t.Context(), out)
}

func TestSplitAndJoin(t *testing.T) {
	t.Parallel()
	random := make([]byte, 9000)
	rand.Read(random)
	for name, c := range map[string]struct {
		change   func(*as4.Splitting)
		payloads [][]byte
	}{
		"octets and XML":         {nil, [][]byte{random, xmlPayload}},
		"compressed":             {func(s *as4.Splitting) { s.Compress = true }, [][]byte{random, xmlPayload}},
		"as Domibus writes":      {func(s *as4.Splitting) { s.Compress, s.Dialect = true, as4.DialectDomibus }, [][]byte{random}},
		"a message of one piece": {func(s *as4.Splitting) { s.FragmentSize = 1 << 20 }, [][]byte{random}},
		"no payload":             {nil, nil},
		"empty payloads":         {nil, [][]byte{{}, random, {}}},
		"pieces of one octet":    {func(s *as4.Splitting) { s.FragmentSize = 100 }, [][]byte{[]byte("a"), []byte("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSplitWorld(t, c.change)
			msg := w.plain(t, "m1@a.example", c.payloads...)
			msg.Message.Properties = append(msg.Message.Properties, ebms.Property{Name: "secret", Value: "for the whole alone"})
			cut, open := w.cut(t, msg)
			order := make([]int, cut.Count())
			for i := range order {
				order[i] = i + 1
			}
			slices.Reverse(order)
			for _, n := range order {
				out, err := cut.Outgoing(msg, n, 1, open)
				if err != nil {
					t.Fatal(err)
				}
				if o := w.sender.Send(t.Context(), out); o.Verdict != as4.Acknowledged {
					t.Fatalf("piece %d of %d: %v (%v)", n, cut.Count(), o.Err, w.lastRefusal)
				}
			}
			r := w.puzzle.last
			if !r.Encrypted || !r.Signer.Equal(w.sign[0].Certificate) || len(r.References) != 4 || len(r.Message.Parts) != 0 {
				t.Errorf("the last piece: %+v", r)
			}
			if _, ok := r.Message.Property("secret"); ok || w.puzzle.said.GroupID != "m1@a.example" || w.puzzle.said.Count != cut.Count() {
				t.Errorf("the pieces say %+v", w.puzzle.said)
			}
			got := w.receiver.Join(t.Context(), w.puzzle.joined(w.theirs))
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			s := w.intake.only(t)
			if v, _ := s.Message.Property("secret"); v == "" || s.Message.MessageID != "m1@a.example" || s.Sender != r.Sender || len(s.Warnings) != 0 {
				t.Errorf("the whole: %+v %v", s.Message, s.Warnings)
			}
			for i, want := range c.payloads {
				if !bytes.Equal(s.payloads[i], want) {
					t.Errorf("payload %d differs: %d octets, want %d", i, len(s.payloads[i]), len(want))
				}
			}
			msg.Split = true
			p := &pulling{world: w.world, sent: map[string]*as4.Outgoing{"m1@a.example": msg}}
			if o := p.judged(t, got.Reply); o.Verdict != as4.Acknowledged || !o.Signed {
				t.Errorf("the receipt of the whole: %v %v\n%s", o.Verdict, o.Err, got.Reply)
			}
		})
	}
}

// judged posts a signal to a and returns what a makes of it.
func (p *pulling) judged(t *testing.T, signal []byte) *as4.Outcome {
	t.Helper()
	table, err := as4.NewTable(p.pmode)
	if err != nil {
		t.Fatal(err)
	}
	back := &as4.Receiver{PModes: func() *as4.Table { return table }, Sending: func() *as4.Table { return table }, Intake: p, Identity: p.sender.Identity, Trust: p.trust, Clock: p.receiver.Clock, Host: "a.example"}
	p.receiver, p.results = back, nil
	p.post(t, &request{contentType: ebms.ContentTypeSOAP, body: signal})
	if len(p.results) != 1 {
		t.Fatalf("%d results", len(p.results))
	}
	return p.results[0]
}

// TestPiecesAreTheSameAtEveryAttempt: ids and digests repeat, or a retry would be another message.
func TestPiecesAreTheSameAtEveryAttempt(t *testing.T) {
	t.Parallel()
	w := newSplitWorld(t, func(s *as4.Splitting) { s.Compress = true })
	msg := w.plain(t, "m1@a.example", xmlPayload)
	first, open := w.cut(t, msg)
	again, _ := w.cut(t, msg)
	if *first != *again {
		t.Errorf("%+v, %+v", first, again)
	}
	seen := map[string]bool{}
	for n := 1; n <= first.Count(); n++ {
		a, err := first.Outgoing(msg, n, 1, open)
		if err != nil {
			t.Fatal(err)
		}
		b, err := again.Outgoing(msg, n, 2, open)
		if err != nil {
			t.Fatal(err)
		}
		if a.Message.MessageID != b.Message.MessageID || !bytes.Equal(a.Contents[0].Digest, b.Contents[0].Digest) || seen[a.Message.MessageID] || !ebms.ValidMessageID(a.Message.MessageID) {
			t.Errorf("piece %d is %s and %s", n, a.Message.MessageID, b.Message.MessageID)
		}
		seen[a.Message.MessageID] = true
	}
}

func TestPiecesThatAreRefused(t *testing.T) {
	t.Parallel()
	random := make([]byte, 1500)
	rand.Read(random)
	t.Run("of an agreement without splitting", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.theirs.Splitting = nil
		if o := w.send(t, w.plain(t, "m1@a.example", random), 1); !errors.Is(o.Err, ebms.FeatureNotSupported) || o.Verdict != as4.Failed {
			t.Errorf("%v %v", o.Verdict, o.Err)
		}
	})
	t.Run("larger than agreed", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.theirs.Splitting.FragmentSize = 999
		if o := w.send(t, w.plain(t, "m1@a.example", random), 1); !errors.Is(o.Err, ebms.FragmentSizeExceeded) || o.Verdict != as4.Failed {
			t.Errorf("%v %v", o.Verdict, o.Err)
		}
	})
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.puzzle.begin = as4.ErrBusy
		if o := w.send(t, w.plain(t, "m1@a.example", random), 1); o.Verdict != as4.RetryLater || o.Status != http.StatusServiceUnavailable {
			t.Errorf("%v %d", o.Verdict, o.Status)
		}
	})
	record := func(t *testing.T, w *splitWorld, num int) *request {
		t.Helper()
		msg := w.plain(t, "m1@a.example", random)
		c, open := w.cut(t, msg)
		out, err := c.Outgoing(msg, num, 1, open)
		if err != nil {
			t.Fatal(err)
		}
		return w.record(t, out)
	}
	t.Run("whose number was changed on the way", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.post(t, record(t, w, 1).replace(t, "<mf:FragmentNum>1<", "<mf:FragmentNum>2<")).expect(t, ebms.FailedAuthentication)
	})
	t.Run("that are not as the schema says", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.post(t, record(t, w, 1).replace(t, "<mf:FragmentNum>1<", "<mf:FragmentNum>0<")).expect(t, ebms.BadFragmentNum)
		w.post(t, record(t, w, 1).replace(t, "<mf:GroupId>", "<mf:GroupID>").replace(t, "</mf:GroupId>", "</mf:GroupID>")).expect(t, ebms.BadFragmentStructure)
	})
	// unsigned removes the fragment header from what is signed: the header is added behind the signature.
	unsigned := func(t *testing.T, w *splitWorld) *request {
		t.Helper()
		msg := w.plain(t, "m1@a.example", random)
		c, open := w.cut(t, msg)
		out, err := c.Outgoing(msg, 1, 1, open)
		if err != nil {
			t.Fatal(err)
		}
		header := `<mf:MessageFragment xmlns:mf="` + ebms.NSFragment + `" xmlns:S12="` + ebms.NSSOAP + `" href="` + out.Fragment.Href + `" S12:mustUnderstand="true"><mf:GroupId>m1@a.example</mf:GroupId><mf:FragmentNum>1</mf:FragmentNum></mf:MessageFragment></S12:Header>`
		out.Fragment = nil
		return w.record(t, out).replace(t, "</S12:Header>", header)
	}
	t.Run("whose fragment header is not signed", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		w.post(t, unsigned(t, w)).expect(t, ebms.PolicyNoncompliance)
		if len(w.puzzle.pieces) != 0 {
			t.Error("the piece was kept")
		}
	})
	t.Run("but from a Domibus it need not be", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, func(s *as4.Splitting) { s.Dialect = as4.DialectDomibus })
		if a := w.post(t, unsigned(t, w)); a.signal == nil || a.signal.Receipt == nil || len(a.signal.Receipt.References) != 3 {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("with a list of payloads", func(t *testing.T) {
		t.Parallel()
		w := newSplitWorld(t, nil)
		msg := w.plain(t, "m1@a.example", random)
		c, open := w.cut(t, msg)
		out, err := c.Outgoing(msg, 1, 1, open)
		if err != nil {
			t.Fatal(err)
		}
		out.Message.Parts = msg.Message.Parts
		w.post(t, w.record(t, out)).expect(t, ebms.BadFragmentStructure)
	})
}

func TestWholesThatAreRefused(t *testing.T) {
	t.Parallel()
	random := make([]byte, 2500)
	rand.Read(random)
	pack := func(b []byte) []byte {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(b)
		w.Close()
		return z.Bytes()
	}
	for name, c := range map[string]struct {
		change func(j *as4.Joined, whole []byte) []byte
		want   ebms.Code
	}{
		"a header that differs from that of the pieces": {func(j *as4.Joined, b []byte) []byte {
			return bytes.Replace(b, []byte("<eb:Action>urn:a</eb:Action>"), []byte("<eb:Action>urn:b</eb:Action>"), 1)
		}, ebms.HeaderMismatch},
		"a final recipient that differs": {func(j *as4.Joined, b []byte) []byte {
			return bytes.Replace(b, []byte("9915:c4"), []byte("9915:c5"), 1)
		}, ebms.HeaderMismatch},
		"a conversation that differs": {func(j *as4.Joined, b []byte) []byte {
			return bytes.Replace(b, []byte(">c1<"), []byte(">c2<"), 1)
		}, ebms.HeaderMismatch},
		"fewer octets than announced": {func(j *as4.Joined, b []byte) []byte { j.Fragment.MessageSize++; return b }, ebms.BadFragmentStructure},
		"more octets than announced":  {func(j *as4.Joined, b []byte) []byte { j.Fragment.MessageSize--; return b }, ebms.BadFragmentStructure},
		"octets behind the end":       {func(j *as4.Joined, b []byte) []byte { return append(b, "more"...) }, ebms.BadFragmentStructure},
		"another boundary":            {func(j *as4.Joined, b []byte) []byte { j.Fragment.Header.Boundary = "other"; return b }, ebms.MimeInconsistency},
		"a boundary that is none":     {func(j *as4.Joined, b []byte) []byte { j.Fragment.Header.Boundary = strings.Repeat("x", 500); return b }, ebms.BadFragmentStructure},
		"no header of the whole":      {func(j *as4.Joined, b []byte) []byte { j.Fragment.Header = nil; return b }, ebms.BadFragmentStructure},
		"torn": {func(j *as4.Joined, b []byte) []byte {
			j.Fragment.MessageSize = 0
			return b[:len(b)-20]
		}, ebms.MimeInconsistency},
		"no octets": {func(j *as4.Joined, b []byte) []byte { j.Fragment.MessageSize = 0; return nil }, ebms.MimeInconsistency},
		"no SOAP": {func(j *as4.Joined, b []byte) []byte {
			return bytes.Replace(b, []byte("<S12:Envelope "), []byte("<S12:Envelopf "), 1)
		}, ebms.InvalidHeader},
		"a part absent": {func(j *as4.Joined, b []byte) []byte {
			return bytes.Replace(b, []byte("p1@a.example>\r\n"), []byte("p2@a.example>\r\n"), 1)
		}, ebms.ExternalPayloadError},
		"a test action without its service": {func(j *as4.Joined, b []byte) []byte {
			j.Header.Action = ebms.TestAction
			j.Fragment.MessageSize = 0
			return bytes.Replace(b, []byte("<eb:Action>urn:a</eb:Action>"), []byte("<eb:Action>"+ebms.TestAction+"</eb:Action>"), 1)
		}, ebms.ProcessingModeMismatch},
		"what is no gzip": {func(j *as4.Joined, b []byte) []byte { j.Fragment.Compression = "gzip"; return b }, ebms.DecompressionError},
		"a torn gzip": {func(j *as4.Joined, b []byte) []byte {
			j.Fragment.Compression = "gzip"
			z := pack(b)
			return z[:len(z)-30]
		}, ebms.DecompressionError},
		"a gzip whose check sum is wrong": {func(j *as4.Joined, b []byte) []byte {
			j.Fragment.Compression = "gzip"
			z := pack(b)
			z[len(z)-6] ^= 1
			return z
		}, ebms.DecompressionError},
		"a bomb": {func(j *as4.Joined, b []byte) []byte {
			j.Fragment.Compression = "gzip"
			return pack(append(b, make([]byte, 64<<20)...))
		}, ebms.BadFragmentStructure},
		"a payload larger than agreed": {func(j *as4.Joined, b []byte) []byte { j.PMode.MaxSize = 2000; return b }, ebms.ProcessingModeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSplitWorld(t, func(s *as4.Splitting) { s.FragmentSize = 1 << 20 })
			if o := w.send(t, w.plain(t, "m1@a.example", random), 1); o.Verdict != as4.Acknowledged {
				t.Fatal(o.Err)
			}
			j := w.puzzle.joined(w.theirs)
			b, err := io.ReadAll(j.Octets)
			if err != nil {
				t.Fatal(err)
			}
			j.Octets = bytes.NewReader(c.change(j, b))
			got := w.receiver.Join(t.Context(), j)
			if !errors.Is(got.Err, c.want) || got.Reply == nil {
				t.Fatalf("%v, reply %d octets; want %s", got.Err, len(got.Reply), c.want)
			}
			if len(w.intake.messages) != 0 {
				t.Error("the message was kept")
			}
			msg := w.plain(t, "m1@a.example", random)
			msg.Split = true
			p := &pulling{world: w.world, sent: map[string]*as4.Outgoing{"m1@a.example": msg}}
			if o := p.judged(t, got.Reply); o.Verdict != as4.Failed || !errors.Is(o.Err, c.want) {
				t.Errorf("the sender hears %v %v", o.Verdict, o.Err)
			}
		})
	}
}

// TestAWholeThatCannotBeReadNowIsNotAnswered: a disk that fails is no fault of the sender.
func TestAWholeThatCannotBeReadNowIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := newSplitWorld(t, func(s *as4.Splitting) { s.FragmentSize = 1 << 20 })
	if o := w.send(t, w.plain(t, "m1@a.example", make([]byte, 5000)), 1); o.Verdict != as4.Acknowledged {
		t.Fatal(o.Err)
	}
	j := w.puzzle.joined(w.theirs)
	j.Octets = io.MultiReader(io.LimitReader(j.Octets, 3000), failing{})
	if got := w.receiver.Join(t.Context(), j); got.Err == nil || got.Reply != nil {
		t.Errorf("%+v", got)
	}
}

// TestReceiptsOfAWhole: a message that was split is acknowledged by a copy of its header, and by nothing else.
func TestReceiptsOfAWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	msg := w.message(t, "m1@a.example", xmlPayload)
	o := w.sender.Send(t.Context(), msg) // a receipt with digests
	msg.Split = true
	p := &pulling{world: w, sent: map[string]*as4.Outgoing{"m1@a.example": msg}}
	if got := p.judged(t, o.Answer); got.Verdict != as4.RetryLater || !errors.Is(got.Err, ebms.InvalidReceipt) {
		t.Errorf("%v %v", got.Verdict, got.Err)
	}
}

func TestPModesThatCannotSplit(t *testing.T) {
	t.Parallel()
	for name, pm := range map[string]*as4.PMode{
		"one payload alone": {ID: "a", ProfileName: "peppol", Splitting: &as4.Splitting{}},
		"fetched messages":  {ID: "a", ProfileName: "eu-edelivery", Splitting: &as4.Splitting{}, Pull: true, MPC: "urn:m", Certificates: newWorld(t, "eu-edelivery", nil).pmode.Certificates},
	} {
		if _, err := as4.NewTable(pm); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	pm := &as4.PMode{ID: "a", ProfileName: "eu-edelivery", Splitting: &as4.Splitting{FragmentSize: 10}}
	if _, err := as4.NewTable(pm); err != nil {
		t.Fatal(err)
	}
	if _, err := as4.NewCut("m@x", &as4.Whole{Size: 10 * 70_000}, 0, pm.Splitting); !errors.Is(err, ebms.BadFragmentCount) {
		t.Errorf("%v", err)
	}
}
