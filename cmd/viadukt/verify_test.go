package main

import (
	"slices"
	"strconv"
	"testing"
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
