package backoffice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// deliver writes a received message into IN: into a hidden folder first, which gets its name when it is complete.
func (s *Service) deliver(ctx context.Context, t store.Task) error {
	m, err := s.Store.Message(ctx, t.Message)
	if err != nil {
		return gone(err)
	}
	if m.State == store.Confirmed {
		return nil
	}
	um, err := s.Gateway.Header(m)
	if err != nil {
		return errDead{err}
	}
	f, err := s.openFolders()
	if err != nil {
		return err
	}
	defer f.root.Close()
	recipient, ok := um.Property(ebms.PropertyFinalRecipient)
	if !ok {
		recipient = "unaddressed"
	}
	if err := f.in(ctx, m, um, path.Join(inFolder, fileName(recipient))); err != nil {
		return gone(err)
	}
	return s.downloaded(ctx, m)
}

func (f *folders) in(ctx context.Context, m *store.Message, um *ebms.UserMessage, parent string) error {
	metadata := metadataOf(m, um)
	final := path.Join(parent, fileName(m.MessageID))
	if b, err := f.readSmall(path.Join(final, metadataFile), metadataMax); err == nil {
		if bytes.Equal(b, metadata) {
			return nil // written before the process ended
		}
		final += fmt.Sprintf("-%d", m.ID) // another sender chose the same id
	}
	if err := f.root.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp := path.Join(parent, fmt.Sprintf(".incoming-%d", m.ID)) // the same at each attempt: what a crash left is used up
	if err := f.root.RemoveAll(temp); err != nil {
		return err
	}
	if err := f.root.Mkdir(temp, 0o755); err != nil {
		return err
	}
	defer f.root.RemoveAll(temp)
	if err := f.writeFile(path.Join(temp, metadataFile), bytes.NewReader(metadata)); err != nil {
		return err
	}
	taken := map[string]bool{metadataFile: true}
	for i := range m.Payloads {
		p := &m.Payloads[i]
		body, err := f.s.Gateway.Open(ctx, p)
		if err != nil {
			return err
		}
		name := payloadFile(p)
		for n := i + 1; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%d-%s", n, payloadFile(p))
		}
		taken[strings.ToLower(name)] = true
		err = f.writeFile(path.Join(temp, name), body)
		body.Close()
		if err != nil {
			return err
		}
	}
	if err := f.syncDir(temp); err != nil {
		return err
	}
	if err := f.root.Rename(temp, final); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errDead{err}
		}
		return err
	}
	return f.syncDir(parent)
}

// payloadFile is the base of the name that the sender gave, else the content id with an extension.
func payloadFile(p *store.Payload) string {
	if p.Name != "" {
		base := path.Base(strings.ReplaceAll(p.Name, `\`, "/"))
		if base != "." && base != ".." && base != "/" {
			return fileName(base)
		}
	}
	return fileName(p.ContentID + mediatype.Extension(p.MimeType))
}

// metadataOf writes metadata.xml: the header as document. It is the same at each attempt.
func metadataOf(m *store.Message, um *ebms.UserMessage) []byte {
	x := dom.NewWriter(nil)
	writeUserMessage(x, "eb", um, m.Created)
	body := bytes.Replace(x.Bytes(), []byte("<eb:UserMessage "), []byte(`<eb:UserMessage xmlns:eb="`+ebms.NS+`" `), 1)
	return append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"), body...)
}
