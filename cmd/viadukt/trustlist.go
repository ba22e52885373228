package main

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/trustlist/draft"
)

var trustlistCommand = &command{
	name: "trustlist", summary: "makes, signs, shows, checks and fetches lists of trusted services.",
	example: "viadukt trustlist new ee.yaml --territory EE\nviadukt trustlist sign ee.yaml --key operator.pem --out ee.xml",
	sub: []*command{
		{name: "new", summary: "writes a draft: a file to fill in.", args: "FILE.yaml",
			example: "viadukt trustlist new ee.yaml --territory EE\nviadukt trustlist new lotl.yaml --territory EU --lotl", prepare: prepareTrustlistNew},
		{name: "add", summary: "puts a service into a draft.", args: "FILE.yaml",
			help:    "Of a provider that the draft does not have, the address of the operator is a beginning: fill it in.",
			example: "viadukt trustlist add ee.yaml --provider PilotPKI --type CA/QC --certificate ca.pem --for ForeSignatures --since 2026-01-01", prepare: prepareTrustlistAdd},
		{name: "sign", summary: "makes the list of a draft and signs it.", args: "FILE.yaml",
			help: `The list is TS 119 612 version 6, signed with XAdES as that asks. Its number is one above that of the list that is in --out
already. Certificates are read from the folder of the draft.`,
			example: "viadukt trustlist sign ee.yaml --key operator.p12 --password file:operator.pass --out ee.xml", prepare: prepareTrustlistSign},
		{name: "show", summary: "shows what is in a list, without asking who signed it.", args: "FILE.xml",
			example: "viadukt trustlist show ee.xml --json", prepare: prepareTrustlistShow},
		{name: "check", summary: "says whether a list counts: signed by whom it should be, in time, of the right country.", args: "FILE.xml",
			help:    "The exit status is 0 when it does.",
			example: "viadukt trustlist check ee.xml --signer operator.pem --territory EE", prepare: prepareTrustlistCheck},
		{name: "fetch", summary: "mirrors a list, or a list of lists with all that it points at, in a folder.", args: "[URL]",
			help: `Only lists that are signed by whom the list of lists names are kept; of the others the last good copy stays. Asked again
without URL, what changed is fetched. --announcement is the page of the Official Journal from which the signers are:
when the list names another one, it is time to take the signers from there.`,
			example: "viadukt trustlist fetch https://ec.europa.eu/tools/lotl/eu-lotl.xml --signer oj.pem --dir lists\nviadukt trustlist fetch --dir lists", prepare: prepareTrustlistFetch},
		{name: "status", summary: "says how the lists of a running node stand.",
			help:    "The exit status is 1 when one of them does not count.",
			example: "viadukt trustlist status\nviadukt trustlist status --refresh --json", prepare: prepareTrustlistStatus},
	},
}

func prepareTrustlistNew(c *call) func() error {
	c.least, c.most = 1, 1
	territory := c.String("territory", "EU", "whose list it is: a `country`, two letters, or the name of a network")
	lotl := c.Bool("lotl", false, "make a list of lists")
	return func() error {
		kind := "list"
		if *lotl {
			kind = "lotl"
		}
		f, err := os.OpenFile(c.values[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return usage("%v", err)
		}
		_, err = f.WriteString(draft.Template(*territory, kind))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		c.printf("%s: fill it in, then: viadukt trustlist sign %s --key KEY --out LIST.xml\n", c.values[0], c.values[0])
		return nil
	}
}

// several is a flag that may be given again.
func (c *call) several(name, text string) *[]string {
	var to []string
	c.Func(name, text+"; may be given again", func(s string) error { to = append(to, s); return nil })
	return &to
}

func prepareTrustlistAdd(c *call) func() error {
	c.least, c.most = 1, 1
	provider := c.String("provider", "", "`name` of who runs the service")
	name := c.String("name", "", "`name` of the service; default: the subject of the certificate")
	kind := c.String("type", "", "`type` of the service: CA/QC, CA/PKC, TSA/QTST, Certstatus/OCSP ... or a URI")
	certificates := c.several("certificate", "PEM or DER `file` with the certificate of the service")
	purposes := c.several("for", "`purpose`: ForeSignatures, ForeSeals, ForWebSiteAuthentication")
	status := c.String("status", "granted", "`status`: granted, withdrawn, recognisedatnationallevel ...")
	since := c.String("since", "", "`day` from which it holds, such as 2026-01-31; default: today")
	return func() error {
		if *provider == "" || *kind == "" || len(*certificates) == 0 {
			return usage("--provider, --type and --certificate are needed")
		}
		s := draft.Service{Name: *name, Type: *kind, Status: *status, For: *purposes}
		s.Since.Time = time.Now().UTC()
		if *since != "" {
			at, err := time.Parse(time.DateOnly, *since)
			if err != nil {
				return usage("--since: %q is no day such as 2026-01-31", *since)
			}
			s.Since.Time = at
		}
		folder := filepath.Dir(c.values[0])
		for _, file := range *certificates {
			certs, err := readTrust(file)
			if err != nil {
				return err
			}
			if s.Name == "" {
				s.Name = certs[0].Subject.CommonName()
			}
			if rel, err := filepath.Rel(folder, file); err == nil { // the draft names files as seen from its folder
				file = rel
			}
			s.Certificates = append(s.Certificates, file)
		}
		b, err := os.ReadFile(c.values[0])
		if err != nil {
			return usage("%v", err)
		}
		d, err := draft.Parse(b)
		if err == nil {
			b, err = draft.Add(b, draft.Provider{Name: *provider, Address: d.Address}, s)
		}
		if err != nil {
			return usage("%s: %v", c.values[0], err)
		}
		if err := c.write(c.values[0], b); err != nil {
			return err
		}
		c.printf("%s: %s, %s of %s\n", c.values[0], s.Name, s.Type, *provider)
		return nil
	}
}

func prepareTrustlistSign(c *call) func() error {
	c.least, c.most = 1, 1
	signer := c.signerFlags()
	out := c.String("out", "", "`file` for the list; default: the draft's name with .xml")
	return func() error {
		b, err := os.ReadFile(c.values[0])
		if err != nil {
			return usage("%v", err)
		}
		d, err := draft.Parse(b)
		if err != nil {
			return usage("%s: %v", c.values[0], err)
		}
		if *out == "" {
			*out = strings.TrimSuffix(c.values[0], filepath.Ext(c.values[0])) + ".xml"
		}
		number, now := uint64(1), time.Now().UTC().Truncate(time.Second)
		if old, err := os.ReadFile(*out); err == nil {
			before, err := trustlist.Parse(old)
			if err != nil {
				return usage("--out: %s: %v", *out, err)
			}
			number = before.Sequence + 1
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		folder := filepath.Dir(c.values[0])
		l, err := d.List(number, now, func(file string) ([]byte, error) {
			if !filepath.IsAbs(file) {
				file = filepath.Join(folder, file)
			}
			return os.ReadFile(file)
		})
		if err != nil {
			return usage("%s: %v", c.values[0], err)
		}
		id, err := signer(c.p.ctx)
		if err != nil {
			return err
		}
		signed, err := l.Sign(id.Key.(crypto.Signer), rand.Reader, id.Certificate, now)
		if err != nil {
			return err
		}
		if err := c.write(*out, signed); err != nil {
			return err
		}
		c.printf("%s: number %d of %s, %d services, %d pointers, next one due %s\n", *out, l.Sequence, l.Territory, len(l.Services()), len(l.Pointers), l.Next.Format(time.DateOnly))
		return nil
	}
}

// listJSON is what is said about a list.
type listJSON struct {
	File      string        `json:"file,omitempty"`
	URL       string        `json:"url,omitempty"`
	OK        *bool         `json:"ok,omitempty"`
	Territory string        `json:"territory"`
	Type      string        `json:"type"`
	Version   int           `json:"version"`
	Sequence  uint64        `json:"sequence"`
	Operator  string        `json:"operator"`
	Issued    time.Time     `json:"issued"`
	Next      *time.Time    `json:"nextUpdate,omitempty"`
	Signer    string        `json:"signer,omitempty"`
	Services  []serviceJSON `json:"services,omitempty"`
	Pointers  []pointerJSON `json:"pointers,omitempty"`
	Flaws     []string      `json:"flaws,omitempty"`
	Error     *exit         `json:"error,omitempty"`
}

type serviceJSON struct {
	Provider string    `json:"provider"`
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Status   string    `json:"status"`
	Since    time.Time `json:"since"`
	History  int       `json:"history"`
}

type pointerJSON struct {
	Territory string   `json:"territory"`
	URL       string   `json:"url"`
	Type      string   `json:"type"`
	Signers   []string `json:"signers"`
}

func describeList(l *trustlist.List, whole bool) *listJSON {
	j := &listJSON{Territory: l.Territory, Type: l.Type, Version: l.Version, Sequence: l.Sequence, Operator: l.Operator.In("en"), Issued: l.Issued}
	if !l.Next.IsZero() {
		j.Next = &l.Next
	}
	for _, f := range l.Flaws {
		j.Flaws = append(j.Flaws, f.Error())
	}
	if !whole {
		return j
	}
	for _, s := range l.Services() {
		p := s.Current()
		j.Services = append(j.Services, serviceJSON{s.Provider.Names.In("en"), p.Names.In("en"), p.Type, p.Status, p.From, len(s.Periods) - 1})
	}
	for i := range l.Pointers {
		p := &l.Pointers[i]
		x := pointerJSON{Territory: p.Territory, URL: p.Location, Type: p.Type}
		for _, c := range p.Certificates() {
			x.Signers = append(x.Signers, c.Subject.String())
		}
		j.Pointers = append(j.Pointers, x)
	}
	return j
}

func (c *call) printList(j *listJSON) {
	next := "closed, there is no next one"
	if j.Next != nil {
		next = "next one due " + j.Next.Format(time.DateOnly)
	}
	c.printf("%s%s: %s, number %d of %s, issued %s, %s\n", j.File, j.URL, j.Territory, j.Sequence, j.Operator, j.Issued.Format(time.DateOnly), next)
	if j.Signer != "" {
		c.printf("  signed by %s\n", j.Signer)
	}
	for _, s := range j.Services {
		c.printf("  %s: %s, %s, %s since %s\n", s.Provider, s.Name, strings.TrimPrefix(s.Type, trustlist.ServiceRoot), strings.TrimPrefix(s.Status, trustlist.StatusRoot), s.Since.Format(time.DateOnly))
	}
	for _, p := range j.Pointers {
		c.printf("  %s: %s, %d signers\n", p.Territory, p.URL, len(p.Signers))
	}
	for _, f := range j.Flaws {
		c.printf("  flaw: %s\n", f)
	}
}

func prepareTrustlistShow(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	return func() error {
		b, err := os.ReadFile(c.values[0])
		if err != nil {
			return usage("%v", err)
		}
		l, err := trustlist.Parse(b)
		if err != nil {
			return &exit{status: statusInvalid, Code: "NO_LIST", Text: err.Error(), Where: c.values[0]}
		}
		j := describeList(l, true)
		j.File = c.values[0]
		if c.json {
			return c.print(j)
		}
		c.printList(j)
		return nil
	}
}

func prepareTrustlistCheck(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	signers := c.several("signer", "PEM or DER `file` with certificates of who may sign the list")
	territory := c.String("territory", "", "whose list it must be, a `country`")
	after := c.String("after", "", "`file` with the list before: this one must be newer")
	weak := c.Bool("allow-sha1", false, "take SHA-1 and short keys, as the lists of earlier years have them")
	return func() error {
		b, err := os.ReadFile(c.values[0])
		if err != nil {
			return usage("%v", err)
		}
		opt := trustlist.CheckOptions{Territory: *territory, AllowSHA1: *weak}
		if opt.Signers, err = readSigners(*signers); err != nil {
			return err
		}
		if *after != "" {
			old, err := os.ReadFile(*after)
			if err == nil {
				opt.After, err = trustlist.Parse(old)
			}
			if err != nil {
				return usage("--after: %v", err)
			}
		}
		l, err := trustlist.Check(b, opt)
		if err == nil && l.Expired(time.Now()) {
			err = fmt.Errorf("%w: due %s", trustlist.ErrExpired, l.Next.Format(time.DateOnly))
		}
		ok := err == nil
		j := &listJSON{}
		if l != nil {
			j = describeList(l.List, false)
			j.Signer = l.Signer.Subject.String()
		}
		j.File, j.OK = c.values[0], &ok
		if err != nil {
			j.Error = &exit{status: statusInvalid, Code: "LIST_REFUSED", Text: err.Error()}
		}
		switch {
		case c.json:
			if err := c.print(j); err != nil {
				return err
			}
		case ok:
			c.printList(j)
		default:
			c.printf("%s: refused: %s\n", j.File, j.Error.Text)
		}
		if !ok {
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}

func readSigners(files []string) (out []*pki.Certificate, err error) {
	if len(files) == 0 {
		return nil, usage("--signer is missing: the certificates of who may sign the list")
	}
	for _, f := range files {
		certs, err := readTrust(f)
		if err != nil {
			return nil, err
		}
		out = append(out, certs...)
	}
	return out, nil
}

func prepareTrustlistFetch(c *call) func() error {
	c.most = 1
	c.jsonFlag()
	dir := c.String("dir", "", "`folder` of the mirror")
	signers := c.several("signer", "PEM or DER `file` with certificates of who may sign the list at URL")
	territories := c.several("territory", "whose lists are wanted, a `country`; default: all")
	announcement := c.String("announcement", "", "`address` at which the signers were announced")
	grace := c.Duration("grace", 0, "for how `long` a list still counts after the next one was due")
	return func() error {
		if *dir == "" {
			return usage("--dir is missing: the folder of the mirror")
		}
		mirror := trustlist.Dir(*dir)
		var l *trustlist.Loader
		if len(c.values) == 0 {
			var err error
			if l, err = mirror.Loader(); err != nil {
				return usage("--dir: %v: name the URL of the list the first time", err)
			}
		} else {
			certs, err := readSigners(*signers)
			if err != nil {
				return err
			}
			l = &trustlist.Loader{Sources: []trustlist.Source{{URL: c.values[0], Signers: certs, Announcement: *announcement}}, Territories: *territories, Store: mirror}
			if err := mirror.Configure(l); err != nil {
				return err
			}
		}
		l.HTTP, l.Grace = &http.Client{Timeout: 2 * time.Minute}, *grace
		set, err := l.Refresh(c.p.ctx)
		for _, p := range set.Problems {
			fmt.Fprintln(c.p.err, p.Error())
		}
		if err != nil {
			return &exit{status: statusFailed, Code: "NO_LIST", Text: trustlist.ErrMissing.Error(), Where: *dir, Remedy: "see what is said about each list"}
		}
		for _, x := range set.Lists {
			j := describeList(x.List, false)
			j.URL, j.Signer = x.URL, x.Signer.Subject.String()
			if c.json {
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			j.Flaws = nil
			c.printList(j)
		}
		if !c.json {
			c.printf("%d lists, %d certificates that are trusted\n", len(set.Lists), len(set.Certificates()))
		}
		return nil
	}
}

// trustlistFlag reads --trustlist: a mirror, or a list with --trustlist-signer.
func (c *call) trustlistFlag() func() (*trustlist.Set, error) {
	place := c.String("trustlist", "", "`folder` that viadukt trustlist fetch made, or the file or URL of a list: its services are trusted, and tell what is qualified")
	signers := c.several("trustlist-signer", "PEM or DER `file` with certificates of who may sign the list of --trustlist, where that is a file or a URL")
	return func() (*trustlist.Set, error) {
		if *place == "" {
			return nil, nil
		}
		var set *trustlist.Set
		var err error
		if info, e := os.Stat(*place); e == nil && info.IsDir() {
			l, e := trustlist.Dir(*place).Loader()
			if e != nil {
				return nil, usage("--trustlist: %v", e)
			}
			set, err = l.Load(c.p.ctx)
		} else {
			certs, e := readSigners(*signers)
			if e != nil {
				return nil, usage("--trustlist-signer is missing: the certificates of who may sign the list")
			}
			if strings.Contains(*place, "://") {
				l := &trustlist.Loader{Sources: []trustlist.Source{{URL: *place, Signers: certs}}, HTTP: &http.Client{Timeout: 2 * time.Minute}}
				set, err = l.Refresh(c.p.ctx)
			} else {
				set, err = oneList(*place, certs)
			}
		}
		if set != nil {
			for _, p := range set.Problems {
				fmt.Fprintln(c.p.err, p.Error())
			}
		}
		if err != nil {
			return nil, &exit{status: statusFailed, Code: "NO_LIST", Text: err.Error(), Where: *place, Remedy: "fetch the lists again: viadukt trustlist fetch"}
		}
		return set, nil
	}
}

func oneList(file string, signers []*pki.Certificate) (*trustlist.Set, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l, err := trustlist.Check(b, trustlist.CheckOptions{Signers: signers})
	switch {
	case err != nil:
		return nil, err
	case l.Expired(time.Now()):
		return nil, fmt.Errorf("%w: due %s", trustlist.ErrExpired, l.Next.Format(time.DateOnly))
	case l.ListOfLists():
		return nil, errors.New("it is a list of lists: mirror the lists that it points at with viadukt trustlist fetch")
	}
	return trustlist.NewSet(&trustlist.Listed{Checked: l, URL: file}), nil
}
