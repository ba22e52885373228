package jades

import (
	"slices"
	"time"
)

// Level names how far a signature goes, by the headers that it has. It says nothing about whether these hold.
type Level string

// The baseline levels [TS 119 182-1 6].
const (
	NotETSI Level = "JSON-NOT-ETSI"
	LevelB  Level = "JAdES-BASELINE-B"
	LevelT  Level = "JAdES-BASELINE-T"
	LevelLT Level = "JAdES-BASELINE-LT"
	LTA     Level = "JAdES-BASELINE-LTA"
)

// iatFrom is when new signatures had to claim their time by iat [TS 119 182-1 5.2.1].
var iatFrom = time.Date(2025, 7, 15, 0, 0, 0, 0, time.UTC)

// Level returns the highest level whose headers are all there [TS 119 182-1 6.3].
func (s *Signature) Level() Level {
	if !s.baseline() {
		return NotETSI
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return s.counts[n] > 0 })
	}
	if !has("sigTst") || !s.oneTokenEach() {
		return LevelB
	}
	certificates := len(s.Certificates) > 1 || has("xVals", "anyValData", "tstVD")
	revocation := has("rVals", "anyValData", "tstVD") && len(s.Material.CRLs)+len(s.Material.OCSPs) > 0
	if !certificates || !revocation || has("xRefs", "rRefs", "axRefs", "arRefs", "sigRTst", "rfsTst") {
		return LevelT
	}
	if !has("arcTst") {
		return LevelLT
	}
	return LTA
}

func (s *Signature) oneTokenEach() bool {
	seen := map[int]bool{}
	for _, t := range s.TimeStamps {
		if t.Kind == SignatureTimeStamp {
			if seen[t.Property] {
				return false
			}
			seen[t.Property] = true
		}
	}
	return true
}

// baseline holds the protected header to what level B asks for.
func (s *Signature) baseline() bool {
	names := 0
	for _, n := range []string{"x5t#S256", "x5t#o", "sigX5ts"} {
		if _, ok := s.header.get(n); ok {
			names++
		}
	}
	_, issued := s.header.get("iat")
	switch {
	case names != 1, s.SigningTime.IsZero(), !issued && !s.SigningTime.Before(iatFrom),
		s.Parent != nil && s.ContentType != "",
		s.counts["sigPSt"] > 1, s.counts["sigPSt"] > 0 && (s.Policy == nil || s.Policy.Digest == nil):
		return false
	}
	return s.CriticalErr == nil && s.criticalFaults == 0
}
