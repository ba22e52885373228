//go:build !linux

package node_test

import "errors"

const noLimit = 0

func limitFiles(int, uint64) error { return errors.ErrUnsupported }

func limitSize(int, uint64) error { return errors.ErrUnsupported }
