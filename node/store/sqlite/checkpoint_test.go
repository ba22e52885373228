package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestTheLogDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	made, err := os.Stat(filepath.Join(s.dir, databaseFile+"-wal")) // what the schema took
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx0 store.Tx) error { tx0.(*tx).w.cp.pages = 50; return nil })
	for i := range 400 {
		m := outgoing(fmt.Sprint(i))
		m.Header = make([]byte, 20_000)
		insert(t, s, m)
	}
	// 400 messages of more than 5 pages each went through the log.
	st, err := os.Stat(filepath.Join(s.dir, databaseFile+"-wal"))
	if err != nil || st.Size() > made.Size()+254*4096 {
		t.Errorf("%v from %v, %v", st.Size(), made.Size(), err)
	}
	if st, err := os.Stat(filepath.Join(s.dir, databaseFile)); err != nil || st.Size() < 1500*4096 {
		t.Errorf("%v, %v", st.Size(), err)
	}
}
