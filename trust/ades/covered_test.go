package ades

import (
	"bytes"
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestCorpusCovered: what an evidence record of a container covers is not written anew, as the other implementation refuses it, too. Only CMS
// gets another archive manifest, which leaves every file as it is [EN 319 162-1 5.4].
func TestCorpusCovered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for name, levels := range map[string][]Level{
		"dss/asic-cades/validation/evidencerecord/cades-lt-with-er.sce": {LevelT, LevelLT},
		"dss/asic-xades/validation/evidencerecord/xades-lt-with-er.sce": {LevelT, LevelLT, LTA},
	} {
		b := corpus.Read(t, "esignature", name)
		for _, level := range levels {
			if out, err := Extend(t.Context(), bytes.Clone(b), level, Extension{Stamper: w.tsa, Known: w.known}); !errors.Is(err, ErrCovered) || out != nil {
				t.Errorf("%s to %s: %v", name, level, err)
			}
		}
	}
}
