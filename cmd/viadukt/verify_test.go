package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

func TestVerdictsComeInTheOrderOfTheFiles(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 200 {
		files = append(files, strconv.Itoa(i))
	}
	next := sideBySide(files, func(file string) *verifyJSON { return &verifyJSON{File: file} })
	var got []string
	for _, f := range files {
		got = append(got, next(f).File)
	}
	if !slices.Equal(got, files) {
		t.Errorf("%v", got)
	}
}

// More files are beside the signature than are tried as its content.
func TestContentIsFoundByItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i := range maxBeside + 1 {
		write(fmt.Sprintf("%04d.txt", i), []byte("another"))
	}
	content := []byte("the contract")
	write("the contract.txt", content)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, time.Now().AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []ades.Format{ades.XAdES, ades.CAdES, ades.JAdES} {
		var signed bytes.Buffer
		document := xades.Bytes("the contract.txt", "text/plain", content)
		if err := ades.Sign(t.Context(), &signed, nil, &ca.Identity, []xades.Document{document}, ades.Params{Format: f, Packaging: ades.Detached, Time: time.Now()}, nil); err != nil {
			t.Fatal(err)
		}
		r, err := gatherFile(write("the contract.txt.signature", signed.Bytes()), gather.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s := r.Signatures[0]; len(missingContent(r)) > 0 || !s.Intact || slices.ContainsFunc(s.References, func(x validation.Reference) bool { return !x.Intact }) {
			t.Errorf("%s: %+v", f, s.References)
		}
	}
}
