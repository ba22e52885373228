package as4

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Outbox is where a receiver finds what waits to be pulled [EU-AS4 1.5.5]. The node implements it.
type Outbox interface {
	// Pull takes the oldest message that waits in a channel, so that no other request gets it; nil when none waits. done
	// is called once the message was written to the peer, or could not be: its receipt comes later, by [Intake.Signal].
	Pull(ctx context.Context, channel string) (out *Outgoing, done func(error), err error)
}

// maxUnready is how many waiting messages that cannot be secured one pull request passes over.
const maxUnready = 10

// answerPull authorises a pull request by its signer and hands over the oldest message of the channel. Whoever may pull
// nothing hears the same of every channel, and so does a partner of the channels of others: whether they exist is not
// told [EU-AS4 1.5.5].
func (x *exchange) answerPull(mpc string, signer *pki.Certificate) answer {
	if x.r.Outbox == nil || x.r.Sending == nil {
		return x.refuse(ebms.FeatureNotSupportedInHeader.New("this endpoint answers no pull requests"))
	}
	if signer == nil {
		return x.refuse(ebms.PolicyNoncompliance.New("a pull request is signed"))
	}
	partner := false
	for _, pm := range x.r.Sending().All() {
		if !pm.Pull || !slices.ContainsFunc(pm.Certificates, signer.Equal) {
			continue
		}
		partner = true
		if pm.Channel() == mpc {
			x.pm = pm
			break
		}
	}
	switch {
	case !partner:
		return x.refuse(ebms.FailedAuthentication.New("security"))
	case x.pm == nil:
		return x.refuse(ebms.ValueNotRecognized.New("unknown message partition channel"))
	}
	// What was taken out is handed over or given back, even if the asker does not listen any more.
	x.ctx = context.WithoutCancel(x.ctx)
	for range maxUnready {
		out, done, err := x.r.Outbox.Pull(x.ctx, mpc)
		if err != nil {
			return x.refuse(err)
		}
		if out == nil {
			return x.refuse(ebms.EmptyMessagePartitionChannel.New("no message waits in this channel"))
		}
		b, err := x.waiting(out)
		if err == nil {
			return answer{status: http.StatusOK, contentType: b.contentType, stream: func(w http.ResponseWriter) { done(b.send(w)) }}
		}
		done(&UnreadyError{err})
	}
	return x.refuse(ebms.Other.New("the messages of this channel cannot be handed over now"))
}

// UnreadyError says that a message could not be signed or encrypted: it was not written to the peer.
type UnreadyError struct{ Err error }

func (e *UnreadyError) Error() string { return e.Err.Error() }
func (e *UnreadyError) Unwrap() error { return e.Err }

func (x *exchange) waiting(out *Outgoing) (*body, error) {
	sec, err := secure(x.ctx, out, x.r.Identity, x.r.Trust)
	if err != nil {
		return nil, err
	}
	return bodyOf(out.Message.MessageID, sec)
}

// send answers with the message.
func (b *body) send(w http.ResponseWriter) error {
	w.Header().Set("Content-Length", strconv.FormatInt(b.length, 10))
	w.WriteHeader(http.StatusOK)
	if b.reader != nil {
		_, err := io.Copy(w, b.reader)
		return err
	}
	return b.write(w)
}
