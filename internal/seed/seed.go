// Package seed lists what the whole must do, row by row, and where each row is shown today.
package seed

import (
	_ "embed"
	"strings"
)

// Row is one thing that the whole must do.
type Row struct {
	ID        string // "PEPPOL-5"
	Text      string // what a stranger can see
	Demo      string // scenario of "viadukt demo" that shows it
	Elsewhere string // command that proves it, where the demo cannot
	Note      string // what is there of it, where it is not shown yet
}

//go:embed rows.tsv
var table string

// Rows is the list in its order.
var Rows = parse(table)

func parse(table string) (rows []Row) {
	for i, line := range strings.Split(strings.TrimRight(table, "\n"), "\n") {
		if c := strings.Split(line, "\t"); i > 0 && len(c) == 5 {
			rows = append(rows, Row{c[0], c[1], c[2], c[3], c[4]})
		}
	}
	return rows
}
