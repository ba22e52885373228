package trustlist

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// web serves lists by path, and counts what was sent whole.
type web struct {
	*httptest.Server
	mu    sync.Mutex
	lists map[string][]byte
	whole map[string]int
}

func newWeb(tb testing.TB) *web {
	w := &web{lists: map[string][]byte{}, whole: map[string]int{}}
	w.Server = httptest.NewServer(w)
	tb.Cleanup(w.Close)
	return w
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.lists[r.URL.Path]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	sum := sha256.Sum256(b)
	tag := fmt.Sprintf(`"%x"`, sum[:6])
	rw.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		rw.WriteHeader(http.StatusNotModified)
		return
	}
	w.whole[r.URL.Path]++
	rw.Write(b)
}

func (w *web) put(path string, b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists[path] = b
}

func (w *web) fetched() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.whole {
		n += k
	}
	return n
}

// union is a list of lists with the lists of two countries.
type union struct {
	*web
	eu, ee, lv *operator
	lotl       *List
}

func newUnion(t *testing.T) *union {
	u := &union{web: newWeb(t), eu: newOperator(t, "EU"), ee: newOperator(t, "EE"), lv: newOperator(t, "LV")}
	u.put("/ee.xml", sign(t, list("EE", service(ServiceCA, authority(t, "CA EE").Certificate)), u.ee.Identity))
	u.put("/lv.xml", sign(t, list("LV", service(ServiceCA, authority(t, "CA LV").Certificate)), u.lv.Identity))
	u.lotl = list("EU")
	u.lotl.Type = TypeListOfLists
	u.lotl.Information = Texts{{"en", "https://oj.example/announcement"}}
	u.point("/lotl.xml", TypeListOfLists, "EU", u.eu.Certificate)
	u.point("/ee.xml", TypeGeneric, "EE", u.ee.Certificate)
	u.point("/lv.xml", TypeGeneric, "LV", u.lv.Certificate)
	u.lotl.Pointers = append(u.lotl.Pointers, Pointer{Location: u.URL + "/ee.pdf", Type: TypeGeneric, Territory: "EE", MimeType: "application/pdf", Signers: u.lotl.Pointers[1].Signers})
	u.put("/lotl.xml", sign(t, u.lotl, u.eu.Identity))
	return u
}

func (u *union) point(path, typ, territory string, signers ...*pki.Certificate) {
	p := Pointer{Location: u.URL + path, Type: typ, Territory: territory, MimeType: MimeType}
	for _, s := range signers {
		p.Signers = append(p.Signers, Identity{Certificates: []*pki.Certificate{s}})
	}
	i := slices.IndexFunc(u.lotl.Pointers, func(x Pointer) bool { return x.Location == p.Location })
	if i < 0 {
		u.lotl.Pointers = append(u.lotl.Pointers, p)
		return
	}
	u.lotl.Pointers[i] = p
}

func (u *union) loader(store Store) *Loader {
	return &Loader{
		Sources: []Source{{URL: u.URL + "/lotl.xml", Signers: []*pki.Certificate{u.eu.Certificate}, Territory: "EU", Announcement: "https://oj.example/announcement"}},
		Store:   store, HTTP: u.Client(), Now: func() time.Time { return now },
	}
}

func territories(s *Set) string {
	var out []string
	for _, l := range s.Lists {
		out = append(out, fmt.Sprintf("%s%d", l.Territory, l.Sequence))
	}
	return strings.Join(out, " ")
}

func refresh(t *testing.T, l *Loader, want string, problems ...error) *Set {
	t.Helper()
	s, err := l.Refresh(t.Context())
	if err != nil && want != "" {
		t.Fatal(err)
	}
	if got := territories(s); got != want {
		t.Fatalf("lists %q, want %q; %v", got, want, s.Problems)
	}
	if len(s.Problems) != len(problems) {
		t.Fatalf("problems %v, want %v", s.Problems, problems)
	}
	for i, p := range problems {
		if p != nil && !errors.Is(s.Problems[i].Err, p) {
			t.Fatalf("problem %v, want %v", s.Problems[i], p)
		}
	}
	return s
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	u := newUnion(t)
	dir := Dir(t.TempDir())
	l := u.loader(dir)
	refresh(t, l, "EU7 EE7 LV7")
	first := u.fetched()
	refresh(t, l, "EU7 EE7 LV7")
	if got := u.fetched(); got != first {
		t.Errorf("%d lists were sent again though nothing changed", got-first)
	}

	// A list that is newer is taken, and survives a restart without network.
	newer := list("EE", service(ServiceCA, authority(t, "CA EE").Certificate))
	newer.Sequence = 8
	u.put("/ee.xml", sign(t, newer, u.ee.Identity))
	refresh(t, l, "EU7 EE8 LV7")
	if s, err := u.loader(dir).Load(t.Context()); err != nil || territories(s) != "EU7 EE8 LV7" {
		t.Fatalf("from the mirror: %v, %v", s, err)
	}

	// What is wrong is refused, and the last good copy is kept, also by a loader that starts anew.
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"older":               {sign(t, list("EE", service(ServiceCA, authority(t, "CA EE").Certificate)), u.ee.Identity), ErrDowngrade},
		"another territory":   {sign(t, list("LV", service(ServiceCA, authority(t, "CA EE").Certificate)), u.ee.Identity), ErrTerritory},
		"somebody else's":     {sign(t, newer, u.lv.Identity), ErrSigner},
		"not signed":          {must(newer.Write()), ErrSignature},
		"not XML":             {[]byte("maintenance"), ErrFormat},
		"a list of lists":     {sign(t, u.lotl, u.ee.Identity), ErrType},
		"broken on the way":   {[]byte(strings.Replace(string(sign(t, newer, u.ee.Identity)), "Trust &amp; Co", "Trust &amp; Cow", 1)), ErrSignature},
		"larger than allowed": {make([]byte, maxList+1), nil},
	} {
		u.put("/ee.xml", c.b)
		for _, x := range []*Loader{l, u.loader(dir)} {
			s := refresh(t, x, "EU7 EE8 LV7", c.want)
			if !s.Problems[0].Kept || s.Problems[0].Territory != "EE" {
				t.Errorf("%s: %+v", name, s.Problems[0])
			}
		}
	}

	// So is it when the server is away.
	u.mu.Lock()
	maps.DeleteFunc(u.lists, func(path string, _ []byte) bool { return path == "/ee.xml" })
	u.mu.Unlock()
	refresh(t, l, "EU7 EE8 LV7", nil)

	// But not after it expired, unless that is allowed for a while; nor when its signer was taken from the list of lists.
	l.Now = func() time.Time { return newer.Next.Add(time.Hour) }
	if _, err := l.Refresh(t.Context()); !errors.Is(err, ErrMissing) {
		t.Errorf("expired: %v", err)
	}
	l.Grace = 48 * time.Hour
	refresh(t, l, "EU7 EE8 LV7", nil, ErrExpired, ErrExpired, ErrExpired)
	l.Now = func() time.Time { return now }
	u.point("/ee.xml", TypeGeneric, "EE", u.lv.Certificate)
	u.lotl.Sequence++
	u.put("/lotl.xml", sign(t, u.lotl, u.eu.Identity))
	refresh(t, l, "EU8 LV7", ErrSigner)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestKeysRollOver(t *testing.T) {
	t.Parallel()
	u := newUnion(t)
	l := u.loader(Dir(t.TempDir()))
	refresh(t, l, "EU7 EE7 LV7")

	// A pivot, signed by those who were announced, names the next.
	second, third := u.eu.another(t), u.eu.another(t)
	pivot := func(path string, by, next *pki.Identity) {
		u.point("/lotl.xml", TypeListOfLists, "EU", next.Certificate)
		u.lotl.Sequence++
		u.put(path, sign(t, u.lotl, by))
		u.lotl.Information = append(Texts{{"en", u.URL + path}}, u.lotl.Information...)
	}
	pivot("/pivot-8.xml", u.eu.Identity, second)
	u.lotl.Sequence++
	u.put("/lotl.xml", sign(t, u.lotl, second))
	refresh(t, l, "EU9 EE7 LV7")
	pivot("/pivot-10.xml", second, third)
	u.lotl.Sequence++
	u.put("/lotl.xml", sign(t, u.lotl, third))
	refresh(t, l, "EU11 EE7 LV7")
	refresh(t, u.loader(nil), "EU11 EE7 LV7") // and from nothing

	// Without the first pivot the way is broken: the second proves nothing.
	u.mu.Lock()
	delete(u.lists, "/pivot-8.xml")
	u.mu.Unlock()
	refresh(t, u.loader(nil), "", ErrSigner, nil, ErrSigner)

	// A pivot by a stranger does not change who may sign.
	stranger := newOperator(t, "EU")
	fresh := u.loader(nil)
	u.put("/pivot-8.xml", sign(t, u.lotl, stranger.Identity))
	refresh(t, fresh, "", ErrSigner, ErrSigner, ErrSigner)

	// Where signers were announced anew, those configured are out of date.
	fresh = u.loader(nil)
	fresh.Sources[0].Announcement = "https://oj.example/earlier"
	s, err := fresh.Refresh(t.Context())
	if !errors.Is(err, ErrMissing) || !strings.Contains(s.Problems[0].Error(), "announced anew") {
		t.Errorf("%v, %v", err, s.Problems)
	}
}

// Lists expire between two refreshes, too, and with a list of lists all that it points at.
func TestASetGrowsOld(t *testing.T) {
	t.Parallel()
	u := newUnion(t)
	s := refresh(t, u.loader(nil), "EU7 EE7 LV7")
	lv := s.Lists[2]
	if lv.Via != u.URL+"/lotl.xml" || s.At(now, 0) != s {
		t.Fatalf("%+v", lv)
	}
	lv.Next = now.Add(time.Hour)
	if x := s.At(now.Add(2*time.Hour), 3*time.Hour); x != s {
		t.Error("within the grace")
	}
	x := s.At(now.Add(2*time.Hour), 0)
	if territories(x) != "EU7 EE7" || len(x.Missing()) != 1 || !errors.Is(x.Missing()[0].Err, ErrExpired) || len(x.Certificates()) != 1 || len(s.Certificates()) != 2 {
		t.Errorf("%s, %v", territories(x), x.Problems)
	}
	x = s.At(s.Lists[0].Next.Add(time.Second), 0)
	if territories(x) != "" || len(x.Missing()) != 3 || len(x.Certificates()) != 0 {
		t.Errorf("%s, %v", territories(x), x.Problems)
	}
}

// A list in a file is read anew each time, and kept in the store as those of the web are.
func TestAListInAFile(t *testing.T) {
	t.Parallel()
	ee := newOperator(t, "EE")
	file := filepath.Join(t.TempDir(), "ee.xml")
	put := func(sequence uint64, by *operator) {
		t.Helper()
		l := list("EE", service(ServiceCA, authority(t, "CA EE").Certificate))
		l.Sequence = sequence
		if err := os.WriteFile(file, sign(t, l, by.Identity), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store := Dir(t.TempDir())
	loader := func() *Loader {
		return &Loader{Sources: []Source{{URL: "file:ee.xml", File: file, Signers: []*pki.Certificate{ee.Certificate}, Territory: "EE"}}, Store: store, Now: func() time.Time { return now }}
	}
	put(7, ee)
	s := refresh(t, loader(), "EE7")
	if l := s.Lists[0]; l.Kept != nil || len(l.Signers) != 1 || !l.Signers[0].Equal(ee.Certificate) || s.Listed(l.Services()[0]) != l {
		t.Errorf("%+v", l)
	}
	put(8, ee)
	refresh(t, loader(), "EE8")
	put(7, ee)
	if s := refresh(t, loader(), "EE8", ErrDowngrade); !errors.Is(s.Lists[0].Kept, ErrDowngrade) || len(s.Missing()) != 0 {
		t.Errorf("%+v, %v", s.Lists[0], s.Missing())
	}
	put(9, newOperator(t, "EE"))
	refresh(t, loader(), "EE8", ErrSigner)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refresh(t, loader(), "EE8", os.ErrNotExist)
	l := loader()
	l.Store = nil
	s, err := l.Refresh(t.Context())
	if !errors.Is(err, ErrMissing) || len(s.Missing()) != 1 {
		t.Errorf("%v, %v", err, s.Missing())
	}
	put(8, ee)
	l.MaxList = 1 << 10
	if s, _ := l.Refresh(t.Context()); len(s.Missing()) != 1 || !strings.Contains(s.Missing()[0].Error(), "larger than 1024 octets") {
		t.Errorf("%v", s.Problems)
	}
}

// A server that does not say when a list changed may have its digest beside it: then nothing is sent again.
func TestDigestBesideTheList(t *testing.T) {
	t.Parallel()
	ee := newOperator(t, "EE")
	lists := map[string][]byte{}
	var mu sync.Mutex
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		b, ok := lists[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/ee.xml" {
			sent++
		}
		w.Write(b)
	}))
	t.Cleanup(server.Close)
	put := func(sequence uint64, digest func(sum [32]byte) []byte) {
		l := list("EE", service(ServiceCA, authority(t, "CA EE").Certificate))
		l.Sequence = sequence
		mu.Lock()
		defer mu.Unlock()
		lists["/ee.xml"] = sign(t, l, ee.Identity)
		if lists["/ee.sha2"] = nil; digest != nil {
			lists["/ee.sha2"] = digest(sha256.Sum256(lists["/ee.xml"]))
		}
	}
	l := &Loader{Sources: []Source{{URL: server.URL + "/ee.xml", Signers: []*pki.Certificate{ee.Certificate}}}, Store: mapStore{}, HTTP: server.Client(), Now: func() time.Time { return now }}
	count := func() int { mu.Lock(); defer mu.Unlock(); return sent }
	for i, digest := range []func([32]byte) []byte{
		func(sum [32]byte) []byte { return sum[:] },
		func(sum [32]byte) []byte { return fmt.Appendf(nil, "%X\n", sum) },
	} {
		n := count()
		put(uint64(8+i), digest)
		refresh(t, l, fmt.Sprintf("EE%d", 8+i))
		refresh(t, l, fmt.Sprintf("EE%d", 8+i))
		if got := count() - n; got != 1 {
			t.Errorf("sent %d times", got)
		}
	}
	put(10, nil)
	refresh(t, l, "EE10")
	put(10, func([32]byte) []byte { return make([]byte, 1<<20) })
	refresh(t, l, "EE10")
}

func TestCorpusPivots(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "dss/dss-tsl-validation/lotlCache")
	files := fileTransport{}
	for _, n := range []string{"172", "191", "226", "247"} {
		files["tl-pivot-"+n+"-mp.xml"] = unzipped(t, filepath.Join(dir, "tl_pivot_"+n+"_mp.xml.gz"))
	}
	top := must(Parse(files["tl-pivot-247-mp.xml"]))
	first := must(Parse(files["tl-pivot-172-mp.xml"]))
	var announced []*pki.Certificate
	for i := range first.Pointers {
		if first.Pointers[i].Type == TypeListOfLists {
			announced = append(announced, first.Pointers[i].Certificates()...)
		}
	}
	l := &Loader{
		Sources:     []Source{{URL: "https://ec.europa.eu/tools/lotl/tl-pivot-247-mp.xml", Signers: announced}},
		Territories: []string{"none"}, HTTP: &http.Client{Transport: files}, Now: func() time.Time { return top.Issued.AddDate(0, 1, 0) }, AllowSHA1: true,
	}
	s, err := l.Refresh(t.Context())
	if err != nil || len(s.Lists) != 1 || s.Lists[0].Sequence != 247 {
		t.Fatalf("%v, %v", err, s.Problems)
	}
	for _, p := range s.Problems {
		if !strings.Contains(p.Error(), "says that it is at") {
			t.Error(p)
		}
	}
}

// fileTransport answers with files by the last part of the path.
type fileTransport map[string][]byte

func (f fileTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if b, ok := f[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]; ok {
		w.Write(b)
	} else {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

func TestTheMirrorHoldsWhatWasStored(t *testing.T) {
	t.Parallel()
	d := Dir(t.TempDir())
	url := "https://ec.europa.eu/tools/lotl/eu-lotl.xml?x=1"
	if c, err := d.Load(url); c != nil || err != nil {
		t.Fatal(c, err)
	}
	want := &Copy{[]byte("<a/>"), `"1"`, "Mon, 04 May 2026 09:30:00 GMT", now}
	if err := d.Save(url, want); err != nil {
		t.Fatal(err)
	}
	got, err := d.Load(url)
	if err != nil || string(got.Body) != "<a/>" || got.ETag != want.ETag || got.LastModified != want.LastModified || !got.Fetched.Equal(now) {
		t.Fatal(got, err)
	}
	names := must(filepath.Glob(filepath.Join(string(d), "*.xml")))
	if len(names) != 1 || !strings.Contains(names[0], "eu-lotl.xml") {
		t.Errorf("files %v", names)
	}
	if err := os.WriteFile(names[0], []byte("<b/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Load(url); c != nil || err == nil {
		t.Error("an altered copy was given out")
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	withdrawn := full(authority(t, "Old CA").Certificate)
	end := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	p := withdrawn.Periods[0]
	p.Status, p.From = StatusRoot+"withdrawn", end
	withdrawn.Periods = append([]Period{p}, withdrawn.Periods...)
	withdrawn.Periods[1].Until, withdrawn.Periods[2].Until = end, withdrawn.Periods[1].From
	good, edelivery := service(ServiceCA, authority(t, "CA").Certificate), service(ServiceRoot+"EDS/Q", authority(t, "Delivery").Certificate)
	s := NewSet(&Listed{Checked: &Checked{List: list("EE", good, withdrawn, edelivery)}})
	if len(s.Certificates()) != 2 {
		t.Errorf("%d anchors", len(s.Certificates()))
	}
	c := withdrawn.Periods[0].Certificates[0]
	if a := s.Anchor(c); a == nil || !a.Until.Equal(end) || !a.From.Equal(time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)) || a.ExpiredCerts.IsZero() {
		t.Errorf("anchor of a withdrawn service: %+v", a)
	}
	if a := s.Anchor(good.Periods[0].Certificates[0]); a == nil || !a.Until.IsZero() {
		t.Errorf("anchor of a granted service: %+v", a)
	}
	if s.Anchor(edelivery.Periods[0].Certificates[0]) != nil {
		t.Error("a delivery service issues nothing")
	}
	if len(s.Services(c)) != 1 || len(s.Named(c.RawSubject)) != 1 {
		t.Error("the index does not find it")
	}
}

// BenchmarkLoad loads 31 lists of the size that those of the Union have, cold: some 25 MB and 2,500 certificates.
func BenchmarkLoad(b *testing.B) {
	eu := newOperator(b, "EU")
	mirror := mapStore{}
	lotl := list("EU")
	lotl.Type = TypeListOfLists
	total := 0
	for k := range 31 {
		territory := fmt.Sprintf("%c%c", 'A'+k/26, 'A'+k%26)
		o := newOperator(b, territory)
		var services []*Service
		for i := range 81 {
			services = append(services, full(authority(b, fmt.Sprintf("CA %d of %s", i, territory)).Certificate))
		}
		l := list(territory, services...)
		l.Legal = en(strings.Repeat("What a scheme has to say about itself in every language of its country. ", 8000)) // real lists repeat theirs with every service
		url := "https://lists.example/" + territory + ".xml"
		mirror[url] = &Copy{Body: sign(b, l, o.Identity), Fetched: now}
		total += len(mirror[url].Body)
		lotl.Pointers = append(lotl.Pointers, Pointer{Location: url, Type: TypeGeneric, Territory: territory, Signers: []Identity{{Certificates: []*pki.Certificate{o.Certificate}}}})
	}
	mirror["https://lists.example/lotl.xml"] = &Copy{Body: sign(b, lotl, eu.Identity), Fetched: now}
	b.SetBytes(int64(total))
	b.ReportAllocs()
	for b.Loop() {
		l := &Loader{Sources: []Source{{URL: "https://lists.example/lotl.xml", Signers: []*pki.Certificate{eu.Certificate}}}, Store: mirror, Now: func() time.Time { return now }}
		s, err := l.Load(context.Background())
		if err != nil || len(s.Lists) != 32 || len(s.Problems) > 0 {
			b.Fatal(err, len(s.Lists), s.Problems)
		}
	}
}

type mapStore map[string]*Copy

func (m mapStore) Load(url string) (*Copy, error) { return m[url], nil }
func (m mapStore) Save(url string, c *Copy) error { m[url] = c; return nil }
