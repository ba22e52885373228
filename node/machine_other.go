//go:build !linux

package node

func fileSystem(string) (fsKind, string) { return fsLocal, "" }

func clockState() (synchronised, known bool) { return false, false }
