//go:build !linux

package node_test

import "errors"

func limitFiles(int, uint64) error { return errors.ErrUnsupported }
