package ebms

import (
	"bytes"
	"fmt"
	"io"
)

// Root reads the root part, the envelope, and returns its content. It is called before [MIMEReader.Next], which then
// returns the other parts in their order.
//
// The root is the part that the start parameter names, and the first where there is no such parameter or none so
// named [RFC 2387 3.2]. To find that out, parts in front of it are held in memory as far as Limits.RootBytes allow;
// beyond that the first part is taken.
func (r *MIMEReader) Root() (*Part, []byte, error) {
	first, err := r.Next()
	if err == io.EOF {
		err = fmt.Errorf("%w: no part at all", ErrMIME)
	}
	if err != nil {
		return nil, nil, err
	}
	root := first
	if r.start != "" && !first.Named {
		if root, err = r.search(first); err != nil {
			return nil, nil, err
		}
	}
	content, err := root.all(r.lim.RootBytes)
	return root, content, err
}

// search looks for the part that start names and puts all others aside for Next.
func (r *MIMEReader) search(first *Part) (*Part, error) {
	budget := r.lim.RootBytes
	root := first
	var aside []*Part
	for p := first; ; {
		whole, err := p.hold(&budget)
		if err != nil {
			return nil, err
		}
		if p != first {
			aside = append(aside, p)
		} else if !whole {
			return nil, fmt.Errorf("%w: root part of more than %d octets", ErrTooLarge, r.lim.RootBytes)
		}
		if !whole {
			break
		}
		if p, err = r.Next(); err == io.EOF {
			r.err = nil
			break
		}
		if err != nil {
			return nil, err
		}
		if p.Named {
			root = p
			aside = append([]*Part{first}, aside...)
			break
		}
	}
	r.held = aside
	return root, nil
}

// hold reads the raw octets of a part into memory while the budget lasts; whole says that it did.
func (p *Part) hold(budget *int) (whole bool, err error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(rawReader{p}, int64(*budget)+1))
	if err != nil {
		return false, err
	}
	p.held = bytes.NewReader(buf.Bytes())
	*budget -= int(n)
	return *budget >= 0, nil
}

// all reads the decoded content of at most max octets.
func (p *Part) all(max int) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(16 << 10)
	n, err := io.Copy(&buf, io.LimitReader(struct{ io.Reader }{p}, int64(max)+1))
	if err != nil {
		return nil, err
	}
	if n > int64(max) {
		return nil, fmt.Errorf("%w: root part of more than %d octets", ErrTooLarge, max)
	}
	return buf.Bytes(), nil
}
