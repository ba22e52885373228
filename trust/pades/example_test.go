package pades_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Sign returns what is to be put behind the document.
func ExampleSign() {
	sign := func(id *pki.Identity, file string) error {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		d, err := pades.Open(f, info.Size())
		if err != nil {
			return err
		}
		more, err := pades.Sign(context.Background(), rand.Reader, id, d, pades.Parameters{Time: time.Now(), Reason: "Granted"}, nil)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(more, info.Size())
		return err
	}
	fmt.Println(sign(nil, "absent.pdf") != nil)
	// Output: true
}

// What a signature is over, and what came after it.
func ExampleOpen() {
	tell := func(file string) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		d, err := pades.Open(f, info.Size())
		if err != nil {
			return err
		}
		for _, s := range d.Signatures {
			if s.CMS == nil {
				continue // a time-stamp, or it cannot be read: s.Err
			}
			facts := s.Verify()
			changes, err := s.Changes()
			if err != nil {
				return err
			}
			fmt.Println(s.Level(), facts.Err(), s.Range, s.Violations(changes))
		}
		return nil
	}
	fmt.Println(tell("absent.pdf") != nil)
	// Output: true
}
