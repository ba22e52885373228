//go:build !linux

package main

import "os"

// terminalWidth is not asked for here: lines are not broken.
func terminalWidth(*os.File) int { return 0 }
