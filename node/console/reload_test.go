package console

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// What a reload could not take is named, and what is wrong with the configuration is told.
func TestAReloadSaysWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var waits []string
	var failed error
	w.opt.Reload = func(context.Context) ([]string, error) { return waits, failed }
	b := w.as(t, Administrator)
	b.post("/console/agreements/reload").says(t, "nothing waits", http.StatusOK, "The configuration was read again.")
	waits = []string{"as4.limits.parts", "<log>"}
	b.post("/console/agreements/reload").says(t, "two wait", http.StatusOK, "These settings wait for a restart:", "as4.limits.parts", "&lt;log&gt;")
	waits, failed = nil, errors.New("viadukt.yaml:3: as4.limits.parts: no number")
	b.post("/console/agreements/reload").says(t, "wrong", http.StatusUnprocessableEntity, "The configuration is wrong", "viadukt.yaml:3")
}
