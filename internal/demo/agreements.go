package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node"
)

// largeSize is that of the large file; it travels in pieces of pieceSize.
const (
	largeSize = 64 << 20
	pieceSize = 8 << 20
)

// agreement is one kind of message that EE sends, with what it asks for beside the core, or that PT sends.
type agreement struct {
	id       string
	fromPT   bool
	settings []string // of the P-Mode, at both ends
	receiver string   // another one where messages are received; "" for none
}

var extras = []agreement{
	{id: "large", settings: []string{fmt.Sprintf("splitting: {fragmentSize: %dMiB, threshold: 16MiB}", pieceSize>>20), "asyncReceipts: true"}},
	{id: "waiting", settings: []string{"mpc: urn:demo:waiting"}, receiver: "pull: {interval: 1s}"},
	{id: "question", settings: []string{"replyWith: answer"}},
	{id: "answer", fromPT: true, settings: []string{"response: true"}},
}

// agreements adds what an agreement may ask for to two nodes that run, one after the other, and takes it away again: the
// core does not change.
func agreements(w *world) error {
	ee, pt, err := w.pair()
	if err != nil {
		return err
	}
	begin := time.Now()
	plain := []byte("A letter by the core alone: pushed, whole, with its receipt in the answer.\n")
	if _, err := w.letter(ee, pt, letters.ID, plain); err != nil {
		return err
	}
	w.step("", "core", "EE→PT", begin, "a letter by the agreement that knows nothing more: pushed, acknowledged at once")
	start := time.Now()
	if err := w.agreeOn(ee, pt, extras); err != nil {
		return err
	}
	w.step("", "reload", "EE, PT", start, "four agreements more in pmodes.yaml, taken into use without a restart")
	for _, do := range []func(ee, pt *country) error{w.fetched, w.inPieces, w.answered} {
		if err := do(ee, pt); err != nil {
			return errors.Join(err, w.agreeOn(ee, pt, nil))
		}
	}
	start = time.Now()
	if err := w.agreeOn(ee, pt, nil); err != nil {
		return err
	}
	var p *problem
	if _, err := w.letter(ee, pt, "large", plain); !errors.As(err, &p) {
		return fmt.Errorf("an agreement that is gone is still kept: %w", err)
	}
	if _, err := w.letter(ee, pt, letters.ID, plain); err != nil {
		return err
	}
	w.step("ESENS-3", "off again", "EE→PT", start, "without the four the nodes refuse them (%s), and the first letter goes as it did", p.Code)
	return nil
}

// agreeOn writes the agreements of both nodes beside their configurations and has them read.
func (w *world) agreeOn(ee, pt *country, list []agreement) error {
	for _, c := range []struct {
		at, other *country
	}{{ee, pt}, {pt, ee}} {
		var b bytes.Buffer
		for i, a := range list {
			if i == 0 {
				b.WriteString("pmodes:\n")
			}
			direction := "send"
			if a.fromPT != (c.at == pt) {
				direction = "receive"
			}
			fmt.Fprintf(&b, "  - id: %s\n    partner: %s\n    profile: %s\n    service: %s\n    action: %s\n    direction: %s\n", a.id, c.other.made.Name, letters.Profile, letters.Service, a.id, direction)
			for _, s := range a.settings {
				fmt.Fprintf(&b, "    %s\n", s)
			}
			switch {
			case a.receiver == "":
			case direction == "receive":
				fmt.Fprintf(&b, "    %s\n", a.receiver)
			default:
				b.WriteString("    pull: {}\n") // what waits is fetched
			}
		}
		file := filepath.Join(filepath.Dir(c.at.made.ConfigFile), "pmodes.yaml")
		var err error
		if len(list) == 0 {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, b.Bytes(), 0o600)
		}
		if err != nil {
			return err
		}
		if _, err := c.at.node.Reload(w.ctx); err != nil { // as SIGHUP has it done
			return err
		}
	}
	return nil
}

// hand submits octets by an agreement.
func (c *country) hand(pmode string, from, to sample.Party, body io.Reader) (*node.MessageJSON, error) {
	q := url.Values{"pmode": {pmode}, "sender": {from.Participant()}, "receiver": {to.Participant()}}
	b, err := c.stream(http.MethodPost, "/messages?"+q.Encode(), "application/octet-stream", body)
	if err != nil {
		return nil, err
	}
	var m node.MessageJSON
	return &m, json.Unmarshal(b, &m)
}

// letter goes from one node to the other by an agreement, and arrives with the same octets.
func (w *world) letter(from, to *country, pmode string, octets []byte) (*node.MessageJSON, error) {
	m, err := from.hand(pmode, sample.Supplier, sample.Buyer, bytes.NewReader(octets))
	if err != nil {
		return nil, err
	}
	return m, w.arrives(from, to, m.MessageID, octets)
}

// arrives waits until a message is acknowledged and delivered, and compares it.
func (w *world) arrives(from, to *country, id string, octets []byte) error {
	if _, err := from.await(id, "acknowledged"); err != nil {
		return err
	}
	if _, err := to.await(id, "delivered", "confirmed"); err != nil {
		return err
	}
	got, err := to.call(http.MethodGet, "/messages/"+id+"/payloads/0", "", nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, octets) {
		return errors.New("other octets arrived")
	}
	return nil
}

// fetched is a message that waits until the receiver asks for it.
func (w *world) fetched(ee, pt *country) error {
	start := time.Now()
	letter := []byte("This one waits at EE until PT asks for it.\n")
	m, err := w.letter(ee, pt, "waiting", letter)
	if err != nil {
		return err
	}
	w.step("", "fetched", "EE→PT", start, "EE pushed nothing: the letter waited, PT asked for it with a signed request, and posted its receipt (message %d)", m.ID)
	return nil
}

// inPieces is a large file.
func (w *world) inPieces(ee, pt *country) error {
	file := make([]byte, largeSize)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(file)
	start := time.Now()
	m, err := ee.hand("large", sample.Supplier, sample.Buyer, bytes.NewReader(file))
	if err != nil {
		return err
	}
	w.step("", "large file", "EE", start, "%d MiB accepted and on stable storage", largeSize>>20)
	start = time.Now()
	if err := w.arrives(ee, pt, m.MessageID, file); err != nil {
		return err
	}
	sum := sha256.Sum256(file)
	w.step("", "in pieces", "EE→PT", start, "%d pieces of %d MiB, each with its receipt, made whole at PT: SHA-256 %s… at both ends", largeSize/pieceSize, pieceSize>>20, hex.EncodeToString(sum[:4]))
	return nil
}

// answered is a question and its answer.
func (w *world) answered(ee, pt *country) error {
	start := time.Now()
	asked, err := w.letter(ee, pt, "question", []byte("Is the harbour open on Sunday?\n"))
	if err != nil {
		return err
	}
	reply := []byte("Yes, from nine o'clock.\n")
	b, err := pt.call(http.MethodPost, "/messages/"+asked.MessageID+"/reply", "text/plain", reply)
	if err != nil {
		return err
	}
	var answer node.MessageJSON
	if err := json.Unmarshal(b, &answer); err != nil {
		return err
	}
	if err := w.arrives(pt, ee, answer.MessageID, reply); err != nil {
		return err
	}
	got, err := ee.message(answer.MessageID)
	if err != nil {
		return err
	}
	if got.RefTo != asked.MessageID {
		return fmt.Errorf("the answer names %q", got.RefTo)
	}
	w.step("", "answered", "EE⇄PT", start, "question and answer are one conversation, and the answer names the question: %s", got.RefTo)
	return nil
}
